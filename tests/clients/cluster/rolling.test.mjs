// A rolling restart behind the HAProxy of `config/`, under traffic: each of three nodes is told to end, waited for, and
// started again, while people write and others watch. Nobody misses a task or message event or sees one twice, all see
// them in one order, and nobody seems to leave.

import assert from "node:assert/strict";
import { after, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "../contract/client.mjs";
import { Balancer } from "../lib/balancer.mjs";
import { eventually, inTime } from "../lib/eventually.mjs";
import { Cluster, WITHIN, at } from "./support.mjs";

/** Who watches: each is a user of its own, with one connection. */
const WATCHERS = ["websocket", "polling"].flatMap((transport) => [
  { name: `Stock ${transport}`, transports: [transport] },
  { name: `Recovering ${transport}`, transports: [transport], recovery: true },
]);
const EACH = 3;
/** How long a writer waits for an answer before it repeats itself. */
const ANSWERED_WITHIN = 3_000;
/** Between two changes of a writer. */
const PAUSE = 20;

const cluster = await Cluster.start({ nodes: 3, env: { COLLABFLOW_SHUTDOWN__DRAIN: "2s" } });
const named = (kind) => Array.from({ length: EACH }, (_, n) => ({ ...kind, name: `${kind.name} ${n}` }));
const watchers = WATCHERS.flatMap(named);
const [board, ...people] = await cluster.board("Ada", "Ben", "Cy", ...watchers.map(({ name }) => name));
const writers = people.splice(0, 3);
const balancer = await Balancer.start("haproxy", cluster.nodes.map(({ port }) => port));
after(() => balancer.stop());

/** A stock client with its own delays, which notes what it is told from when it has joined. */
class Watcher {
  heard = [];
  flickers = [];
  drops = [];

  constructor(user, { name, transports, recovery = false }) {
    Object.assign(this, { user, name, recovery });
    const auth = (give) => give({ token: user.token, ...(recovery && { recovery }) });
    const delays = { reconnectionDelay: 1_000, reconnectionDelayMax: 5_000 };
    this.client = new Client(balancer.url, user, { auth, transports, ...delays });
    const { socket } = this.client;
    socket.onAny((event, data) => {
      if (event === "chat:newMessage") this.heard.push(data.content);
      if (event === "task:created") this.heard.push(data.task.title);
      if (event === "task:updated") this.heard.push(`${data.taskId} v${data.version}`);
      if (["user:left", "user:joined"].includes(event)) this.flickers.push(`${event} ${data.userId}`);
      if (event === "room:resync") this.heard.push(`resync of ${data.room}`);
    });
    socket.on("disconnect", (reason) => this.drops.push({ reason }));
    socket.on("connect", () => Object.assign(this.drops.at(-1) ?? {}, { recovered: socket.recovered }));
  }

  /** What is not as it should be, in words. */
  complaints(all, order) {
    const { heard, flickers, drops, recovery } = this;
    const count = (name) => heard.filter((one) => one === name).length;
    return [
      ...all.filter((name) => count(name) === 0).map((name) => `misses ${name}`),
      ...[...new Set(heard)].filter((name) => count(name) > 1).map((name) => `has ${count(name)} times ${name}`),
      ...heard.filter((name) => !all.includes(name)).map((name) => `was told ${name}`),
      ...[true, false].flatMap((inChat) => difference(ofRoom(heard, inChat), ofRoom(order, inChat))),
      ...flickers,
      ...(drops.length === 0 ? ["was on no node"] : []),
      ...(recovery && !drops.every(({ recovered }) => recovered) ? [`did not recover: ${JSON.stringify(drops)}`] : []),
    ].map((wrong) => `${this.name} ${wrong}`);
  }

  async join() {
    await this.client.connected();
    await this.client.do("join:project", board.id);
    await board.chat(this.client);
  }
}

/** Says and changes one thing after the other until it is told to stop, each until it is acknowledged. */
class Writer {
  acknowledged = [];
  isWriting = true;

  async write(changes) {
    for (let n = 0; this.isWriting; n++) {
      await this.#once(changes[n % changes.length](n));
      await pause(PAUSE);
    }
  }

  /** Repeats what has no answer: it carries a `clientId`, or says which version it changes. */
  async #once(change) {
    for (;;) {
      const name = await change().catch(() => undefined);
      if (name) return this.acknowledged.push(name);
    }
  }
}

/** What somebody does over a socket. */
function bySocket(user, transports) {
  const client = new Client(balancer.url, user, { transports });
  const ask = async (event, payload) => {
    const ack = await client.socket.timeout(ANSWERED_WITHIN).emitWithAck(event, payload);
    if (!ack.ok) throw new Error(`${event}: ${JSON.stringify(ack)}`);
    return ack;
  };
  const say = (n) => async () => {
    const content = `${user.name} says ${n}`;
    await ask("chat:message", { channelId: board.channel._id, content, clientId: `${user.name}-${n}` });
    return content;
  };
  const make = (n) => async () => {
    const title = `${user.name} makes ${n}`;
    await ask("task:create", { projectId: board.id, task: { title }, clientId: `${user.name}-${n}` });
    return title;
  };
  return { client, changes: [say, make] };
}

/** What somebody does over REST: one task, changed again and again, and new ones. */
function byRest(user, task) {
  const rest = at(balancer, user);
  let { version } = task;
  const change = (n) => async () => {
    const title = `Title ${n}`;
    const matching = { "If-Match": `"${version}"` };
    const { status, body } = await rest.raw("PATCH", `/api/tasks/${task._id}`, { title }, matching);
    // A conflict is our own change, whose answer was lost.
    const changed = status === 409 ? body.task : body;
    assert.ok([200, 409].includes(status) && changed.title === title, JSON.stringify(body));
    version = changed.version;
    return `${task._id} v${version}`;
  };
  const make = (n) => async () => {
    const title = `${user.name} makes ${n}`;
    await rest.post("/api/tasks", { title, projectId: board.id }, { "Idempotency-Key": `${user.name}-${n}` });
    return title;
  };
  return { changes: [change, make] };
}

/** Each room has an order of its own. */
const ofRoom = (names, inChat) => names.filter((name) => name.includes(" says ") === inChat);

/** Where two begin to differ. */
function difference(heard, order) {
  const from = heard.findIndex((name, n) => name !== order[n]);
  return from === -1 ? [] : [`has ${heard.slice(from, from + 3)} where others have ${order.slice(from, from + 3)}`];
}

it("nobody notices a rolling restart", async () => {
  const watching = people.map((user, n) => new Watcher(user, watchers[n]));
  for (const watcher of watching) await watcher.join();
  const task = await board.task();
  const hands = [bySocket(writers[0], ["websocket"]), bySocket(writers[1], ["polling"]), byRest(writers[2], task)];
  for (const { client } of hands) if (client) await client.connected();
  const isHeard = (name) => () => watching.every(({ heard }) => heard.includes(name));
  await eventually("the first task is told", isHeard(task.title));
  for (const watcher of watching) Object.assign(watcher, { heard: [], flickers: [] });

  const writing = hands.map(({ changes }) => {
    const writer = new Writer();
    return { writer, done: writer.write(changes) };
  });
  const areAtIt = () => writing.every(({ writer }) => writer.acknowledged.length > 5);
  await eventually("all are at it", areAtIt, { within: WITHIN });
  for (const [n, node] of cluster.nodes.entries()) await restart(node, `ready/n${n + 1}`);
  for (const { writer } of writing) writer.isWriting = false;
  await inTime("the last change is acknowledged", Promise.all(writing.map(({ done }) => done)), WITHIN);

  const all = writing.flatMap(({ writer }) => writer.acknowledged);
  for (const name of all) await eventually(`"${name}" is told to all`, isHeard(name), { within: WITHIN });
  const [{ heard: order }] = watching;
  const wrong = watching.flatMap((watcher) => watcher.complaints(all, order));
  assert.deepEqual(wrong, []);
  const { users } = await watching[0].client.do("join:project", board.id);
  assert.deepEqual(new Set(users.map(({ _id }) => _id)), new Set(people.map(({ _id }) => _id)));
});

/** Ends a node, starts it again, and waits until HAProxy sends to it. */
async function restart(node, server) {
  const ups = () => balancer.log().split(`Server ${server} is UP`).length;
  const before = ups();
  node.signal("SIGTERM");
  assert.equal(await inTime("it ends", node.exited, WITHIN), 0);
  await eventually("HAProxy knows", () => balancer.log().includes(`Server ${server} is DOWN`), { within: WITHIN });
  await node.restart();
  await eventually("HAProxy sends to it again", () => ups() > before, { within: WITHIN });
}
