// Rule 6 by the thousand: handshakes that nobody goes on with, junk, floods of events and of logins, requests that dawdle.
// A healthy client's beacon beside them loses nothing and is about as fast as without them, and no memory stays behind.

import assert from "node:assert/strict";
import { Agent, get, request } from "node:http";
import net from "node:net";
import { it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../lib/eventually.mjs";
import { p99, resident } from "../lib/memory.mjs";
import { Beacon } from "./beacon.mjs";
import { POLLING, RawSocket } from "./raw.mjs";
import { Board, people, serve } from "./support.mjs";

const HANDSHAKES = 10_000;
const SLACK = 2 * 1024 * 1024;
/** What a busy machine may take in any case. */
const FLOOR = 150;

/** Opens polling sessions and never goes on with them. */
async function abandon({ url }, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const open = () =>
    new Promise((resolve, reject) => {
      const asked = get(`${url}${POLLING}`, { agent }, (answer) => {
        answer.resume().on("end", () => resolve(answer.statusCode));
      });
      asked.on("error", reject);
    });
  const statuses = await Promise.all(Array.from({ length: count }, open));
  agent.destroy();
  assert.ok(statuses.every((status) => status === 200));
}

/** Rounds of ten thousand that are compared: together they show a leak of a hundred bytes a handshake. */
const ROUNDS = 3;

it("ten thousand abandoned handshakes, round after round, leave memory where it was", async () => {
  const server = await serve({ COLLABFLOW_LIMITS__CONNECT_TIMEOUT: "2s", RUST_LOG: "warn" });
  const ended = async () => {
    const shown = await (await fetch(`${server.url}/metrics`)).text();
    return shown.includes('collabflow_connections{transport="polling"} 0\n');
  };
  // The allocator keeps what a crowd has needed for the next one, and it takes some for all of its arenas to have seen
  // one. What has leaked it keeps for ever, so that no later rounds are better.
  const after = [];
  const grown = () => after.at(-1) - after.at(-1 - ROUNDS);
  for (let round = 0; round < 10 && !(Math.abs(grown()) <= SLACK); round += 1) {
    await abandon(server, HANDSHAKES);
    await eventually("the timeout of the last of them is over", ended);
    after.push(resident(server));
  }
  assert.ok(Math.abs(grown()) <= SLACK, `resident after each round: ${after}`);
});

/** Does `work` over and over, `every` so many milliseconds, until it is stopped. */
function again(every, work) {
  const timer = setInterval(work, every);
  return () => clearInterval(timer);
}

const JUNK = ["", "9", "42[]", "4", "45-[", "\0\0\0", "40{", '42["connect"]', "2".repeat(10_000), "[".repeat(5_000)];

/** What the server has to bear; each gives a function that ends it. */
const LOADS = {
  "junk of every kind": ({ port, url }, token) => {
    let n = 0;
    return again(10, async () => {
      const tcp = net.connect(port, "127.0.0.1", () => tcp.end(Buffer.alloc(500, n++ % 256)));
      tcp.on("error", () => {}).resume();
      const raw = new RawSocket(url);
      raw.socket.once("open", () => {
        if (n % 2) raw.send(`40${JSON.stringify({ token })}`);
        for (const junk of JUNK) raw.send(n % 3 ? junk : Buffer.from(junk));
        setTimeout(() => raw.end(), 1_000);
      });
    });
  },
  "floods of events": ({ url }, token) => {
    const floods = Array.from({ length: 3 }, () => {
      const raw = new RawSocket(url);
      raw.socket.once("open", () => raw.send(`40${JSON.stringify({ token })}`));
      const stop = again(10, () => {
        if (raw.open) for (let n = 0; n < 10; n++) raw.send('42["join:project","nowhere"]');
      });
      return () => (stop(), raw.end());
    });
    return () => floods.forEach((stop) => stop());
  },
  "a flood of logins": ({ url }) => {
    let n = 0;
    return again(20, () => {
      const body = JSON.stringify({ email: `nobody${n++}@example.com`, password: "correct horse" });
      const headers = { "Content-Type": "application/json" };
      const asked = request(`${url}/api/auth/login`, { method: "POST", headers }, (answer) => answer.resume());
      asked.on("error", () => {}).end(body);
    });
  },
  "requests that dawdle": ({ port }) => {
    const slow = Array.from({ length: 300 }, () => {
      const tcp = net.connect(port, "127.0.0.1", () => tcp.write("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"));
      tcp.on("error", () => {}).resume();
      return tcp;
    });
    const stop = again(500, () => slow.forEach((tcp) => tcp.writable && tcp.write("X-A: b\r\n")));
    return () => (stop(), slow.forEach((tcp) => tcp.destroy()));
  },
  "ten thousand half-open handshakes": (server) => {
    const done = abandon(server, HANDSHAKES);
    return () => done;
  },
};

for (const [what, load] of Object.entries(LOADS)) {
  it(`${what}: a healthy client beside loses nothing and is as fast as before`, async () => {
    const server = await serve({ RUST_LOG: "error" });
    const [ada, ben, cyd] = await people(server, "Ada", "Ben", "Cyd");
    const board = await Board.of(ada, ben, cyd);
    const beacon = await Beacon.start(board, ben, cyd);
    await pause(4_000);
    const before = p99(beacon.delays.splice(0));
    const stop = load(server, ada.token);
    await pause(6_000);
    const during = p99(beacon.delays);
    await stop();
    await beacon.stop();
    assert.ok(during <= Math.max(2 * before, FLOOR), `p99 ${during} ms, before ${before} ms`);
  });
}
