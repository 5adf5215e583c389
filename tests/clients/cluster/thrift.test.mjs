// What the cluster costs in Redis: `INFO commandstats` counts every command, those within scripts too.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../lib/eventually.mjs";
import { Cluster, WITHIN, at, seatedAt } from "./support.mjs";

const DAY = 86_400_000;
/** The contract's, by day. */
const BUDGET = 10_000;
/** For how long nothing happens. */
const IDLE = 30_000;
const IDLE_CLIENTS = 20;
const EVENTS = 20;
/** So many at once, with so many milliseconds more to Redis and back: 20 s, if each waited for the one before it. */
const MANY = 200;
const LONG_WAY = 100;

/** What was called from here to the end of `work`, by command. */
async function calls({ redis }, work) {
  await redis.ask("CONFIG", "RESETSTAT");
  await work();
  const { info, "config|resetstat": own, ...others } = await redis.calls();
  return others;
}

const total = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** All keys, with the seconds after which each is gone. */
async function keys({ redis }) {
  const script = `
    local found, cursor = {}, '0'
    repeat
      local page = redis.call('SCAN', cursor)
      cursor = page[1]
      for _, key in ipairs(page[2]) do found[#found + 1] = {key, redis.call('TTL', key)} end
    until cursor == '0'
    return found`;
  return redis.ask("EVAL", script, 0);
}

/** How many nodes hear a room. */
const hearers = async ({ redis }, room) => (await redis.ask("PUBSUB", "NUMSUB", `{collabflow}:room:${room}`))[1];

/** Ada and Ben on a node each, in the project and the channel. */
async function pair(options) {
  const cluster = await Cluster.start({ nodes: 2, ...options });
  const [board, ada, ben] = await cluster.board("Ada", "Ben");
  const clients = [await seatedAt(cluster.nodes[0], board, ada), await seatedAt(cluster.nodes[1], board, ben)];
  await board.chat(...clients);
  await board.settle(...clients);
  return { cluster, board, ada, ben, clients };
}

describe("an idle day", () => {
  it("of two nodes with nobody connected, and of one with many idle clients, is within the budget", async () => {
    const two = await Cluster.start({ nodes: 2 });
    const one = await Cluster.start({ nodes: 1 });
    const [board, ...users] = await one.board("Ada", "Ben");
    for (let i = 0; i < IDLE_CLIENTS; i++) {
      const client = await seatedAt(one.nodes[0], board, users[i % 2]);
      await board.chat(client);
    }
    const idle = (cluster) => calls(cluster, () => pause(IDLE));
    for (const counts of await Promise.all([two, one].map(idle))) {
      const daily = (total(counts) * DAY) / IDLE;
      assert.ok(daily < BUDGET, `${daily} commands a day: ${JSON.stringify(counts)}`);
    }
  });
});

describe("a busy room", () => {
  it("costs one script call for each durable event, and one message for each that is not", async () => {
    const { cluster, board, clients } = await pair();
    const task = await board.task();
    const channelId = board.channel._id;
    const of = { projectId: board.id, taskId: task._id };
    const durable = {
      "chat:message": (n) => ({ channelId, content: `Word ${n}` }),
      "task:create": (n) => ({ projectId: board.id, task: { title: `Task ${n}` } }),
      "task:update": (n) => ({ ...of, updates: { title: `Title ${n}` } }),
    };
    for (const [event, payload] of Object.entries(durable)) {
      const counts = await calls(cluster, async () => {
        for (let n = 0; n < EVENTS; n++) await clients[n % 2].do(event, payload(n));
      });
      const { evalsha, eval: others = 0 } = counts;
      assert.equal(evalsha, EVENTS, `${event}: ${JSON.stringify(counts)}`);
      // Each node looks every 40 s whether it has missed anything.
      assert.ok(others <= 2, `${event}: ${JSON.stringify(counts)}`);
    }
    const typing = await calls(cluster, async () => {
      for (let n = 0; n < EVENTS; n++) await clients[n % 2].do("chat:typing", { channelId, isTyping: n % 4 < 2 });
    });
    // The nodes say besides that they are alive.
    const { publish, ...others } = typing;
    assert.deepEqual(others, {});
    assert.ok(publish <= EVENTS + 5, `${publish} messages`);
  });

  it("waits for Redis once for many events, also where the way is long", async () => {
    const { cluster, board, clients } = await pair({ gates: true });
    const [author, listener] = clients;
    const many = Array.from({ length: MANY }, (_, n) => `Word ${n}`);
    cluster.nodes[0].gate.delay({ down: LONG_WAY });
    const began = performance.now();
    const counts = await calls(cluster, () =>
      Promise.all(many.map((content) => author.do("chat:message", { channelId: board.channel._id, content }))),
    );
    const took = performance.now() - began;
    assert.ok(took < (MANY * LONG_WAY) / 3, `it took ${took} ms`);
    assert.equal(counts.evalsha, MANY);
    for (const content of many) assert.equal((await listener.next("chat:newMessage")).content, content);
  });

  it("leaves no key that does not end by itself, and all have one hash tag", async () => {
    const { cluster, board, ben, clients } = await pair();
    await clients[0].do("join:workspace", board.workspace._id);
    const { task } = await clients[0].do("task:create", { projectId: board.id, task: { title: "Kept" }, clientId: "a" });
    await clients[1].do("task:move", { projectId: board.id, taskId: task._id, fromStatus: "todo", toStatus: "done" });
    await clients[1].do("chat:message", { channelId: board.channel._id, content: "Kept", clientId: "b" });
    await clients[0].do("task:delete", { projectId: board.id, taskId: task._id });
    clients[1].drop();
    await board.owner.rest.delete(`/api/projects/${board.id}/members/${ben._id}`);
    const all = await keys(cluster);
    assert.ok(all.length > 10, `${all.length} keys`);
    const endless = all.filter(([, seconds]) => seconds <= 0);
    assert.deepEqual(endless, []);
    const untagged = all.filter(([key]) => !key.startsWith("{collabflow}:"));
    assert.deepEqual(untagged, []);
  });

  it("is heard by those nodes alone where somebody is in it", async () => {
    const cluster = await Cluster.start({ nodes: 2 });
    const [board, ada] = await cluster.board("Ada");
    const room = `project:${board.id}`;
    assert.equal(await hearers(cluster, room), 0);
    const client = await seatedAt(cluster.nodes[0], board, ada);
    assert.equal(await hearers(cluster, room), 1);
    await client.do("leave:project", board.id);
    const nobody = async () => (await hearers(cluster, room)) === 0;
    await eventually("nobody hears it", nobody, { within: WITHIN });
    // A change by the other node, where nobody is in the room, is told all the same.
    await client.do("join:project", board.id);
    await at(cluster.nodes[1], ada).post("/api/tasks", { title: "Told", projectId: board.id });
    await client.find("task:created");
    assert.equal(await hearers(cluster, room), 1);
  });
});
