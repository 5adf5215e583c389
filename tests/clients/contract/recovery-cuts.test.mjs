// Fifty cuts in a row, at random moments, under 200 durable events a second over two rooms: in one life of a session
// each event comes once and in order, over all its recoveries, and most of the cuts end in a recovery.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { inTime } from "../lib/eventually.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { Random, chooseSeed } from "../lib/random.mjs";
import { TRANSPORTS, connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";

const CUTS = 50;
const BEAT = 10; // each beat is one message and one change of a task: 200 events a second

/** One client behind a proxy, and what it hears in each of its lives: from one beginning afresh to the next. */
class Listener {
  lives = [];
  recoveries = 0;
  #arrived = () => {};

  static async start(server, board, user, transports) {
    const listener = new Listener();
    listener.board = board;
    listener.proxy = await Proxy.to(server.port);
    after(() => listener.proxy.close());
    listener.client = await connect(listener.proxy.url, user, {
      transports,
      kept: true,
      auth: { token: user.token, recovery: true },
      awaitUpgrade: false,
    });
    const { socket } = listener.client;
    socket.onAny((event, data, offset) => listener.#hear(event, data, offset));
    socket.on("connect", () => listener.#begin());
    listener.#begin();
    await listener.entered;
    return listener;
  }

  #begin() {
    if (this.client.socket.recovered) this.recoveries += 1;
    else {
      this.lives.push({ chat: [], task: [], offsets: [] });
      // One of them may be lost with the connection: then there is another life.
      this.entered = this.#enter().catch(() => {});
    }
    this.#arrived();
  }

  #enter() {
    const { board, client } = this;
    return Promise.all([client.do("chat:join", board.channel._id), client.do("join:project", board.id)]);
  }

  #hear(event, data, offset) {
    const life = this.lives.at(-1);
    if (event === "chat:newMessage") life.chat.push(Number(data.content));
    else if (event === "task:updated") life.task.push(data.version);
    else return;
    life.offsets.push(Number(offset));
  }

  /** Cuts, perhaps once more while the client comes back, and waits until it is there. */
  async cut(random) {
    const arrived = new Promise((resolve) => (this.#arrived = resolve));
    const way = random.chance(0.5) ? "hard" : "orderly";
    // Over polling a connection may be cut that carries nothing just now, which nobody would notice.
    while (this.client.socket.connected) {
      this.proxy.cut({ way, all: true });
      await pause(5);
    }
    if (random.chance(0.3)) {
      await pause(random.int(0, 100));
      this.proxy.cut({ way, all: true });
    }
    await inTime("the client is back", arrived, 20_000);
  }

  /** In each life, messages and versions without a hole, a repeat or a step back; offsets that only grow. */
  verify() {
    for (const { chat, task, offsets } of this.lives) {
      for (const told of [chat, task]) {
        for (let n = 1; n < told.length; n++) assert.equal(told[n], told[n - 1] + 1);
      }
      for (let n = 1; n < offsets.length; n++) assert.ok(offsets[n] > offsets[n - 1]);
    }
  }
}

describe("fifty cuts under 200 events a second", async () => {
  const server = await serve();
  const [ada, ben] = await people(server, "Ada", "Ben");
  const board = await Board.of(ada, ben);
  const task = await board.task();
  const writer = await connect(server.url, ada, { kept: true });
  after(() => writer.close());
  writer.socket.offAny();
  let next = 0;
  const beat = setInterval(() => {
    next += 1;
    const title = `beat ${next}`;
    writer.send("chat:message", { channelId: board.channel._id, content: String(next) });
    writer.send("task:update", { projectId: board.id, taskId: task._id, updates: { title } });
  }, BEAT);
  after(() => clearInterval(beat));

  for (const [way, transports] of Object.entries(TRANSPORTS)) {
    const random = new Random(chooseSeed());
    it(`${way}: each recovered session has each event once and in order`, async () => {
      const listener = await Listener.start(server, board, ben, transports);
      after(() => listener.client.close());
      for (let cuts = 0; cuts < CUTS; cuts++) {
        await pause(random.int(0, 300));
        await listener.cut(random);
      }
      // The last recovery is whole once something of after it is there, from both rooms.
      await listener.entered;
      const last = listener.lives.at(-1);
      const [heard, changed] = [last.chat.length, last.task.length];
      while (last.chat.length < heard + 50 || last.task.length < changed + 50) await pause(20);
      listener.verify();
      const share = `${listener.recoveries} of ${CUTS} cuts were recovered from (SEED=${random.seed})`;
      assert.ok(listener.recoveries >= 0.8 * CUTS, share);
    });
  }
});
