// Socket.IO 5, case by case as in the official suite of the protocol (socketio/socket.io, docs/socket.io-protocol/
// v5-test-suite). Its Engine.IO part is in engine.test.mjs. Its server has a namespace /custom, tells each client the
// payload of its CONNECT, and echoes events with any arguments; ours has the namespace / alone, judges the token in the
// payload, and acknowledges events of its own. Each case says what stands in for what.
//
// | the suite's case | here |
// |---|---|
// | connect: main namespace; with a payload | "a CONNECT": "without a payload", "with a payload" |
// | connect: custom namespace; with a payload; unknown namespace | "a CONNECT": "for another namespace" |
// | connect: invalid handshake; no handshake | "a CONNECT": "junk in its place", "none in time" |
// | disconnect: main namespace; custom namespace | "a DISCONNECT": 2 |
// | message: plain text; binary; each with an ack | "an event": 4 |
// | message: unknown packet type; invalid payload; invalid ack id | "an event that is none": 3 |

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Board, people, serve } from "../contract/support.mjs";
import { PING, Wire, assertAlive, assertRefusal, calmServer, quickServer } from "./wire.mjs";

const [quick, calm] = await Promise.all([quickServer(), calmServer()]);
const [ada] = await people(quick, "Ada");
const [ben] = await people(calm, "Ben");
const board = await Board.of(ada);

describe("a CONNECT", () => {
  // The suite lets everybody in; we let in who has a token. What it is refused with tells that it was understood.
  it("without a payload is answered, and may be followed by a better one", async () => {
    const wire = await Wire.open(quick);
    wire.send("40");
    const refusal = { message: "Authentication required", data: { code: "unauthorized" } };
    assert.deepEqual(JSON.parse((await wire.next()).replace(/^44/, "")), refusal);
    await wire.join(ada.token);
    await assertAlive(wire);
    wire.end();
  });

  // `pid` is there because every client may come back by it (rejoin).
  it("with a payload joins the namespace", async () => {
    const wire = await Wire.open(quick);
    const reply = await wire.join(ada.token);
    assert.deepEqual(Object.keys(reply), ["sid", "pid"]);
    for (const id of Object.values(reply)) assert.equal(typeof id, "string");
    assert.notEqual(reply.sid, wire.handshake.sid, "the transport's id is a secret");
    await assertAlive(wire);
    wire.end();
  });

  // Also the cases of /custom, with a payload and without: here it is a namespace like any other that there is not.
  for (const [asked, name] of [
    ["40/random", "/random"],
    ["40/custom,", "/custom"],
    ['40/custom,{"token":"abc"}', "/custom"],
  ]) {
    it(`for another namespace is refused, and the connection stays: ${asked}`, async () => {
      const wire = await Wire.open(quick);
      wire.send(asked);
      assert.equal(await wire.next(), `44${name},{"message":"Invalid namespace"}`);
      await wire.join(ada.token);
      wire.end();
    });
  }

  it("must be one: junk in its place closes the connection", async () => {
    const wire = await Wire.open(calm);
    wire.send("4abc");
    await wire.closed();
  });

  // The suites' second, with heartbeats far off, so that it is none of them that closes.
  it("must come in time", async () => {
    const server = await serve({ COLLABFLOW_LIMITS__CONNECT_TIMEOUT: "1s" });
    const opened = Date.now();
    const wire = await Wire.open(server);
    assert.deepEqual(await wire.closed(), []);
    assert.ok(Date.now() - opened >= 1_000, "it had its second");
  });
});

describe("a DISCONNECT", () => {
  it("leaves the namespace, not the connection", async () => {
    const wire = await Wire.join(quick, ada.token, { beats: false });
    wire.send("41");
    assert.equal(await wire.next(), PING);
    wire.send("3", `40${JSON.stringify({ token: ada.token })}`);
    assert.match(await wire.next(), /^40\{"sid":/, "it may be joined again");
    wire.end();
  });

  // The suite leaves /custom and goes on in /. Here one never gets in there, and / does not mind either.
  it("of another namespace cannot be: that was not joined, and being refused there does / no harm", async () => {
    const wire = await Wire.join(calm, ben.token);
    wire.send("40/custom");
    assert.equal(await wire.next(), '44/custom,{"message":"Invalid namespace"}');
    await assertAlive(wire);
    wire.send("41/custom");
    await wire.closed();
  });
});

describe("an event", () => {
  const channelId = board.channel._id;
  const message = (content) => JSON.stringify({ channelId, content });

  /** A member of the channel. */
  async function member() {
    const wire = await Wire.join(quick, ada.token);
    wire.send(`421["chat:join","${channelId}"]`);
    assert.match(await wire.next(), /^431\[\{"ok":true/);
    return wire;
  }

  const UNSUPPORTED = "Binary attachments are not supported";
  const PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
  const ATTACHMENTS = [Uint8Array.from([1, 2, 3]), Uint8Array.from([4, 5, 6])];

  it("of plain text comes as an event to those whom it concerns", async () => {
    const wire = await member();
    const content = 'a "quote", \u{1f600} and \u001e';
    wire.send(`42["chat:message",${message(content)}]`);
    const heard = await wire.next();
    assert.match(heard, /^42\["chat:newMessage",\{/);
    assert.equal(JSON.parse(heard.slice(2))[1].content, content);
    wire.end();
  });

  // The contract refuses attachments, by an `error` event where no acknowledgement was asked for. They are taken in all
  // the same, so that what follows them is understood.
  it("with binary attachments is refused, with all of them", async () => {
    const wire = await member();
    wire.send(`452-["chat:message",${PLACEHOLDERS}]`, ...ATTACHMENTS);
    const [name, error] = JSON.parse((await wire.next()).slice(2));
    assert.deepEqual([name, error.event, error.message], ["error", "chat:message", UNSUPPORTED]);
    await assertAlive(wire);
    wire.end();
  });

  it("of plain text with an ack id is acknowledged with it", async () => {
    const wire = await member();
    wire.send(`42456["chat:typing",{"channelId":"${channelId}","isTyping":true}]`);
    assert.match(await wire.next(), /^43456\[\{"ok":true/);
    wire.end();
  });

  it("with binary attachments and an ack id is refused by it", async () => {
    const wire = await member();
    wire.send(`452-789["chat:message",${PLACEHOLDERS}]`, ...ATTACHMENTS);
    assert.equal(assertRefusal(await wire.next(), 789, "validation_failed"), UNSUPPORTED);
    await assertAlive(wire);
    wire.end();
  });
});

describe("an event that is none closes the connection:", () => {
  for (const [what, frame] of Object.entries({
    "an unknown type of packet": "4abc",
    "a payload that is no array": "42{}",
    "an ack id that is no number": '42abc["chat:join",1,"2",{"3":[false]}]',
  })) {
    it(what, async () => {
      const wire = await Wire.join(calm, ben.token);
      wire.send(frame);
      await wire.closed();
    });
  }
});
