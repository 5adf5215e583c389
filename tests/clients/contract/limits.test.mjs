// Rule 6, slow readers, floods and crowds hurt only themselves: each limit has a clear end, and a healthy client
// beside it is served on. The limits are small here, so that they are met at once.

import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import net from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { eventually, inTime } from "../lib/eventually.mjs";
import { makeUsers } from "../lib/fixture.mjs";
import { connect } from "./client.mjs";
import { POLLING, RawSocket } from "./raw.mjs";
import { Board, people, seated, serve } from "./support.mjs";

/** A server with `limits`, and Ada and Ben on a board of it. */
async function tight(limits) {
  const env = Object.entries(limits).map(([name, value]) => [
    `COLLABFLOW_LIMITS__${name.toUpperCase()}`,
    String(value),
  ]);
  const server = await serve(Object.fromEntries(env));
  const [ada, ben] = await people(server, "Ada", "Ben");
  return { server, ada, ben, board: await Board.of(ada, ben) };
}

describe("a flood of events", () => {
  it("is rate_limited, and the rest are served", async () => {
    const { board, ada, ben } = await tight({ events_per_second: 20, events_burst: 20 });
    const [flooder, healthy] = await seated(board, [ada, ben]);
    await board.chat(flooder, healthy);
    const say = (client, content) => client.ask("chat:message", { channelId: board.channel._id, content });
    const acks = await Promise.all(Array.from({ length: 60 }, (_, n) => say(flooder, `${n}`)));
    const refused = acks.filter(({ ok }) => !ok);
    assert.ok(refused.length >= 20, `${refused.length} were refused`);
    for (const { error } of refused) assert.equal(error.code, "rate_limited");
    assert.equal((await say(healthy, "calm")).ok, true);
    const heard = healthy.take().filter(({ event }) => event === "chat:newMessage");
    assert.equal(heard.length, acks.length - refused.length + 1, "what was acknowledged was told, and nothing else");
  });

  it("that goes on for 5 s is closed", async () => {
    const { board, ada, ben } = await tight({ events_per_second: 20, events_burst: 20 });
    const [flooder, healthy] = await seated(board, [ada, ben], { reconnection: false });
    const gone = new Promise((resolve) => flooder.socket.once("disconnect", resolve));
    const flood = setInterval(() => flooder.socket.emit("leave:project", "nowhere"), 5);
    try {
      await inTime("the flooder is closed", gone, 12_000);
    } finally {
      clearInterval(flood);
    }
    await board.settle(healthy);
  });
});

describe("a reader who does not read", () => {
  it("is closed, and nobody else waits for it", async () => {
    const { server, board, ada, ben } = await tight({ outbox_bytes: 100_000, outbox_stall: "1s" });
    const [author, healthy] = await seated(board, [ada, ada]);
    const stuck = await RawSocket.open(server.url, { token: ben.token });
    stuck.send(`421["join:project","${board.id}"]`);
    await healthy.find("user:joined");
    stuck.socket.pause();
    // More than the kernel keeps for a connection on either side.
    const description = "x".repeat(20_000);
    for (let n = 0; n < 800; n++) {
      await author.do("task:create", { projectId: board.id, task: { title: `${n}`, description } });
      assert.equal((await healthy.next("task:created")).task.title, `${n}`);
    }
    stuck.socket.resume();
    await stuck.closed();
    await board.settle(healthy);
  });
});

describe("a crowd", () => {
  it("over limits.connections is refused with a 503, and one that leaves makes room", async () => {
    const server = await serve({ COLLABFLOW_LIMITS__CONNECTIONS: "4" });
    // No REST before: a connection that is kept alive would take a place.
    const [ada] = makeUsers(server.url, ["Ada"]);
    const enter = () => connect(server.url, ada, { reconnection: false });
    const inside = [];
    for (let n = 0; n < 4; n++) inside.push(await enter());
    await assert.rejects(enter(), ({ description }) => /503/.test(description.message));
    const polling = get(`${server.url}${POLLING}`, { agent: false });
    const [refusal] = await inTime("an answer", once(polling, "response"));
    assert.equal(refusal.statusCode, 503);
    assert.ok(Number(refusal.headers["retry-after"]) > 0);
    assert.equal(JSON.parse(await text(refusal)).code, "unavailable");
    for (const { socket } of inside) assert.ok(socket.connected);
    inside[0].close();
    await eventually("there is room again", enter);
  });

  it("of rooms over limits.rooms_per_session is rate_limited, and one that is left makes room", async () => {
    const { ada, server } = await tight({ rooms_per_session: 2 });
    const boards = [await Board.of(ada), await Board.of(ada), await Board.of(ada)];
    const client = await connect(server.url, ada);
    for (const { id } of boards.slice(0, 2)) await client.do("join:project", id);
    assert.equal((await client.refused("join:project", boards[2].id)).code, "rate_limited");
    await client.do("leave:project", boards[0].id);
    await client.do("join:project", boards[2].id);
  });
});

describe("a connection that says nothing", () => {
  const silent = ({ port }, first = "") => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(first));
    socket.on("error", () => {});
    return inTime("the close", new Promise((resolve) => socket.on("close", resolve).resume()), 6_000);
  };

  it("is closed after limits.header_timeout, and one that dawdles too", async () => {
    const { server } = await tight({ header_timeout: "300ms" });
    await silent(server);
    await silent(server, "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n");
  });

  it("is closed after limits.connect_timeout where it is a session without CONNECT", async () => {
    const { server } = await tight({ connect_timeout: "300ms" });
    const raw = await RawSocket.open(server.url);
    await raw.closed(6_000);
  });
});

describe("a flood of logins", () => {
  const login = async ({ url }, forwarded) => {
    const answer = await fetch(`${url}/api/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(forwarded && { "X-Forwarded-For": forwarded }) },
      body: JSON.stringify({ email: "nobody@example.com", password: "wrong horse" }),
    });
    await answer.text();
    return answer;
  };

  it("is one client's own, whatever address it makes up", async () => {
    const { server } = await tight({ login_per_minute: 2 });
    for (const made of ["1.1.1.1", "2.2.2.2"]) assert.equal((await login(server, made)).status, 401);
    const refused = await login(server, "3.3.3.3");
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
  });

  it("through a trusted proxy is that of the client it names", async () => {
    const server = await serve({
      COLLABFLOW_LIMITS__LOGIN_PER_MINUTE: "2",
      COLLABFLOW_TRUSTED_PROXIES: "127.0.0.0/8",
    });
    for (const status of [401, 401, 429]) assert.equal((await login(server, "1.1.1.1")).status, status);
    assert.equal((await login(server, "2.2.2.2")).status, 401);
    // What the client itself has sent stands before what the proxy has seen.
    assert.equal((await login(server, "9.9.9.9, 1.1.1.1")).status, 429);
  });
});
