// A node that dies between the store and the log: what it has stored last has no place in any room's log.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cluster, at, seatedAt } from "./support.mjs";

/** The contract's. */
const TOLD_WITHIN = 15_000;

describe("a node that dies between the store and the log", () => {
  for (const [name, sits] of [["with sessions", true], ["without any", false]]) {
    it(`${name}: members on other nodes are told to reload, and then who is there`, async () => {
      const cluster = await Cluster.start({ nodes: 1 });
      const dying = await cluster.add({ gate: true });
      await cluster.isWhole();
      const [board, owner, ada] = await cluster.board("Owner", "Ada");
      const client = await seatedAt(cluster.nodes[0], board, ada);
      if (sits) {
        await seatedAt(dying, board, owner);
        await client.find("user:joined");
      }
      dying.gate.swallow();
      const task = await at(dying, owner).post("/api/tasks", { title: "Stored", projectId: board.id });
      await dying.kill9();
      const { room } = await client.find("room:resync", () => true, TOLD_WITHIN);
      assert.equal(room, `project:${board.id}`);
      const { users } = await client.find("room:users");
      assert.deepEqual(users, [ada._id]);
      const stored = await at(cluster.nodes[0], ada).get(`/api/tasks/project/${board.id}`);
      assert.deepEqual(stored.map(({ _id }) => _id), [task._id]);
    });
  }
});
