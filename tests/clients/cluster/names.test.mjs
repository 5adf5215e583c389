// Nodes that are called the same, as containers with one host name are: they live side by side, and one that starts under
// the name of another that was killed takes its ghosts away. A node that was taken for dead is there again when it speaks.

import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { Cluster, seatedAt } from "./support.mjs";

/** A node of which nothing is heard is dead after 9 s, and is known to be after one more. */
const DEAD_WITHIN = 10_500;

it("users stay present though another node comes under the name of theirs", async () => {
  const cluster = await Cluster.start({ nodes: 3, env: { COLLABFLOW_CLUSTER__NODE_NAME: "twin" } });
  const [board, ada, ben, cy] = await cluster.board("Ada", "Ben", "Cy");
  const seats = [];
  for (const [n, user] of [ada, ben, cy].entries()) seats.push(await seatedAt(cluster.nodes[n], board, user));
  for (const seat of seats) {
    await eventually("it sees all", async () => (await present(seat, board.id)).length === 3);
    seat.take();
  }
  const late = await seatedAt(await cluster.add(), board, ada);
  const hasNoticed = (node) => node.log().includes("a node has come under the name of another");
  for (const node of cluster.nodes.slice(0, 3)) await eventually("it is noticed", () => hasNoticed(node));
  // Longer than a node has to show that it is there.
  await assert.rejects(seats[0].any("nothing", 2_000), /not within/);
  for (const seat of seats) assert.deepEqual(seat.take(), []);
  assert.deepEqual(await present(late, board.id), [ada, ben, cy].map(({ _id }) => _id).sort());
});

it("a node that starts under the name of one that was killed takes its users away before they are missed", async () => {
  const cluster = await Cluster.start({ nodes: 2 });
  const [board, ada, ben] = await cluster.board("Ada", "Ben");
  const [one, other] = cluster.nodes;
  await other.restart({ COLLABFLOW_CLUSTER__NODE_NAME: "phoenix" });
  await cluster.isWhole();
  const watcher = await seatedAt(one, board, ada);
  const gone = await seatedAt(other, board, ben, { reconnection: false });
  await watcher.find("user:joined");
  await other.kill9();
  const killed = Date.now();
  gone.close();
  await other.restart();
  assert.equal((await watcher.next("user:left", DEAD_WITHIN)).userId, ben._id);
  assert.ok(Date.now() - killed < 8_000, "sooner than by its silence");
});

it("a node that was frozen for too long is there again with its users", async () => {
  const cluster = await Cluster.start({ nodes: 2 });
  const [board, ada, ben] = await cluster.board("Ada", "Ben");
  const [one, other] = cluster.nodes;
  const watcher = await seatedAt(one, board, ada);
  const frozen = await seatedAt(other, board, ben);
  await watcher.find("user:joined");
  other.signal("SIGSTOP");
  try {
    assert.equal((await watcher.find("user:left", () => true, DEAD_WITHIN + 1_000)).userId, ben._id);
  } finally {
    other.signal("SIGCONT");
  }
  const back = await watcher.find("user:joined", ({ userId }) => userId === ben._id);
  assert.equal(back.userId, ben._id);
  assert.equal(frozen.socket.connected, true);
  assert.deepEqual(await present(frozen, board.id), [ada._id, ben._id].sort());
  // The other way round nothing was missed: it was this node that was silent.
  assert.ok(!frozen.take().some(({ event }) => event === "user:left"));
});

/** Who is in the project, as the client's node has it. */
async function present(client, room) {
  const { users } = await client.do("join:project", room);
  return users.map(({ _id }) => _id).sort();
}
