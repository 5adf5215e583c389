// A replica takes the place of the Redis that is killed, and lacks the last events: nobody counts on what it cannot show.

import assert from "node:assert/strict";
import { it } from "node:test";
import { connect } from "../contract/client.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Redis } from "../lib/redis.mjs";
import { Cluster, WITHIN, seatedAt } from "./support.mjs";

it("members reload, nobody recovers from before, and what is told afterwards reaches all", async () => {
  const cluster = await Cluster.start({ nodes: 2 });
  const [board, ada, ben, cy] = await cluster.board("Ada", "Ben", "Cy");
  const { port } = cluster.redis;
  const replica = await Redis.start(["--replicaof", "127.0.0.1", `${port}`]);
  const members = [await seatedAt(cluster.nodes[0], board, ada), await seatedAt(cluster.nodes[1], board, ben)];
  const auth = { token: cy.token, recovery: true };
  const away = await connect(cluster.nodes[1].url, cy, { auth, reconnection: false });
  await away.do("join:project", board.id);
  const tells = async (title, clients) => {
    await members[0].do("task:create", { projectId: board.id, task: { title } });
    for (const client of clients) await client.find("task:created", ({ task }) => task.title === title);
  };
  const log = ["XLEN", `{collabflow}:log:project:${board.id}`];
  await tells("Handed over", [members[1], away]);
  await eventually("the replica has it", async () => (await replica.ask(...log)) === (await cluster.redis.ask(...log)));
  await replica.ask("REPLICAOF", "NO", "ONE");
  away.socket.io.engine.close();
  await tells("Lost", [members[1]]);

  await cluster.redis.kill9();
  await replica.ask("CONFIG", "SET", "port", port);
  const room = `project:${board.id}`;
  for (const member of members) await member.find("room:resync", (data) => data.room === room, WITHIN);
  await cluster.isWhole();
  away.socket.connect();
  await away.connected();
  assert.equal(away.socket.recovered, false);
  await away.do("join:project", board.id);
  await tells("Afterwards", [members[1], away]);
  assert.deepEqual((await board.tasks()).map(({ title }) => title).sort(), ["Afterwards", "Handed over", "Lost"]);
  await replica.kill9();
});
