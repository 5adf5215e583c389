// Rule 6, slow readers: one member of twenty stops reading what it is told, 16 KiB a hundred times a second. It is closed,
// the server keeps no more for it than its outbox may hold, and the others hear everything as fast as before.

import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../lib/eventually.mjs";
import { p99, resident } from "../lib/memory.mjs";
import { connect } from "./client.mjs";
import { RawPolling, RawSocket } from "./raw.mjs";
import { Board, people, serve } from "./support.mjs";

const OUTBOX = 1_000_000;
const SLACK = 2 * 1024 * 1024;
const CLOSED_WITHIN = 15_000;
/** What a busy machine may take in any case. */
const FLOOR = 100;
const MEMBERS = 20;
/** With four bytes to a character, 16 KiB in all. */
const FILLING = "\u{1f600}".repeat(3_990);
const NUMBER = /"content":"(\d+) /;

/** Who reads is left alone; `stop` makes a reader stop reading. */
const READERS = {
  "over WebSocket": async (server, user, projectId) => {
    const raw = await reader(server, user, projectId);
    return () => raw.socket.pause();
  },
  "over polling": async (server, user, projectId) => {
    const raw = await RawPolling.open(server.url);
    await raw.post(`40${JSON.stringify({ token: user.token })}`);
    for (const room of ["join:project", "chat:join"]) await raw.post(`421["${room}","${projectId}"]`);
    let reads = true;
    const polling = (async () => {
      while (reads) await raw.get();
    })();
    return async () => {
      reads = false;
      await polling;
    };
  },
};

/** A member that reads and keeps nothing. */
async function reader({ url }, { token }, projectId, hear = () => {}) {
  const raw = await RawSocket.open(url, { token });
  raw.socket.removeAllListeners("message");
  raw.socket.on("message", (frame) => (frame.length === 1 ? raw.send("3") : hear(frame.toString())));
  for (const room of ["join:project", "chat:join"]) raw.send(`421["${room}","${projectId}"]`);
  return raw;
}

for (const [how, open] of Object.entries(READERS)) {
  it(`one ${how} is closed, and nobody else notices`, async () => {
    const server = await serve({ COLLABFLOW_PRESENCE__GRACE: "0s" });
    const [ada, ben, cyd] = await people(server, "Ada", "Ben", "Cyd");
    const board = await Board.of(ada, ben, cyd);
    const sentAt = [];
    let delays = [];
    const hear = (frame) => {
      const number = NUMBER.exec(frame)?.[1];
      if (number) delays.push(performance.now() - sentAt[number]);
    };
    const others = [];
    for (let n = 0; n < MEMBERS - 2; n++) others.push(await reader(server, ben, board.id, hear));
    const author = await connect(server.url, ada, { reconnection: false });
    await author.do("join:project", board.id);
    const stop = await open(server, cyd, board.id);
    await author.find("user:joined", ({ userId }) => userId === cyd._id);

    const timer = setInterval(() => {
      const content = `${sentAt.push(performance.now()) - 1} ${FILLING}`;
      author.send("chat:message", { channelId: board.id, content });
    }, 10);
    try {
      // The memory that the traffic itself needs is taken now.
      await pause(6_000);
      const before = p99(delays);
      const memory = resident(server);
      delays = [];
      await stop();
      let most = 0;
      const watch = setInterval(() => (most = Math.max(most, resident(server))), 100);
      const left = eventually(
        "who is stuck has left",
        () => author.queue.some(({ event, data }) => event === "user:left" && data.userId === cyd._id),
        { within: CLOSED_WITHIN },
      );
      await left.finally(() => clearInterval(watch));
      await pause(1_000);
      const grown = most - memory;
      assert.ok(grown <= OUTBOX + SLACK, `it grew by ${grown} bytes`);
      assert.ok(delays.length > 18 * 50, "the others go on hearing");
      const after = p99(delays);
      assert.ok(after <= Math.max(2 * before, FLOOR), `p99 ${after} ms, before ${before} ms`);
      for (const { open } of others) assert.ok(open);
    } finally {
      clearInterval(timer);
    }
  });
}
