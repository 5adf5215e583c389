// Engine.IO 4, case by case as in the official suite of the protocol (socketio/socket.io, docs/engine.io-protocol/
// v4-test-suite), in its order and with its times. Its server echoes what it is sent; ours answers Socket.IO, so a
// message "comes back" here as the reply to a CONNECT or as an acknowledgement. Where a heartbeat would end the
// connection anyway, the case runs against a server whose heartbeats are far off.
//
// | the suite's case | here |
// |---|---|
// | handshake, polling: opens; EIO; transport; method | "a handshake by polling": 4 |
// | handshake, WebSocket: opens; EIO; transport | "a handshake by WebSocket": 3 |
// | message, polling: one text; several; text and binary; invalid; duplicate poll; cancelled poll | "messages by polling": 6 |
// | message, WebSocket: text; binary; invalid | "messages by WebSocket": 3 |
// | heartbeat: ping/pong and ping timeout, by either | "heartbeats": 4 |
// | close: by either | "a close": 2 |
// | upgrade: done; HTTP afterwards; WebSocket afterwards | "an upgrade": 3 |
//
// The Socket.IO suite repeats the handshake, heartbeat, close and upgrade cases word for word.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../lib/eventually.mjs";
import { people } from "../contract/support.mjs";
import { PING, Polls, Wire, assertAlive, assertRefusal, calmServer, path, quickServer } from "./wire.mjs";

const INTERVAL = 300;
const TIMEOUT = 200;

const [quick, calm] = await Promise.all([quickServer(), calmServer()]);
const [ada] = await people(quick, "Ada");
const CONNECT = `40${JSON.stringify({ token: ada.token })}`;

function assertHandshake({ sid, ...rest }, upgrades) {
  assert.equal(typeof sid, "string");
  assert.deepEqual(rest, { upgrades, pingInterval: INTERVAL, pingTimeout: TIMEOUT, maxPayload: 1_000_000 });
}

async function assertRefused(parameters, method = "GET") {
  const response = await fetch(quick.url + path(parameters), { method });
  assert.equal(response.status, 400);
}

async function assertNotOpened(parameters) {
  await assert.rejects(new Wire(quick, parameters).opened, /Unexpected server response: 400/);
}

/** Runs `attempt` anew while it says that its requests were overtaken, which proves nothing. */
async function untilInOrder(attempt) {
  for (let i = 0; i < 20; i++) if (await attempt()) return;
  assert.fail("the requests were always overtaken");
}

describe("a handshake by polling", () => {
  it("opens a session", async () => {
    const { handshake } = await Polls.open(quick);
    assertHandshake(handshake, ["websocket"]);
  });

  it("is refused without a known version of the protocol", async () => {
    await assertRefused({ EIO: undefined });
    await assertRefused({ EIO: "abc" });
  });

  it("is refused without a known transport", async () => {
    await assertRefused({ transport: undefined });
    await assertRefused({ transport: "abc" });
  });

  it("is refused unless it is a GET", async () => {
    await assertRefused({}, "POST");
    await assertRefused({}, "PUT");
  });
});

describe("a handshake by WebSocket", () => {
  it("opens a session", async () => {
    const wire = await Wire.open(quick);
    assertHandshake(wire.handshake, []);
    wire.end();
  });

  it("is refused without a known version of the protocol", async () => {
    await assertNotOpened({ EIO: undefined });
    await assertNotOpened({ EIO: "abc" });
  });

  it("is refused without a known transport", async () => {
    await assertNotOpened({ transport: undefined });
    await assertNotOpened({ transport: "abc" });
  });
});

describe("messages by polling", () => {
  it("are taken and sent: one packet of text", async () => {
    const polls = await Polls.open(quick);
    assert.deepEqual(await polls.post(CONNECT), { status: 200, body: "ok" });
    const [reply] = await polls.packets(1);
    assert.match(reply, /^40\{"sid":/);
  });

  it("are taken and sent: several packets of text, in their order", async () => {
    const polls = await Polls.open(quick);
    const events = [1, 2, 3].map((id) => `42${id}["no:such"]`);
    assert.deepEqual(await polls.post([CONNECT, ...events].join("\x1e")), { status: 200, body: "ok" });
    const heard = await polls.packets(4);
    assert.deepEqual(
      heard.map((packet) => packet.slice(0, 3)),
      ["40{", "431", "432", "433"],
    );
  });

  // Binary is taken as what it is, an attachment, though no event has a use for one.
  it("are taken: text and binary", async () => {
    const polls = await Polls.open(quick);
    const binary = ['451-5["chat:message",{"_placeholder":true,"num":0}]', "bAQIDBA=="];
    assert.deepEqual(await polls.post([CONNECT, ...binary, '426["no:such"]'].join("\x1e")), { status: 200, body: "ok" });
    const [, refused, next] = await polls.packets(3);
    assertRefusal(refused, 5, "validation_failed");
    assertRefusal(next, 6, "not_found");
  });

  it("end the session if one is no packet", async () => {
    const polls = await Polls.open(calm);
    assert.equal((await polls.post("abc")).status, 400);
    assert.equal((await polls.get()).status, 400);
  });

  it("end the session if they are polled for twice at once", () =>
    untilInOrder(async () => {
      const polls = await Polls.open(calm);
      // Either may arrive first: one of them waits and is told of the close, the other is refused.
      const answers = await Promise.all([polls.get(), polls.get()]);
      const [told, refused] = answers.sort((a, b) => a.status - b.status);
      assert.equal(refused.status, 400);
      assert.equal((await polls.get()).status, 400);
      if (told.status === 400) return false;
      assert.deepEqual(told, { status: 200, body: "1" });
      return true;
    }));

  it("end the session if the client cancels its poll", () =>
    untilInOrder(async () => {
      const polls = await Polls.open(calm);
      const given = new AbortController();
      const poll = polls.get({ signal: given.signal }).catch(() => "cancelled");
      // A request of its own says that the server has got round to what came before, most likely the poll too.
      assert.equal((await polls.post("3")).status, 200);
      await pause(5);
      given.abort();
      assert.equal(await poll, "cancelled");
      try {
        await eventually("the session is over", async () => (await polls.post("3")).status === 400, { within: 1_000 });
        return true;
      } catch {
        return false;
      }
    }));
});

describe("messages by WebSocket", () => {
  it("are taken and sent: text", async () => {
    const wire = await Wire.join(quick, ada.token);
    await assertAlive(wire);
    wire.end();
  });

  // As by polling: it is an attachment, and is taken as one.
  it("are taken: binary", async () => {
    const wire = await Wire.join(quick, ada.token);
    wire.send('451-5["chat:message",{"_placeholder":true,"num":0}]', Uint8Array.from([1, 2, 3, 4]));
    assertRefusal(await wire.next(), 5, "validation_failed");
    await assertAlive(wire);
    wire.end();
  });

  it("end the session if one is no packet", async () => {
    const wire = await Wire.open(calm);
    wire.send("abc");
    await wire.closed();
  });
});

describe("heartbeats", () => {
  it("by polling are answered and go on", async () => {
    const polls = await Polls.open(quick);
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await polls.get(), { status: 200, body: PING });
      assert.equal((await polls.post("3")).status, 200);
    }
  });

  // Time is what this case is about; a poll would fetch the ping, so the client can only wait.
  it("by polling end the session of a client that does not answer", async () => {
    const polls = await Polls.open(quick);
    await pause(INTERVAL + TIMEOUT + 250);
    assert.equal((await polls.get()).status, 400);
  });

  it("by WebSocket are answered and go on", async () => {
    const wire = await Wire.open(quick, { beats: false });
    for (let i = 0; i < 3; i++) {
      assert.equal(await wire.next(), PING);
      wire.send("3");
    }
    wire.end();
  });

  // It has joined the namespace, so that nothing else could end it.
  it("by WebSocket end the session of a client that does not answer", async () => {
    const wire = await Wire.join(quick, ada.token, { beats: false });
    const heard = await wire.closed();
    assert.deepEqual(heard, [PING]);
  });
});

describe("a close", () => {
  it("by polling ends the session and releases the poll", () =>
    untilInOrder(async () => {
      const polls = await Polls.open(calm);
      const [polled, posted] = await Promise.all([polls.get(), polls.post("1")]);
      assert.deepEqual(posted, { status: 200, body: "ok" });
      assert.equal((await polls.get()).status, 400);
      if (polled.status === 400) return false;
      assert.deepEqual(polled, { status: 200, body: "6" });
      return true;
    }));

  it("by WebSocket ends the session", async () => {
    const wire = await Wire.open(calm);
    wire.send("1");
    await wire.closed();
  });
});

describe("an upgrade", () => {
  /** A session that has gone from polling to a WebSocket. */
  async function upgraded() {
    const polls = await Polls.open(quick);
    const wire = new Wire(quick, { sid: polls.sid });
    await wire.opened;
    wire.send("2probe");
    assert.equal(await wire.next(), "3probe");
    return { polls, wire };
  }

  it("releases the poll, and goes on by WebSocket", async () => {
    const { polls, wire } = await upgraded();
    assert.deepEqual(await polls.get(), { status: 200, body: "6" });
    wire.send("5");
    await wire.join(ada.token);
    await assertAlive(wire);
    wire.end();
  });

  it("leaves nothing to be polled for, and polls do it no harm", async () => {
    const { polls, wire } = await upgraded();
    wire.send("5");
    await wire.join(ada.token);
    assert.equal((await polls.get()).status, 400);
    await assertAlive(wire);
    wire.end();
  });

  it("is done once: another WebSocket is closed, and does it no harm", async () => {
    const { polls, wire } = await upgraded();
    wire.send("5");
    const second = new Wire(quick, { sid: polls.sid });
    await assert.rejects(second.opened, /400/);
    await second.closed();
    await wire.join(ada.token);
    await assertAlive(wire);
    wire.end();
  });
});
