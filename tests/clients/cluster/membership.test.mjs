// Rule 4 over nodes: who is no member any more, or has another role, is so on every node when the answer is there.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { Cluster, at, seatedAt } from "./support.mjs";

/** The contract's for nodes that do not answer, and what a busy machine may add. */
const ANSWERED_WITHIN = 2_000 + 3_000;
/** The contract's for a node that nobody can tell, from the answer on, and the same. */
const FOUND_OUT_WITHIN = 10_000 + 3_000;

/** Ada's board, seen by Ben and Cyd on each of `nodes`, in the project and in the channel. */
async function scene(nodes, options) {
  const cluster = await Cluster.start({ nodes, ...options });
  const [board, ada, ben, cyd] = await cluster.board("Ada", "Ben", "Cyd");
  const pairs = await Promise.all(
    cluster.nodes.map(async (node) => {
      const pair = [await seatedAt(node, board, ben), await seatedAt(node, board, cyd)];
      await board.chat(...pair);
      return pair;
    }),
  );
  return { cluster, board, ada, ben, cyd, pairs };
}

/** Ada tells something everywhere; fails where one of Ben's clients hears it, or anything else of the board but `user:left`. */
async function isUnheard({ board, pairs }) {
  pairs.forEach(([bens]) => bens.take());
  const task = await board.task({ title: "Members alone" });
  const message = await board.say("Members alone");
  for (const [bens, cyds] of pairs) {
    await cyds.find("task:created", (told) => told.task._id === task._id);
    await cyds.find("chat:newMessage", ({ _id }) => _id === message._id);
    // What Ben's client has been sent before this answer has come.
    await bens.refused("join:project", board.id);
    const heard = bens.take().filter(({ event }) => event !== "user:left");
    assert.deepEqual(heard, []);
  }
}

describe("a member who is removed on one node", () => {
  it("is out of the rooms on all of them before the answer is there", async () => {
    const stage = await scene(3);
    const { cluster, board, ada, ben } = stage;
    await at(cluster.nodes[2], ada).delete(`/api/projects/${board.id}/members/${ben._id}`);
    await isUnheard(stage);
  });

  it("by a workspace's members being changed, is out as well", async () => {
    const stage = await scene(2);
    const { cluster, board, ada, ben } = stage;
    await at(cluster.nodes[1], ada).delete(`/api/workspaces/${board.workspace._id}/members/${ben._id}`);
    await isUnheard(stage);
  });

  it("is answered for in time where a node has lost its Redis, and that node finds it out by itself", async () => {
    const { cluster, board, ada, ben, pairs } = await scene(2, { gates: true });
    const [here, cutOff] = cluster.nodes;
    cutOff.gate.swallow();
    const asked = performance.now();
    await at(here, ada).delete(`/api/projects/${board.id}/members/${ben._id}`);
    const took = performance.now() - asked;
    assert.ok(took < ANSWERED_WITHIN, `it took ${took} ms`);

    // What the cut off node's own clients do goes on, and is told them.
    const [bens, cyds] = pairs[1];
    const isOut = async () => {
      bens.take();
      await cyds.do("task:create", { projectId: board.id, task: { title: "Members alone" } });
      await cyds.do("chat:message", { channelId: board.channel._id, content: "Members alone" });
      // An answer that says nothing of the project, nor makes anybody look at it.
      await bens.do("auth:refresh", { token: ben.token });
      return bens.take().length === 0;
    };
    await eventually("he is told nothing", isOut, { within: FOUND_OUT_WITHIN, every: 200 });
    assert.ok(await isOut(), "he is told something again");
  });
});

describe("a role that is changed on one node", () => {
  it("counts on all of them when the answer is there", async () => {
    const { cluster, board, ada, ben, pairs } = await scene(2);
    const task = await board.task();
    const update = { projectId: board.id, taskId: task._id, updates: { title: "Changed" } };
    for (const role of ["viewer", "member", "viewer"]) {
      await at(cluster.nodes[0], ada).post(`/api/projects/${board.id}/members`, { userId: ben._id, role });
      const [bens] = pairs[1];
      if (role === "viewer") assert.equal((await bens.refused("task:update", update)).code, "forbidden");
      else await bens.do("task:update", update);
    }
  });
});
