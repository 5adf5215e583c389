// The life of a token on a connected session: told a minute ahead, closed at the end, or kept on by a fresh one.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { Rest } from "../lib/rest.mjs";
import { SECRET, mint, mintToken, objectId } from "../lib/tokens.mjs";
import { Client, connect } from "./client.mjs";
import { ending, expires, second, shortLived } from "./lives.mjs";
import { RawPolling, RawSocket } from "./raw.mjs";
import { Board, people, seated, serve } from "./support.mjs";

const server = await serve();
const [ada, ben] = await people(server, "Ada", "Ben");
const board = await Board.of(ada, ben);

describe("the end of a token", () => {
  it("is told a minute ahead", async () => {
    const { client, expiresAt, at } = await shortLived(61, { user: ada });
    await board.gather(client);
    assert.deepEqual(await client.next("auth:expiring"), { expiresAt });
    const ahead = at - Date.now();
    assert.ok(ahead <= 60_000 && ahead > 50_000, `it was told ${ahead} ms ahead`);
    await board.silent(client);
  });

  it("is no DISCONNECT packet, and a close that says why", async () => {
    const { token } = ending(2, ada);
    const raw = await RawSocket.open(server.url, { token });
    assert.equal(await raw.closed(), 4401);
    assert.deepEqual(
      raw.frames.slice(2).map((frame) => JSON.parse(frame.slice(2))[0]),
      ["auth:expiring", "auth:expired"],
    );
  });

  it("is told to the poll that waits, before the connection ends", async () => {
    const raw = await RawPolling.open(server.url);
    const { token, expiresAt, at } = ending(2, ada);
    await raw.post(`40${JSON.stringify({ token })}`);
    let heard = "";
    while (!heard.includes("auth:expiring")) heard += (await raw.get()).body;
    const { body } = await raw.get();
    assert.equal(body, `42["auth:expired",${JSON.stringify({ expiresAt })}]`);
    assert.ok(Date.now() >= at);
    assert.equal((await raw.get()).body, "1");
    assert.equal((await raw.get()).status, 400);
  });

  it("ends a session that does not poll, too", async () => {
    const raw = await RawPolling.open(server.url);
    await raw.post(`40${JSON.stringify({ token: ending(1, ada).token })}`);
    await eventually("the session is unknown", async () => (await raw.post("3")).status === 400);
  });

  it("is to the others a drop, not a leave", async () => {
    const patient = await serve({ COLLABFLOW_PRESENCE__GRACE: "60s" });
    const [host, guest] = await people(patient, "Host", "Guest");
    const place = await Board.of(host, guest);
    const session = await shortLived(2, { url: patient.url, user: guest });
    const [watcher] = await seated(place, [host]);
    await session.client.do("join:project", place.id);
    await watcher.next("user:joined");
    await session.client.happens("disconnect");
    await place.silent(watcher);
  });

  it("comes to the millisecond where exp is a fraction", async () => {
    const at = Date.now() + 2_234;
    const token = mintToken({ userId: ada.userId, exp: at / 1000 });
    const client = await connect(server.url, ada, { auth: { token }, reconnection: false });
    const { expiresAt } = await client.next("auth:expiring");
    assert.ok(Math.abs(Date.parse(expiresAt) - at) <= 1, expiresAt);
    await client.happens("disconnect");
    assert.ok(Date.now() >= at - 1);
  });

  it("forgets a session that has left by itself", async () => {
    const { token, at } = ending(2, ada);
    const raw = await RawSocket.open(server.url, { token });
    await raw.hears(/auth:expiring/);
    raw.send("41");
    await eventually("the token has ended", () => Date.now() > at + 300);
    raw.send(`40${JSON.stringify({ token: ada.token })}`);
    await eventually("a second session begins", () => raw.frames.filter((frame) => frame.startsWith("40")).length === 2);
    assert.ok(!raw.frames.some((frame) => frame.includes("auth:expired")));
    raw.end();
  });
});

describe("a token that ends late or never", () => {
  for (const [what, exp] of Object.entries({
    "in a hundred years": second() + 100 * 365 * 86_400,
    "after all years": Number.MAX_SAFE_INTEGER,
    "past all numbers": 1e300,
    never: undefined,
  })) {
    it(`(${what}) is told of nowhere`, async () => {
      const token = mint({ userId: ada.userId, ...(exp && { exp }) }, {});
      const client = await connect(server.url, ada, { auth: { token } });
      await board.gather(client);
      await board.silent(client);
    });
  }

  it("may take the place of one that ends soon", async () => {
    const { client, at } = await shortLived(2, { user: ada });
    await client.do("join:project", board.id);
    await client.find("auth:expiring");
    const endless = mint(ada, {});
    assert.deepEqual(await client.do("auth:refresh", { token: endless }), { ok: true, expiresAt: null });
    await eventually("the old end is past", () => Date.now() > at + 300);
    assert.ok(!client.take().some(({ event }) => event === "auth:expired"));
    await board.silent(client);
  });

  it("may be changed for one that ends soon", async () => {
    const client = await connect(server.url, ada, { reconnection: false });
    const fresh = ending(2, ada);
    await client.do("auth:refresh", { token: fresh.token });
    assert.deepEqual(await client.next("auth:expiring"), { expiresAt: fresh.expiresAt });
    await expires({ client, ...fresh });
  });
});

describe("auth:refresh is refused with unauthorized, and harms nothing,", () => {
  const BAD = {
    "by another user's token": () => ({ token: ben.token }),
    "by a token that has expired": () => ({ token: mintToken({ userId: ada.userId, exp: second() - 1 }) }),
    "by a token that expires this very second": () => ({ token: mintToken({ userId: ada.userId, exp: second() }) }),
    "by a token of another secret": () => ({ token: mintToken({ userId: ada.userId }, "another") }),
    "by nonsense": () => ({ token: "nonsense" }),
    "by a number": () => ({ token: 7 }),
    "by an empty token": () => ({ token: "" }),
    "without a token": () => ({}),
    "without an object": () => "token",
    "without anything": () => undefined,
  };
  for (const [what, payload] of Object.entries(BAD)) {
    it(what, async () => {
      const client = await connect(server.url, ada);
      const args = payload() === undefined ? [] : [payload()];
      assert.equal((await client.refused("auth:refresh", ...args)).code, "unauthorized");
      await client.do("join:project", board.id);
    });
  }

  it("and the old end stays", async () => {
    const session = await shortLived(2, { user: ada });
    await session.client.next("auth:expiring");
    for (const payload of Object.values(BAD)) {
      assert.equal((await session.client.refused("auth:refresh", payload())).code, "unauthorized");
    }
    await expires(session);
  });

  it("and without an acknowledgement it is an error event", async () => {
    const client = await connect(server.url, ada);
    client.send("auth:refresh", { token: ben.token });
    const { event, code } = await client.next("error");
    assert.deepEqual({ event, code }, { event: "auth:refresh", code: "unauthorized" });
  });
});

describe('with auth.on_expiry = "keep"', () => {
  it("a token is checked at CONNECT alone", async () => {
    const lax = await serve({ COLLABFLOW_AUTH__ON_EXPIRY: "keep" });
    const [cleo] = await people(lax, "Cleo");
    const place = await Board.of(cleo);
    const { client, at } = await shortLived(2, { url: lax.url, user: cleo });
    await place.gather(client);
    await eventually("the token has ended", () => Date.now() > at + 500);
    await place.silent(client);
    const { token } = ending(-2, cleo);
    const [error] = await new Client(lax.url, cleo, { auth: { token } }).happens("connect_error");
    assert.equal(error.message, "Invalid or expired token");
    assert.equal((await client.refused("auth:refresh", { token })).code, "unauthorized");
    const fresh = ending(60, cleo);
    assert.equal((await client.do("auth:refresh", { token: fresh.token })).expiresAt, fresh.expiresAt);
  });
});

describe("with auth.require_expiry", () => {
  it("a token without an end is refused by REST, at CONNECT and by auth:refresh", async () => {
    const strict = await serve({ COLLABFLOW_AUTH__REQUIRE_EXPIRY: "true" });
    const [cleo] = await people(strict, "Cleo");
    const endless = mintToken({ userId: cleo.userId }, SECRET, {});
    const answer = await new Rest(strict.url, { token: endless }).raw("GET", "/api/auth/me");
    assert.equal(answer.status, 401);
    const [error] = await new Client(strict.url, cleo, { auth: { token: endless } }).happens("connect_error");
    assert.equal(error.message, "Invalid or expired token");
    const client = await connect(strict.url, cleo);
    assert.equal((await client.refused("auth:refresh", { token: endless })).code, "unauthorized");
    assert.equal((await client.refused("join:project", objectId())).code, "not_found");
  });
});
