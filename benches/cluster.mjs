// What a cluster carries: 50 writers in one room on one of two nodes, with 5 ms added to each round trip to Redis.
// `cargo build --release && node benches/cluster.mjs`; `npm ci` in tests/clients installs what it needs. Starts its own
// mongod and redis-server. `--joined` puts the writers into the room too, so that each is told what all others do.

import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../tests/clients/lib/eventually.mjs";
import { makeProject, makeUsers } from "../tests/clients/lib/fixture.mjs";
import { Gate } from "../tests/clients/lib/gate.mjs";
import { Mongod } from "../tests/clients/lib/mongod.mjs";
import { Redis } from "../tests/clients/lib/redis.mjs";
import { startServer } from "../tests/clients/lib/server.mjs";

const WebSocket = createRequire(new URL("../tests/clients/package.json", import.meta.url))("ws");

const WRITERS = 50;
const ROUND_TRIP = 5;
const SECONDS = 10;
/** Typing events a second, by all writers together. */
const RATES = [2_500, 5_000, 7_500, 10_000];
/** Durable events that each writer has under way. */
const AT_ONCE = 8;
const TOLD = { "chat:typing": "chat:userTyping", "chat:message": "chat:newMessage", "task:update": "task:updated" };
const areJoined = process.argv.includes("--joined");
const UNLIMITED = Object.fromEntries(
  ["EVENTS_PER_SECOND", "EVENTS_BURST", "REQUESTS_PER_SECOND", "REQUESTS_BURST"].map((name) => [`COLLABFLOW_LIMITS__${name}`, "1000000"]),
);

/** A connection that counts what it is told by event, and parses acknowledgements alone. */
class Raw {
  told = {};
  #acks = new Map();
  #last = 0;

  static async open(node, { token }) {
    const raw = new Raw();
    raw.socket = new WebSocket(`${node.url.replace("http", "ws")}/ws?token=${token}`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => {
      raw.socket.once("error", reject);
      raw.socket.on("message", (frame) => {
        const head = frame.toString("latin1", 0, 40);
        const event = /"event":"([^"]+)"/.exec(head)[1];
        raw.told[event] = (raw.told[event] ?? 0) + 1;
        if (event === "session") return resolve();
        if (event !== "ack") return;
        const { id, data } = JSON.parse(frame.toString());
        raw.#acks.get(id)(data);
        raw.#acks.delete(id);
      });
    });
    return raw;
  }

  send(event, data, id) {
    this.socket.send(JSON.stringify({ event, data, id }));
  }

  async do(event, data) {
    const id = ++this.#last;
    const answer = new Promise((resolve) => this.#acks.set(id, resolve));
    this.send(event, data, id);
    const ack = await answer;
    if (!ack.ok) throw new Error(`${event}: ${JSON.stringify(ack)}`);
    return ack;
  }
}

/** The writers on one node, and a listener on another. */
async function scene(board, users, node, other) {
  const writers = await Promise.all(users.map((user) => Raw.open(node, user)));
  const listener = await Raw.open(other, users[0]);
  await listener.do("chat:join", board.channel._id);
  await listener.do("join:project", board.id);
  if (areJoined) for (const writer of writers) await writer.do("chat:join", board.channel._id);
  return { writers, listener };
}

const count = ({ told }, event) => told[event] ?? 0;
const hears = (listener, event, enough) =>
  eventually(`${enough} events on the other node`, () => count(listener, event) >= enough, { within: 60_000, every: 5 });

/** Sends typing at a steady rate; what reached the other node, by second, and how long the last took to get there. */
async function typing({ writers, listener }, channelId, rate) {
  const before = count(listener, TOLD["chat:typing"]);
  const began = performance.now();
  let sent = 0;
  for (;;) {
    const passed = (performance.now() - began) / 1000;
    if (passed >= SECONDS) break;
    for (; sent < passed * rate; sent++) {
      const isTyping = Math.floor(sent / WRITERS) % 2 === 0;
      writers[sent % WRITERS].send("chat:typing", { channelId, isTyping });
    }
    await pause(1);
  }
  const ended = performance.now();
  let lost = 0;
  await hears(listener, TOLD["chat:typing"], before + sent).catch(() => {
    lost = before + sent - count(listener, TOLD["chat:typing"]);
  });
  const last = performance.now();
  return { sent: Math.round(sent / SECONDS), carried: Math.round((sent - lost) / ((last - began) / 1000)), lost, lag: last - ended };
}

/** Every writer keeps some durable events under way; how many were acknowledged, by second. */
async function durable({ writers, listener }, event, payload) {
  const before = count(listener, TOLD[event]);
  const until = performance.now() + SECONDS * 1000;
  let done = 0;
  const began = performance.now();
  const lanes = writers.flatMap((writer, n) =>
    Array.from({ length: AT_ONCE }, async (_, lane) => {
      for (let i = 0; performance.now() < until; i++, done++) await writer.do(event, payload(n, `${lane}.${i}`));
    }),
  );
  await Promise.all(lanes);
  const passed = (performance.now() - began) / 1000;
  await hears(listener, TOLD[event], before + done);
  return { done, rate: Math.round(done / passed) };
}

const events = (board, tasks) => ({
  "chat:message": (_, word) => ({ channelId: board.channel._id, content: word }),
  "task:update": (n, word) => ({ projectId: board.id, taskId: tasks[n]._id, updates: { title: word } }),
});

const [mongod, redis] = await Promise.all([Mongod.start(), Redis.start()]);
const gates = [await Gate.to(redis.port), await Gate.to(redis.port)];
const env = { MONGODB_URI: mongod.uri("bench"), ...UNLIMITED };
const nodes = await Promise.all(gates.map(({ url }) => startServer({ env: { ...env, REDIS_URL: url } })));
const alone = await startServer({ env });
const [owner, ...users] = makeUsers(nodes[0].url, Array.from({ length: WRITERS + 1 }, (_, n) => `Writer ${n}`));
const { project } = await makeProject(owner, users);
const channel = await owner.rest.post("/api/channels", { name: "general", projectId: project._id });
const board = { id: project._id, channel };
const make = (_, n) => owner.rest.post("/api/tasks", { title: `Task ${n}`, projectId: board.id });
const tasks = await Promise.all(users.map(make));
const stage = await scene(board, users, ...nodes);
for (const gate of gates) gate.delay({ down: ROUND_TRIP });
console.log(`${WRITERS} writers${areJoined ? ", all in the room" : ""}, ${ROUND_TRIP} ms more to Redis and back, ${SECONDS} s each`);
for (const rate of RATES) {
  const { sent, carried, lost, lag } = await typing(stage, board.channel._id, rate);
  console.log(`chat:typing   ${sent}/s sent, ${carried}/s told on the other node, ${lost} lost, the last ${Math.round(lag)} ms late`);
}
const byItself = await scene(board, users, alone, alone);
for (const [event, payload] of Object.entries(events(board, tasks))) {
  await redis.ask("CONFIG", "RESETSTAT");
  const { done, rate } = await durable(stage, event, payload);
  const { evalsha } = await redis.calls();
  const reference = await durable(byItself, event, payload);
  console.log(`${event}  ${rate}/s, ${(evalsha / done).toFixed(3)} script calls each; ${reference.rate}/s on a node by itself`);
}
for (const { socket } of [stage, byItself].flatMap(({ writers, listener }) => [...writers, listener])) socket.terminate();
await Promise.all([...nodes, alone].map((node) => node.stop()));
gates.forEach((gate) => gate.close());
await redis.kill9();
await mongod.stop();
