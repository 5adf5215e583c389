// A node that dies between the store and the log: what it has stored last has no place in any room's log.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { connect } from "../contract/client.mjs";
import { away } from "../contract/comeback.mjs";
import { Proxy } from "../lib/proxy.mjs";
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

  it("tells its own clients too, who recover on another node when the others were told already", async () => {
    const cluster = await Cluster.start({ nodes: 2 });
    const [first, second] = cluster.nodes;
    const [board, owner, ada] = await cluster.board("Owner", "Ada");
    const watcher = await seatedAt(second, board, owner);
    const proxy = await Proxy.to(first.port);
    after(() => proxy.close());
    const client = await connect(proxy.url, ada, { auth: { token: ada.token, recovery: true } });
    await client.do("join:project", board.id);
    await client.do("task:create", { projectId: board.id, task: { title: "Before" } });
    const before = await at(second, owner).post("/api/tasks", { title: "Heard", projectId: board.id });
    await client.find("task:created", ({ task }) => task._id === before._id);
    let missed;
    await away({ proxy, client }, async () => {
      await first.kill9();
      missed = await at(second, owner).post("/api/tasks", { title: "Missed", projectId: board.id });
      await watcher.find("room:resync", () => true, TOLD_WITHIN);
      proxy.aim(second.port);
    });
    assert.equal(client.socket.recovered, true);
    assert.equal((await client.find("task:created")).task._id, missed._id);
    assert.deepEqual(await client.next("room:resync"), { room: `project:${board.id}` });
    await client.next("room:users");
  });

  it("after it was cut off for so long that the others had taken it for dead: they are told once more", async () => {
    const cluster = await Cluster.start({ nodes: 1 });
    const dying = await cluster.add({ gate: true });
    await cluster.isWhole();
    const [board, owner, ada] = await cluster.board("Owner", "Ada");
    const client = await seatedAt(cluster.nodes[0], board, ada);
    await seatedAt(dying, board, owner);
    await client.find("user:joined");
    dying.gate.refuse();
    await client.find("room:resync", () => true, TOLD_WITHIN);
    const task = await at(dying, owner).post("/api/tasks", { title: "Stored", projectId: board.id });
    await dying.kill9();
    await client.find("room:resync", () => true, TOLD_WITHIN);
    const stored = await at(cluster.nodes[0], ada).get(`/api/tasks/project/${board.id}`);
    assert.deepEqual(
      stored.map(({ _id }) => _id),
      [task._id],
    );
  });
});
