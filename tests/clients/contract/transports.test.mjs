// Five hundred numbered messages while the reader is on one transport or going from one to the other:
// none lost, doubled or out of order, whichever way they go. And the heartbeats of each transport.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NodeWebSocket, NodeXHR } from "engine.io-client";
import { connect } from "./client.mjs";
import { RawPolling, RawSocket } from "./raw.mjs";
import { Board, people, serve } from "./support.mjs";

const SENDERS = ["Ada", "Ben", "Cleo", "Dan", "Eve"];
const EACH = 100;
const IN_FLIGHT = 10;

const server = await serve();
const lively = await serve({ COLLABFLOW_ENGINE__PING_INTERVAL: "300ms", COLLABFLOW_ENGINE__PING_TIMEOUT: "200ms" });
const patient = await serve({ COLLABFLOW_ENGINE__PING_INTERVAL: "300ms", COLLABFLOW_ENGINE__PING_TIMEOUT: "4s" });
const [reader, ...senders] = await people(server, "Reader", ...SENDERS);
const [ada] = await people(patient, "Ada");

/** A WebSocket transport that opens when it is let, so that an upgrade falls into the traffic for certain. */
function lateWebSocket() {
  let open;
  const allowed = new Promise((resolve) => (open = resolve));
  class LateWebSocket extends NodeWebSocket {
    doOpen() {
      allowed.then(() => super.doOpen());
    }
  }
  return { LateWebSocket, open };
}

/** Sends `EACH` numbered messages, `IN_FLIGHT` at a time, each acknowledged. */
async function sendAll(client, channelId) {
  for (let n = 0; n < EACH; n += IN_FLIGHT) {
    const batch = Array.from({ length: IN_FLIGHT }, (_, i) => `${client.user.name} ${n + i}`);
    await Promise.all(batch.map((content) => client.do("chat:message", { channelId, content })));
  }
}

/** The next `count` messages that `client` hears; `each` is told how many there were. */
async function messages(client, count, each = () => {}) {
  const heard = [];
  while (heard.length < count) {
    heard.push(await client.next("chat:newMessage"));
    each(heard.length);
  }
  return heard;
}

/** Fails unless `heard` is each sender's messages, all of them, once and in order. */
function assertComplete(heard, names) {
  for (const name of names) {
    const own = heard.filter(({ sender }) => sender.name === name).map(({ content }) => content);
    assert.deepEqual(
      own,
      Array.from({ length: EACH }, (_, n) => `${name} ${n}`),
    );
  }
  assert.equal(heard.length, names.length * EACH);
}

/** Everybody on the channel of a new board. */
async function channel(options) {
  const board = await Board.of(reader, ...senders);
  const client = await connect(server.url, reader, options);
  const authors = await Promise.all(senders.map((user) => connect(server.url, user)));
  await board.chat(client, ...authors);
  return { board, client, authors, channelId: board.channel._id };
}

describe("five hundred numbered messages", () => {
  for (const [way, transports] of Object.entries({
    "over WebSocket": ["websocket"],
    "over polling alone": ["polling"],
  })) {
    it(`reach a reader ${way}, in the order in which they are stored`, async () => {
      const { board, client, authors, channelId } = await channel({ transports });
      const reading = messages(client, SENDERS.length * EACH);
      await Promise.all(authors.map((author) => sendAll(author, channelId)));
      const heard = await reading;
      assertComplete(heard, SENDERS);
      assert.equal(client.socket.io.engine.transport.name, transports[0]);
      assert.deepEqual(
        heard.map(({ _id }) => _id),
        (await board.messages()).map(({ _id }) => _id),
      );
      await board.chatSilent(client);
    });
  }

  it("reach a reader who goes from polling to WebSocket amid them", async () => {
    const { LateWebSocket, open } = lateWebSocket();
    const { board, client, authors, channelId } = await channel({
      transports: [NodeXHR, LateWebSocket],
      awaitUpgrade: false,
    });
    let before = 0;
    const upgraded = client.happens("upgrade", client.socket.io.engine).then(() => (before = count));
    let count = 0;
    const reading = messages(client, SENDERS.length * EACH, (n) => {
      count = n;
      if (n === 100) open();
    });
    await Promise.all(authors.map((author) => sendAll(author, channelId)));
    assertComplete(await reading, SENDERS);
    await upgraded;
    assert.ok(before >= 100 && before < SENDERS.length * EACH, `the upgrade came after ${before} messages`);
    await board.chatSilent(client);
  });

  it("sent by one who goes from polling to WebSocket amid them arrive as well", async () => {
    const { LateWebSocket, open } = lateWebSocket();
    const { board, client, channelId } = await channel();
    const mover = await connect(server.url, senders[0], { transports: [NodeXHR, LateWebSocket], awaitUpgrade: false });
    const upgraded = mover.happens("upgrade", mover.socket.io.engine);
    const total = SENDERS.length * EACH;
    const reading = messages(client, total, (n) => n === 100 && open());
    // One packet after the other, without waiting for an answer, as fast as the transport takes them.
    const acks = Array.from({ length: total }, (_, n) => mover.do("chat:message", { channelId, content: String(n) }));
    await Promise.all(acks);
    const numbers = Array.from({ length: total }, (_, n) => String(n));
    assert.deepEqual(
      (await reading).map(({ content }) => content),
      numbers,
    );
    await upgraded;
    await board.chatSilent(client);
  });

  it("are heard alike by twenty readers who come and upgrade at random moments", async () => {
    const { board, client, authors, channelId } = await channel();
    const all = messages(client, SENDERS.length * EACH);
    const late = [];
    const coming = (async () => {
      for (let i = 0; i < 20; i++) {
        const other = await connect(server.url, reader, { transports: ["polling", "websocket"], awaitUpgrade: false });
        await board.chat(other);
        late.push(other);
      }
    })();
    await Promise.all([coming, ...authors.map((author) => sendAll(author, channelId))]);
    const ids = (await all).map(({ _id }) => _id);
    const last = await board.say("last");
    for (const other of late) {
      const heard = [];
      for (let id; id !== last._id;) heard.push((id = (await other.next("chat:newMessage"))._id));
      assert.deepEqual(heard.slice(0, -1), ids.slice(ids.length - heard.length + 1));
    }
  });
});

describe("heartbeats", () => {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    it(`keep a client that answers them, and come an interval after its answer: ${transports}`, async () => {
      const client = await connect(patient.url, ada, { transports });
      const { id } = client;
      const times = [];
      while (times.push(performance.now()) <= 5) await client.happens("ping", client.socket.io);
      assert.equal(client.id, id);
      const gaps = times.slice(2).map((time, i) => time - times[i + 1]);
      for (const gap of gaps) assert.ok(gap > 200, `gaps of ${gaps} ms`);
      // However busy the machine, one of them is on time.
      assert.ok(Math.min(...gaps) < 2_000, `gaps of ${gaps} ms`);
    });
  }

  it("are announced in the handshake", async () => {
    const { handshake } = await RawPolling.open(lively.url);
    const { sid, ...rest } = handshake;
    assert.ok(sid.length >= 20);
    assert.deepEqual(rest, { upgrades: ["websocket"], pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 });
  });

  it("end a WebSocket that does not answer", async () => {
    const raw = await RawSocket.open(lively.url);
    await raw.closed(3_000);
    assert.deepEqual(raw.frames.slice(1), ["2"]);
  });

  it("end a polling session that does not answer", async () => {
    const raw = await RawPolling.open(lively.url);
    assert.equal((await raw.get()).body, "2");
    let last;
    do last = await raw.get();
    while (last.status === 200 && last.body !== "1");
    assert.equal((await raw.get()).status, 400);
  });

  it("are the server's to send: a ping from the client is an error", async () => {
    const raw = await RawSocket.open(lively.url);
    const sent = Date.now();
    raw.send("2");
    await raw.closed(3_000);
    assert.ok(Date.now() - sent < 300, "the close came with the heartbeat");
  });
});
