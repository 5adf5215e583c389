// Redis away under traffic, in each way in which it may be: a node goes on serving its own clients, says so, and when
// Redis is back everybody has every event of the outage once, or has been told to reload.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cluster, WITHIN, readiness, seatedAt } from "./support.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Redis } from "../lib/redis.mjs";
import { Rest } from "../lib/rest.mjs";

/** The contract's for an answer while Redis is away, and what a busy machine may add. */
const ANSWERED_WITHIN = 2_000 + 2_000;
/** The contract's for `/readyz`. */
const KNOWN_WITHIN = 5_000;

const AWAY = {
  "is frozen": {
    goes: ({ redis }) => redis.signal("SIGSTOP"),
    returns: ({ redis }) => redis.signal("SIGCONT"),
  },
  "is killed, and comes back empty": {
    goes: ({ redis }) => redis.kill9(),
    returns: ({ redis }) => redis.restart(),
  },
  "refuses scripts": {
    goes: ({ redis }) => redis.ask("ACL", "SETUSER", "collabflow", "-@scripting"),
    returns: ({ redis }) => redis.ask("ACL", "SETUSER", "collabflow", "+@scripting"),
  },
  "is out of memory": {
    goes: ({ redis }) => redis.ask("CONFIG", "SET", "maxmemory", "1"),
    returns: ({ redis }) => redis.ask("CONFIG", "SET", "maxmemory", "0"),
  },
  "is read-only": {
    goes: ({ redis }) => redis.ask("REPLICAOF", "127.0.0.1", "1"),
    returns: ({ redis }) => redis.ask("REPLICAOF", "NO", "ONE"),
  },
};

/** Fails unless it is done in time. */
async function soon(work) {
  const began = performance.now();
  const result = await work;
  assert.ok(performance.now() - began < ANSWERED_WITHIN, `it took ${performance.now() - began} ms`);
  return result;
}

const says = async (node, redis) => {
  const { status, body } = await readiness(node);
  const metrics = await new Rest(node.url).get("/metrics");
  const isUp = redis === "ok";
  assert.deepEqual([status, body.redis, body.store], [isUp ? 200 : 503, redis, "ok"]);
  assert.ok(metrics.includes(`collabflow_backplane_up ${Number(isUp)}\n`), "the gauge");
  return true;
};

/** What a client is told, as a page that reloads where it is told to. */
class Reader {
  heard = [];
  isResynced = { project: false, chat: false };
  users = 0;

  constructor(client) {
    this.client = client;
    client.socket.onAny((event, data) => {
      if (event === "room:resync") this.isResynced[data.room.split(":")[0]] = true;
      if (event === "room:users") this.users += 1;
      if (event === "task:created") this.heard.push(data.task.title);
      if (event === "chat:newMessage") this.heard.push(data.content);
    });
  }
}

/** Two people on each of two nodes, in the project and the channel; the first of each pair writes. */
async function scene(options) {
  const cluster = await Cluster.start({ nodes: 2, ...options });
  const [board, , ...users] = await cluster.board("Owner", "Ada", "Ben", "Cyd", "Dan");
  const pairs = [];
  for (const node of cluster.nodes) {
    const pair = [await seatedAt(node, board, users.shift()), await seatedAt(node, board, users.shift())];
    await board.chat(...pair);
    pairs.push(pair);
  }
  const clients = pairs.flat();
  await board.settle(...clients);
  return { cluster, board, pairs, clients, readers: clients.map((client) => new Reader(client)) };
}

/** The stamp of the last entry that this Redis has. */
const lastStamp = (redis) => redis.ask("HGET", "{collabflow}:clock", "t");

/** One task and one message by the first client of each pair: their names. */
async function write({ board, pairs }, word) {
  const names = pairs.map(async ([author], i) => {
    const [title, content] = [`task ${word} ${i}`, `chat ${word} ${i}`];
    await soon(author.do("task:create", { projectId: board.id, task: { title } }));
    await soon(author.do("chat:message", { channelId: board.channel._id, content }));
    return [title, content];
  });
  return (await Promise.all(names)).flat();
}

/** The rooms, by how what is told in them begins. */
const ROOMS = [
  ["project", "task"],
  ["chat", "chat"],
];

/**
 * Everybody has `all` once, or was told to reload and, in a room with presence, who is there: more often than `users`
 * says. Whoever was not told to reload saw one order. All that was acknowledged is stored.
 */
async function isMadeGood({ board, pairs, readers }, all, users) {
  for (const [i, reader] of readers.entries()) {
    const isDone = () => {
      for (const [room, prefix] of ROOMS) {
        // A writer has its own tasks by their acknowledgements.
        const isOwn = (name) => prefix === "task" && reader.client === pairs[name.at(-1)][0];
        const due = all.filter((name) => name.startsWith(prefix) && !isOwn(name));
        const heard = reader.heard.filter((name) => name.startsWith(prefix));
        assert.deepEqual(heard, [...new Set(heard)], "something was told twice");
        if (!reader.isResynced[room]) assert.deepEqual([...heard].sort(), due.sort());
      }
      if (reader.isResynced.project) assert.ok(reader.users > users[i], "room:users follows");
      return true;
    };
    await eventually(`client ${i} has everything, or was told to reload`, isDone, { within: WITHIN });
  }
  for (const [room, prefix] of ROOMS) {
    const whole = [1, 3].map((i) => readers[i]).filter((reader) => !reader.isResynced[room]);
    const orders = whole.map((reader) => reader.heard.filter((name) => name.startsWith(prefix)));
    for (const order of orders) assert.deepEqual(order, orders[0], "two orders were seen");
  }
  const titles = (await board.tasks()).map(({ title }) => title);
  const words = (await board.messages()).map(({ content }) => content);
  assert.deepEqual(all.filter((name) => ![...titles, ...words].includes(name)), [], "acknowledged and not stored");
}

describe("while Redis", () => {
  for (const [how, { goes, returns }] of Object.entries(AWAY)) {
    it(`${how}, each node serves its own, says so, and all is made good afterwards`, async () => {
      const stage = await scene();
      const { cluster, pairs, readers } = stage;
      const before = await write(stage, "before");
      await goes(cluster);
      const known = cluster.nodes.map((node) =>
        eventually("it says so", () => says(node, "unavailable"), { within: KNOWN_WITHIN }),
      );
      const during = [];
      for (let n = 0; n < 3; n++) during.push(...(await write(stage, `during ${n}`)));
      await Promise.all(known);
      during.push(...(await write(stage, "known")));
      // Each node's own clients have heard each other meanwhile.
      for (const i of pairs.keys()) {
        const own = during.filter((name) => name.endsWith(` ${i}`));
        const { heard } = readers[2 * i + 1];
        await eventually("a node's own are told", () => own.every((name) => heard.includes(name)), { within: WITHIN });
      }
      for (const node of cluster.nodes) assert.match(node.log(), /Redis is away/);
      const users = readers.map((reader) => reader.users);

      await returns(cluster);
      await Promise.all(
        cluster.nodes.map((node) => eventually("all is well", () => says(node, "ok"), { within: WITHIN })),
      );
      const after = await write(stage, "after");
      const all = [...before, ...during, ...after];
      await isMadeGood(stage, [...before, ...during, ...after], users);
    });
  }

  it("fails over to a replica that lacks the last events, these were told and what follows is told as well", async () => {
    const stage = await scene({ gates: true });
    const { cluster, readers } = stage;
    const replica = await Redis.start();
    try {
      await replica.ask("REPLICAOF", "127.0.0.1", cluster.redis.port);
      const before = await write(stage, "before");
      await eventually("it follows", async () => (await replica.ask("ROLE"))[3] === "connected");
      await eventually("it has all", async () => (await lastStamp(replica)) === (await lastStamp(cluster.redis)));
      await replica.ask("REPLICAOF", "NO", "ONE");
      const unseen = [...(await write(stage, "unseen")), ...(await write(stage, "unseen too"))];
      await isMadeGood(stage, [...before, ...unseen], []);
      const users = readers.map((reader) => reader.users);
      for (const { gate } of cluster.nodes) gate.lead(replica.port);
      const after = await write(stage, "after");
      await cluster.isWhole();
      after.push(...(await write(stage, "long after")));
      await isMadeGood(stage, [...before, ...unseen, ...after], users);
    } finally {
      await replica.kill9();
    }
  });

  it("is emptied under its connections, nothing is lost or told twice", async () => {
    const stage = await scene();
    const before = await write(stage, "before");
    await stage.cluster.redis.ask("FLUSHALL");
    const after = await write(stage, "after");
    await isMadeGood(stage, [...before, ...after], stage.readers.map(() => 0));
  });
});

describe("a node that is cut off from Redis", () => {
  for (const [how, goes] of Object.entries({
    "and cannot come back for a while": (gate) => gate.refuse(),
    "without noticing": (gate) => gate.hold(),
    "for a moment": (gate) => gate.cut(),
  })) {
    it(`${how} tells its clients afterwards what they have missed, without a reload`, async () => {
      const stage = await scene({ gates: true });
      const { cluster, pairs, readers } = stage;
      const [, there] = cluster.nodes;
      const before = await write(stage, "before");
      await isMadeGood(stage, before, []);
      goes(there.gate);
      const writers = { ...stage, pairs: pairs.slice(0, 1) };
      const during = [];
      for (let n = 0; n < 5; n++) during.push(...(await write(writers, `during ${n}`)));
      there.gate.open();
      await cluster.isWhole();
      const after = await write(stage, "after");
      await isMadeGood(stage, [...before, ...during, ...after], []);
      for (const reader of readers) assert.deepEqual(reader.isResynced, { project: false, chat: false });
    });
  }

  it("serves its own clients meanwhile, and what they did is made good afterwards", async () => {
    const stage = await scene({ gates: true });
    const { cluster, readers } = stage;
    const [, there] = cluster.nodes;
    const before = await write(stage, "before");
    there.gate.refuse();
    await eventually("it says so", () => says(there, "unavailable"), { within: KNOWN_WITHIN });
    const during = await write(stage, "during");
    const users = readers.map((reader) => reader.users);
    there.gate.open();
    await cluster.isWhole();
    const after = await write(stage, "after");
    await isMadeGood(stage, [...before, ...during, ...after], users);
  });
});
