// Rule 5 over nodes: presence is by user, wherever a tab of that user is connected, and it survives a node's crash.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../contract/client.mjs";
import { Cluster, WITHIN, seatedAt } from "./support.mjs";

/** The contract's, at default settings. */
const CRASH_NOTICED_WITHIN = 15_000;
/** Much less than it takes to miss a node that is silent, also on a busy machine. */
const AT_ONCE = 4_000;

/** Ada watches from the first node; what she has heard so far is dropped. */
async function scene(nodes, ...others) {
  const cluster = await Cluster.start({ nodes });
  const [board, ada, ...users] = await cluster.board("Ada", ...others);
  const watch = await seatedAt(cluster.nodes[0], board, ada);
  await board.settle(watch);
  return { cluster, board, watch, ada, users };
}

/** Who has left next by what `watch` is told; that a node was lost may be told by more than that. */
const nextLeft = (watch) => watch.find("user:left", () => true, WITHIN);

/** Fails where `watch` has heard of anybody's coming or going since. */
async function nobodyElse(board, watch) {
  const title = await board.mark();
  let heard;
  do {
    heard = await watch.any("the marker");
    assert.doesNotMatch(heard.event, /^user:/, JSON.stringify(heard));
  } while (heard.data.task?.title !== title);
}

/** Who is in the project by what a newcomer is told on `node`. */
async function present(node, board, user) {
  const client = await connect(node.url, user);
  const { users } = await client.do("join:project", board.id);
  client.close();
  return users.map(({ _id }) => _id).sort();
}

describe("presence over nodes", () => {
  it("of tabs on several nodes is one", async () => {
    const { cluster, board, watch, users } = await scene(3, "Ben");
    const [ben] = users;
    const here = await seatedAt(cluster.nodes[1], board, ben);
    assert.equal((await watch.next("user:joined")).userId, ben._id);
    const there = await seatedAt(cluster.nodes[2], board, ben);
    const { users: beside } = await there.do("join:project", board.id);
    assert.equal(beside.length, 2);
    await board.silent(watch);
    await here.do("leave:project", board.id);
    await board.silent(watch);
    there.close();
    assert.equal((await watch.next("user:left")).userId, ben._id);
  });

  it("outlasts a drop whose client is back on another node within the grace, and no other", async () => {
    const { cluster, board, watch, users } = await scene(3, "Ben");
    const [ben] = users;
    const first = await seatedAt(cluster.nodes[1], board, ben);
    assert.equal((await watch.next("user:joined")).userId, ben._id);
    first.drop();
    const second = await seatedAt(cluster.nodes[2], board, ben);
    await board.silent(watch);
    second.drop();
    const dropped = performance.now();
    assert.equal((await watch.next("user:left", WITHIN)).userId, ben._id);
    const after = performance.now() - dropped;
    assert.ok(after > 4_000, `the grace was ${after} ms`);
    await board.silent(watch);
  });

  it("is told of everybody to who comes, on whichever node", async () => {
    const { cluster, board, ada, users } = await scene(3, "Ben", "Cyd");
    const [ben, cyd] = users;
    await seatedAt(cluster.nodes[1], board, ben);
    await seatedAt(cluster.nodes[1], board, cyd);
    const all = [ada, ben, cyd].map(({ _id }) => _id).sort();
    for (const node of cluster.nodes) assert.deepEqual(await present(node, board, cyd), all);
  });
});

describe("a node that is killed", () => {
  it("takes its users away, at once where it is back under its name and in time where it is not", async () => {
    const { cluster, board, watch, ada, users } = await scene(3, "Ben", "Cyd", "Dan");
    const [ben, cyd, dan] = users;
    const [first, second, third] = cluster.nodes;
    const options = { kept: true, reconnection: false };
    await seatedAt(second, board, ben, options);
    await seatedAt(third, board, cyd, options);
    await seatedAt(third, board, dan, options);
    await seatedAt(first, board, dan);
    for (const user of [ben, cyd, dan]) assert.equal((await watch.next("user:joined")).userId, user._id);

    await Promise.all([second.kill9(), third.kill9()]);
    const killed = performance.now();
    await second.restart();
    const back = performance.now();
    assert.equal((await nextLeft(watch)).userId, ben._id, "who was on the node that is back leaves first");
    assert.ok(performance.now() - back < AT_ONCE, `it took ${performance.now() - back} ms`);
    assert.equal((await nextLeft(watch)).userId, cyd._id);
    const after = performance.now() - killed;
    assert.ok(after < CRASH_NOTICED_WITHIN, `it took ${after} ms`);
    await nobodyElse(board, watch);
    for (const node of [first, second]) {
      assert.deepEqual(await present(node, board, dan), [ada, dan].map(({ _id }) => _id).sort());
    }
  });

  it("with all the others leaves nobody behind for who comes later", async () => {
    const { cluster, board, watch, ada, users } = await scene(2, "Ben");
    const [first, second] = cluster.nodes;
    await seatedAt(second, board, users[0], { kept: true, reconnection: false });
    await watch.next("user:joined");
    watch.close();
    await Promise.all([first.kill9(), second.kill9()]);
    await first.restart();
    await cluster.isWhole([first]);
    const newcomer = await seatedAt(first, board, ada);
    assert.equal((await nextLeft(newcomer)).userId, users[0]._id);
    assert.deepEqual(await present(first, board, ada), [ada._id]);
  });
});
