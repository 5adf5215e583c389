// SIGTERM: sessions are closed in batches by their transport alone, so that stock clients come back by themselves; what
// was acknowledged is stored, and what was told arrives.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually, inTime } from "../lib/eventually.mjs";
import { connect } from "./client.mjs";
import { PlainClient } from "./plain-client.mjs";
import { POLLING, RawPolling, RawSocket } from "./raw.mjs";
import { Board, people, serve } from "./support.mjs";

const UNLIMITED = Object.fromEntries(
  ["REQUESTS_PER_SECOND", "REQUESTS_BURST", "EVENTS_PER_SECOND", "EVENTS_BURST"].map((limit) => [
    `COLLABFLOW_LIMITS__${limit}`,
    "100000",
  ]),
);

const status = async (url, options) => (await fetch(url, options)).status;

/** Waits until the server is draining. */
const draining = (server) => eventually("the server is unready", async () => (await status(`${server.url}/readyz`)) === 503);

/** Signals, and gives the exit code and how long it took. */
async function ended(server, patience = 20_000) {
  const start = Date.now();
  server.signal("SIGTERM");
  const code = await inTime("the server ends", server.exited, patience);
  return { code, took: Date.now() - start };
}

for (const [way, transports] of Object.entries({
  WebSocket: ["websocket"],
  polling: ["polling"],
  "an upgraded connection": ["polling", "websocket"],
})) {
  it(`a client over ${way} sees its transport close, and comes back to the next server`, async () => {
    const server = await serve();
    const [ada] = await people(server, "Ada");
    const board = await Board.of(ada);
    const client = await connect(server.url, ada, { transports });
    await client.do("join:project", board.id);
    const { task } = await client.do("task:create", { projectId: board.id, task: { title: "Kept" } });

    const closed = client.happens("disconnect");
    const { code, took } = await ended(server);
    assert.equal(code, 0);
    assert.equal((await closed)[0], "transport close");
    assert.ok(took < 3_000, `one session needs no batches: ${took} ms`);

    await server.restart();
    await client.connected();
    await client.do("join:project", board.id);
    assert.equal((await board.stored(task)).title, "Kept");
  });
}

it("a plain WebSocket is told everything, and then closed with 1001", async () => {
  const server = await serve();
  const [ada, ben] = await people(server, "Ada", "Ben");
  const board = await Board.of(ada, ben);
  const plain = await PlainClient.of(ben);
  await plain.do("join:project", board.id);
  const task = await board.task({ title: "Told" });
  const { code } = await ended(server);
  assert.equal(code, 0);
  assert.equal(await inTime("it is closed", plain.ended), 1001);
  assert.deepEqual(plain.queue.filter(({ event }) => event === "task:created").map(({ data }) => data.task._id), [task._id]);
});

for (const [how, env, asks] of [
  ["it has asked to", {}, true],
  ["all can (recovery.mode = always)", { COLLABFLOW_RECOVERY__MODE: "always" }, false],
]) {
  it(`a session that can recover, as ${how}, is closed by its transport, and goes on at the next server as a new one`, async () => {
    const server = await serve(env);
    const [ada, ben] = await people(server, "Ada", "Ben");
    const board = await Board.of(ada, ben);
    const writer = await connect(server.url, ada, { reconnection: false });
    const client = await connect(server.url, ben, { auth: { token: ben.token, ...(asks && { recovery: true }) } });
    await client.next("session");
    await client.do("join:project", board.id);
    await client.next("room:users");
    const { task } = await writer.do("task:create", { projectId: board.id, task: { title: "Kept" } });
    const { args } = await client.any("task:created");
    assert.deepEqual([args[0].task._id, typeof args[1]], [task._id, "string"]);

    const closed = client.happens("disconnect");
    const before = client.id;
    assert.equal((await ended(server)).code, 0);
    assert.equal((await closed)[0], "transport close");
    assert.deepEqual(client.take(), [], "nothing is said but the close");
    // One node keeps its logs in memory: what the next one cannot prove complete is not recovered.
    const back = client.happens("connect");
    await server.restart();
    await back;
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, before);
    assert.equal((await client.next("session")).userId, ben._id);
    await client.do("join:project", board.id);
    assert.equal((await board.stored(task)).title, "Kept");
    const { task: later } = await client.do("task:create", { projectId: board.id, task: { title: "After" } });
    assert.equal((await board.stored(later)).title, "After");
  });
}

it("Ctrl-C drains too", async () => {
  const server = await serve();
  const [ada] = await people(server, "Ada");
  const client = await connect(server.url, ada, { reconnection: false });
  const closed = client.happens("disconnect");
  server.signal("SIGINT");
  assert.equal((await closed)[0], "transport close");
  assert.equal(await inTime("the server ends", server.exited), 0);
});

it("everything that was acknowledged under traffic is stored, and nothing else ends the traffic", async () => {
  const server = await serve(UNLIMITED);
  const [ada, ben] = await people(server, "Ada", "Ben");
  const board = await Board.of(ada, ben);
  const clients = await Promise.all(
    [["websocket"], ["polling"], ["websocket"], ["polling"]].map((transports, n) =>
      connect(server.url, n % 2 ? ada : ben, { transports, reconnection: false }),
    ),
  );
  const acknowledged = new Set();
  const writing = clients.map(async (client, n) => {
    const gone = client.happens("disconnect");
    let isOpen = true;
    gone.then(() => (isOpen = false));
    for (let number = 0; isOpen; number += 1) {
      const title = `${n}-${number}`;
      const made = client.ask("task:create", { projectId: board.id, task: { title } }).catch(() => null);
      const ack = await Promise.race([made, gone.then(() => null)]);
      if (ack) assert.equal(ack.ok, true, JSON.stringify(ack));
      if (ack) acknowledged.add(title);
    }
    return (await gone)[0];
  });
  await eventually("writing is under way", () => acknowledged.size > 100);
  const { code } = await ended(server);
  assert.equal(code, 0);
  assert.deepEqual(await Promise.all(writing), Array(4).fill("transport close"));
  await server.restart();
  const stored = new Set((await board.tasks()).map(({ title }) => title));
  for (const title of acknowledged) assert.ok(stored.has(title), `${title} was acknowledged`);
});

describe("while it drains", () => {
  it("nobody new is let in, and those who are still there go on undisturbed until their turn", async () => {
    const server = await serve({ COLLABFLOW_SHUTDOWN__DRAIN: "20s" });
    const [ada] = await people(server, "Ada");
    const board = await Board.of(ada);
    const clients = await Promise.all(
      Array.from({ length: 14 }, (_, n) =>
        connect(server.url, ada, { transports: [n % 2 ? "polling" : "websocket"], reconnection: false }),
      ),
    );
    await board.gather(...clients);
    const reasons = [];
    for (const client of clients) client.socket.once("disconnect", (reason) => reasons.push(reason));
    const start = Date.now();
    server.signal("SIGTERM");
    await draining(server);
    await eventually("the first batch is gone", () => reasons.length === 10, { every: 5 });
    const left = clients.filter((client) => client.socket.connected);
    assert.equal(left.length, 4);

    const ready = await fetch(`${server.url}/readyz`);
    assert.deepEqual([ready.status, await ready.json()], [503, { status: "draining", store: "ok" }]);
    assert.equal(await status(`${server.url}/healthz`), 200);
    const refused = await fetch(`${server.url}${POLLING}`);
    assert.equal(refused.status, 503);
    assert.match(refused.headers.get("retry-after"), /^\d+$/);
    const upgrade = new RawSocket(server.url);
    const [, answer] = await inTime("the handshake is refused", new Promise((done) => upgrade.socket.once("unexpected-response", (...all) => done(all))));
    assert.equal(answer.statusCode, 503);
    assert.match(answer.headers["retry-after"], /^\d+$/);
    upgrade.end();

    const { task } = await left[0].do("task:create", { projectId: board.id, task: { title: "Late" } });
    for (const client of left.slice(1)) assert.equal((await client.next("task:created")).task._id, task._id);
    assert.equal((await ada.rest.get(`/api/tasks/${task._id}`)).title, "Late");
    assert.ok(left.every((client) => client.socket.connected));

    assert.equal(await inTime("the server ends", server.exited, 20_000), 0);
    const took = Date.now() - start;
    assert.ok(took >= 2_000 && took < 20_000, `two batches, a tenth of the time apart: ${took} ms`);
    assert.deepEqual(reasons, Array(14).fill("transport close"));
    for (const client of left) {
      assert.deepEqual(client.take().filter(({ event }) => event.startsWith("user:")), [], "nobody has left");
    }
  });

  it("a second signal ends it at once, and not with 0", async () => {
    const server = await serve({ COLLABFLOW_SHUTDOWN__DRAIN: "10m" });
    const [ada] = await people(server, "Ada");
    // It never polls, and so is waited for.
    const silent = await RawPolling.open(server.url);
    await silent.post(`40${JSON.stringify({ token: ada.token })}`);
    server.signal("SIGTERM");
    await draining(server);
    server.signal("SIGTERM");
    assert.equal(await inTime("the server ends", server.exited, 5_000), 1);
  });

  it("one that never takes what waits for it does not hold it up for long", async () => {
    const server = await serve({ COLLABFLOW_SHUTDOWN__DRAIN: "2s" });
    const [ada] = await people(server, "Ada");
    const silent = await RawPolling.open(server.url);
    await silent.post(`40${JSON.stringify({ token: ada.token })}`);
    const socket = await RawSocket.open(server.url, { token: ada.token });
    socket.socket._socket.pause();
    const { code, took } = await ended(server);
    assert.equal(code, 0);
    assert.ok(took < 5_000, `${took} ms`);
    socket.end();
  });

  it("a socket that is full gets everything that waits for it before it is closed", async () => {
    const server = await serve({ ...UNLIMITED, COLLABFLOW_LIMITS__OUTBOX_BYTES: "20000000", COLLABFLOW_SHUTDOWN__DRAIN: "50s" });
    const [ada, ben] = await people(server, "Ada", "Ben");
    const board = await Board.of(ada, ben);
    const writer = await connect(server.url, ada, { reconnection: false });
    const reader = await RawSocket.open(server.url, { token: ben.token });
    reader.send(`421["chat:join","${board.channel._id}"]`);
    await reader.hears(/^431\[\{"ok":true/);
    reader.socket._socket.pause();
    let sent = 0;
    const content = "x".repeat(4_000);
    const queued = async () => Number(/^collabflow_queue_bytes (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())[1]);
    while ((await queued()) < 1_000_000) {
      const said = Array.from({ length: 250 }, () => writer.do("chat:message", { channelId: board.channel._id, content }));
      sent += (await Promise.all(said)).length;
    }
    server.signal("SIGTERM");
    await draining(server);
    reader.socket._socket.resume();
    assert.equal(await reader.closed(), 1001);
    const heard = reader.frames.filter((frame) => frame.startsWith('42["chat:newMessage"'));
    assert.equal(heard.length, sent);
    assert.equal(await inTime("the server ends", server.exited, 20_000), 0);
  });
});
describe("over plain WebSocket", () => {
  it("a session is closed with 1001 after all that waits for it, and its user has not left", async () => {
    const server = await serve();
    const [ada, ben] = await people(server, "Ada", "Ben");
    const board = await Board.of(ada, ben);
    const plain = await PlainClient.of(ada);
    const beside = await PlainClient.of(ben);
    await board.gather(plain, beside);
    plain.send("task:create", { projectId: board.id, task: { title: "Last" } }, "last");
    // Told to the other, and so stored and on its way to both.
    assert.equal((await beside.next("task:created")).task.title, "Last");
    const { code, took } = await ended(server);
    assert.equal(code, 0);
    assert.ok(took < 5_000, `nobody has to be waited for: ${took} ms`);
    assert.equal(await plain.closed(), 1001);
    assert.equal(await beside.closed(), 1001);
    const { event, id, data } = await plain.any("the answer");
    assert.deepEqual([event, id, data.ok], ["ack", "last", true]);
    assert.deepEqual([...plain.queue, ...beside.queue], [], "nothing is said but the close");
  });

  it("while it drains nobody new is let in, and those who are there go on until their turn", async () => {
    const server = await serve({ COLLABFLOW_SHUTDOWN__DRAIN: "20s" });
    const [ada] = await people(server, "Ada");
    const board = await Board.of(ada);
    const clients = await Promise.all(Array.from({ length: 12 }, () => PlainClient.of(ada)));
    await board.gather(...clients);
    const codes = new Map();
    for (const client of clients) client.ended.then((code) => codes.set(client, code));
    server.signal("SIGTERM");
    await draining(server);
    await eventually("the first batch is gone", () => codes.size === 10, { every: 5 });
    const [author, listener] = clients.filter((client) => !codes.has(client));
    const late = new PlainClient(server.url, { query: `?token=${ada.token}` });
    const [, refusal] = await inTime("the handshake is refused", new Promise((done) => late.socket.once("unexpected-response", (...all) => done(all))));
    assert.equal(refusal.statusCode, 503);
    assert.match(refusal.headers["retry-after"], /^\d+$/);
    const { task } = await author.do("task:create", { projectId: board.id, task: { title: "Late" } });
    assert.equal((await listener.next("task:created")).task._id, task._id);
    assert.equal(await inTime("the server ends", server.exited, 20_000), 0);
    await Promise.all(clients.map((client) => client.closed()));
    assert.deepEqual([...codes.values()], Array(12).fill(1001));
  });
});
