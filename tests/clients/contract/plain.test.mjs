// Plain WebSocket at /ws: what Socket.IO's sessions can do, without Socket.IO.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../lib/eventually.mjs";
import { Rest } from "../lib/rest.mjs";
import { mint, mintToken, objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";
import { PlainClient } from "./plain-client.mjs";
import { Board, ISO_TIME, PAGE, people, seated, serve } from "./support.mjs";

const server = await serve({ COLLABFLOW_PRESENCE__GRACE: "60s" });
const [ada, ben] = await people(server, "Ada", "Ben");
const board = await Board.of(ada, ben);

const REQUIRED = "Authentication required";
const INVALID = "Invalid or expired token";

/** Sees a connection refused: one clear frame, and the close. */
async function turnedAway(client, message) {
  assert.deepEqual(await client.next("error"), { event: "auth", code: "unauthorized", message });
  assert.equal(await client.closed(), 4401);
  assert.equal(client.queue.length, 0);
}

describe("the token of a plain WebSocket", () => {
  const WAYS = {
    "in the address": (token) => new PlainClient(server.url, { query: `?token=${encodeURIComponent(token)}` }),
    "as a Bearer header": (token) => new PlainClient(server.url, { headers: { Authorization: `Bearer ${token}` } }),
    "as the first frame": (token) => {
      const client = new PlainClient(server.url);
      client.opened.then(() => client.send("auth", { token }));
      return client;
    },
  };
  for (const [way, open] of Object.entries(WAYS)) {
    it(`is taken ${way}, and the session is the first answer`, async () => {
      const { id, ...rest } = await open(ada.token).next("session");
      assert.match(rest.expiresAt, ISO_TIME);
      const { exp } = JSON.parse(Buffer.from(ada.token.split(".")[1], "base64url").toString());
      assert.deepEqual(rest, { userId: ada._id, expiresAt: new Date(exp * 1000).toISOString() });
      assert.equal(typeof id, "string");
    });

    for (const [what, token] of Object.entries({
      "signed with another secret": mintToken({ userId: ada._id }, "another"),
      "that has expired": mintToken({ userId: ada._id, exp: 1_000 }),
      "that is nonsense": "nonsense",
    })) {
      it(`${what} is refused ${way}`, () => turnedAway(open(token), INVALID));
    }
  }

  it("without an end is shown as null", async () => {
    const client = await PlainClient.of(ada, { token: mint(ada, {}) });
    assert.equal(client.session.expiresAt, null);
  });

  it("may come with an id, which is answered after the session", async () => {
    const client = new PlainClient(server.url);
    await client.opened;
    client.send("auth", { token: ada.token }, "first");
    await client.next("session");
    assert.deepEqual(await client.any(), { event: "ack", id: "first", data: { ok: true } });
  });

  for (const [what, frame] of Object.entries({
    "another event": JSON.stringify({ event: "join:project", data: board.id, id: 1 }),
    "an auth without a token": JSON.stringify({ event: "auth", data: {} }),
    "junk": "junk",
    "a binary frame": Buffer.from([1, 2, 3]),
  })) {
    it(`has to come first: ${what} is turned away`, async () => {
      const client = new PlainClient(server.url);
      await client.opened;
      client.socket.send(frame);
      await turnedAway(client, REQUIRED);
    });
  }

  it("has to come within limits.connect_timeout", async () => {
    const hasty = await serve({ COLLABFLOW_LIMITS__CONNECT_TIMEOUT: "300ms" });
    await turnedAway(new PlainClient(hasty.url), REQUIRED);
    await turnedAway(new PlainClient(hasty.url, { query: "?token=" }), REQUIRED);
  });

  it("is told of before its end, ends the connection, and can be changed for a fresh one", async () => {
    const ending = () => mintToken({ userId: ada._id, exp: Math.ceil(Date.now() / 1000) + 2 });
    const [doomed, saved] = [await PlainClient.of(ada, { token: ending() }), await PlainClient.of(ada, { token: ending() })];
    const { expiresAt } = doomed.session;
    assert.deepEqual(await doomed.next("auth:expiring"), { expiresAt });
    await saved.next("auth:expiring");
    assert.equal((await saved.refused("auth:refresh", { token: ben.token })).code, "unauthorized");
    assert.match((await saved.do("auth:refresh", { token: ada.token })).expiresAt, ISO_TIME);
    assert.deepEqual(await doomed.next("auth:expired"), { expiresAt });
    assert.ok(Date.now() >= Date.parse(expiresAt));
    assert.equal(await doomed.closed(), 4401);
    await saved.do("join:project", board.id);
  });
});

describe("frames", () => {
  it("with an id are answered by it, exactly as it was written", async () => {
    const client = await PlainClient.of(ada);
    await client.do("join:project", board.id);
    await client.next("room:users");
    for (const id of ["7", '"seven"', "1.50", '""', "-0"]) {
      client.raw = new Promise((resolve) => client.socket.once("message", (frame) => resolve(frame.toString())));
      client.socket.send(`{"id":${id},"event":"leave:workspace","data":"${board.workspace._id}"}`);
      assert.equal(await client.raw, `{"event":"ack","id":${id},"data":{"ok":true}}`);
    }
  });

  it("without an id are answered by an error event alone, where they fail", async () => {
    const client = await PlainClient.of(ada);
    client.send("chat:join", board.channel._id);
    client.send("join:project", objectId());
    const { event, code, message } = await client.next("error");
    assert.deepEqual({ event, code }, { event: "join:project", code: "not_found" });
    assert.equal(typeof message, "string");
  });

  for (const [what, frame, event, code] of [
    ["that are not JSON", "{", "message", "bad_json"],
    ["that are no object", "[1]", "message", "validation_failed"],
    ["without an event", "{}", "message", "validation_failed"],
    ["with an id of another kind", '{"event":"x","id":{}}', "message", "validation_failed"],
    ["with an unknown event", '{"event":"no:such"}', "no:such", "not_found"],
    ["without their data", '{"event":"task:create"}', "task:create", "validation_failed"],
    ["that are binary", Buffer.from("{}"), "message", "validation_failed"],
  ]) {
    it(`${what} are refused with ${code}, and harm nothing`, async () => {
      const client = await PlainClient.of(ada);
      client.socket.send(frame);
      const error = await client.next("error");
      assert.deepEqual({ event: error.event, code: error.code }, { event, code });
      await client.do("join:project", board.id);
    });
  }

  it("past limits.max_payload end the connection with 1009", async () => {
    const small = await serve({ COLLABFLOW_LIMITS__MAX_PAYLOAD: "2000" });
    const [cleo] = await people(small, "Cleo");
    const client = await PlainClient.of(cleo);
    client.send("x".repeat(1_900));
    await client.next("error");
    client.send("x".repeat(2_100));
    assert.equal(await client.closed(), 1009);
  });

  it("in a flood are refused, and a flood that goes on ends the connection", async () => {
    const strict = await serve({
      COLLABFLOW_LIMITS__EVENTS_BURST: "20",
      COLLABFLOW_LIMITS__EVENTS_PER_SECOND: "10",
    });
    const [cleo] = await people(strict, "Cleo");
    const client = await PlainClient.of(cleo);
    let over = false;
    const code = client.closed(15_000).finally(() => (over = true));
    while (!over) {
      for (let i = 0; i < 5; i++) client.socket.send("junk");
      await pause(20);
    }
    assert.equal(await code, 1008);
    assert.ok(client.queue.some(({ data }) => data?.code === "rate_limited"));
  });
});

describe("a plain WebSocket in a room with Socket.IO", () => {
  it("sees and causes the same events", async () => {
    const [ada, ben] = await people(server, "Ada", "Ben");
    const board = await Board.of(ada, ben);
    const [stock] = await seated(board, [ben]);
    const plain = await PlainClient.of(ada);
    const { users } = await plain.do("join:project", board.id);
    assert.equal(users.length, 2);
    assert.deepEqual((await plain.next("room:users")).projectId, board.id);
    assert.deepEqual(await stock.next("user:joined"), { userId: ada._id, user: ada.face, projectId: board.id });

    const { task } = await plain.do("task:create", { projectId: board.id, task: { title: "Plain" } });
    const created = await stock.next("task:created");
    assert.deepEqual(created, { task, createdBy: ada.face });
    const place = { projectId: board.id, taskId: task._id };
    await stock.do("task:update", { ...place, updates: { title: "Stock" } });
    const updated = await plain.next("task:updated");
    assert.deepEqual({ ...updated, version: 0 }, { taskId: task._id, updates: { title: "Stock" }, updatedBy: ben.face, version: 0 });
    const conflict = await plain.ask("task:move", { ...place, fromStatus: "todo", toStatus: "done", expectedVersion: 0 });
    assert.deepEqual([conflict.ok, conflict.error.code, conflict.task.title], [false, "conflict", "Stock"]);
    await plain.do("task:move", { ...place, fromStatus: "todo", toStatus: "done" });
    assert.equal((await stock.next("task:moved")).toStatus, "done");
    await plain.do("task:delete", place);
    assert.deepEqual(await stock.next("task:deleted"), { taskId: task._id, deletedBy: ada.face });

    await board.chat(stock, plain);
    await plain.do("chat:typing", { channelId: board.channel._id, isTyping: true });
    assert.equal((await stock.next("chat:userTyping")).userId, ada._id);
    const { message } = await plain.do("chat:message", { channelId: board.channel._id, content: "hello" });
    assert.deepEqual(await plain.next("chat:newMessage"), message);
    assert.deepEqual(await stock.find("chat:newMessage"), message);
    await board.silent(plain);
    await plain.do("leave:project", board.id);
    await stock.find("user:left", ({ userId }) => userId === ada._id);
  });

  it("is left out of its own REST changes by its X-Socket-Id", async () => {
    const [mine, other] = [await PlainClient.of(ada), await PlainClient.of(ada)];
    await board.gather(mine, other);
    const { title } = await board.task({ title: "By REST" }, { "X-Socket-Id": mine.id });
    assert.equal((await other.next("task:created")).task.title, title);
    await board.silent(mine);
  });

  it("is the same presence as its user's other tabs", async () => {
    const [watcher, tab] = await seated(board, [ben, ada]);
    await board.settle(watcher, tab);
    const plain = await PlainClient.of(ada);
    await plain.do("join:project", board.id);
    await plain.do("leave:project", board.id);
    await board.silent(watcher);
  });

  for (const [what, end, isGoodbye] of [
    ["a close with 1000", (socket) => socket.close(1000), true],
    ["a close without a code", (socket) => socket.close(), false],
    ["a close with 1001", (socket) => socket.close(1001), false],
    ["a broken connection", (socket) => socket.terminate(), false],
  ]) {
    it(`${what} is ${isGoodbye ? "a goodbye, told at once" : "a drop, which has its grace"}`, async () => {
      const [host, guest] = await people(server, "Host", "Guest");
      const place = await Board.of(host, guest);
      const [watcher] = await seated(place, [host]);
      const plain = await PlainClient.of(guest);
      await plain.do("join:project", place.id);
      await watcher.next("user:joined");
      end(plain.socket);
      await plain.ended;
      if (isGoodbye) assert.deepEqual(await watcher.next("user:left"), { userId: guest._id, projectId: place.id });
      // `ended` is the close of TCP, which the server begins once it has told.
      await place.silent(watcher);
    });
  }

  it("has left once the grace of its drop is over", async () => {
    const brisk = await serve({ COLLABFLOW_PRESENCE__GRACE: "300ms" });
    const [host, guest] = await people(brisk, "Host", "Guest");
    const place = await Board.of(host, guest);
    const [watcher] = await seated(place, [host]);
    const plain = await PlainClient.of(guest);
    await plain.do("join:project", place.id);
    await watcher.next("user:joined");
    plain.socket.terminate();
    assert.deepEqual(await watcher.next("user:left"), { userId: guest._id, projectId: place.id });
  });

  it("does not come back: a new connection is in no room", async () => {
    const first = await PlainClient.of(ada);
    await first.do("join:project", board.id);
    first.socket.terminate();
    const second = await PlainClient.of(ada);
    assert.notEqual(second.id, first.id);
    await board.task();
    second.send("no:such");
    await second.next("error");
  });
});

describe("the connection of a plain WebSocket", () => {
  it("is pinged, and closed where no pong comes", async () => {
    const brisk = await serve({ COLLABFLOW_ENGINE__PING_INTERVAL: "200ms", COLLABFLOW_ENGINE__PING_TIMEOUT: "1s" });
    const [cleo] = await people(brisk, "Cleo");
    const [alive, silent] = [await PlainClient.of(cleo), await PlainClient.of(cleo, { autoPong: false })];
    await silent.closed();
    await eventually("the other one goes on", () => alive.pings > 6);
    assert.equal((await alive.refused("join:project", objectId())).code, "not_found");
  });

  it("answers the client's pings", async () => {
    const client = await PlainClient.of(ada);
    const answered = new Promise((resolve) => client.socket.once("pong", (data) => resolve(data.toString())));
    client.socket.ping("are you there");
    assert.equal(await answered, "are you there");
  });

  it("is one of limits.connections", async () => {
    const narrow = await serve({ COLLABFLOW_LIMITS__CONNECTIONS: "2" });
    const first = new PlainClient(narrow.url);
    assert.equal(await first.opened, "open");
    const second = new PlainClient(narrow.url);
    assert.equal(await second.opened, "open");
    assert.equal(await new PlainClient(narrow.url).opened, 503);
    first.socket.terminate();
    await eventually("there is room again", async () => (await new PlainClient(narrow.url).opened) === "open");
  });

  for (const [what, options, answer] of [
    ["an allowed page", { origin: PAGE }, "open"],
    ["the server's own page", { origin: server.url }, "open"],
    ["another page", { origin: "https://evil.example.org" }, 403],
  ]) {
    it(`may ${answer === "open" ? "" : "not "}be opened by ${what}`, async () => {
      assert.equal(await new PlainClient(server.url, options).opened, answer);
    });
  }

  it("asks for an upgrade where there is none", async () => {
    const rest = new Rest(server.url);
    assert.equal((await rest.raw("GET", "/ws")).status, 426);
    assert.equal((await rest.raw("POST", "/ws", {})).status, 405);
  });

  it("ends with the server, with 1001", async () => {
    const mortal = await serve();
    const [cleo] = await people(mortal, "Cleo");
    const [session, stranger] = [await PlainClient.of(cleo), new PlainClient(mortal.url)];
    await stranger.opened;
    const codes = Promise.all([session.closed(), stranger.closed()]);
    await mortal.stop();
    assert.deepEqual(await codes, [1001, 1001]);
  });
});
