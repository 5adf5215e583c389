// Who gets in: tokens good and bad with their connect_error, namespaces, and the origins of WebSocket upgrades.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import jwt from "jsonwebtoken";
import { eventually, inTime } from "../lib/eventually.mjs";
import { Rest } from "../lib/rest.mjs";
import { SECRET, objectId } from "../lib/tokens.mjs";
import { Client, TRANSPORTS, connect } from "./client.mjs";
import { RawSocket } from "./raw.mjs";
import { PAGE, people, serve } from "./support.mjs";

const server = await serve({ CLIENT_URL: `${PAGE}/, https://app.example.org` });
const [ada] = await people(server, "Ada");

const now = () => Math.floor(Date.now() / 1000);
const claims = () => ({ userId: objectId(), name: "Eve", email: "eve@example.org" });
const signed = (payload, { secret = SECRET, ...options } = {}) => jwt.sign(payload, secret, options);

/** A token whose head and body are given as they are, signed by HMAC with SHA-256. */
function handmade(header, payload, secret = SECRET) {
  const text = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

const REQUIRED = "Authentication required";
const INVALID = "Invalid or expired token";

const REFUSED = {
  "no auth at all": [{}, REQUIRED],
  "an empty token": [{ token: "" }, REQUIRED],
  "a null token": [{ token: null }, REQUIRED],
  "a token that is a number": [{ token: 7 }, INVALID],
  "a token that is an object": [{ token: { userId: objectId() } }, INVALID],
  "text that is no token": [{ token: "nonsense" }, INVALID],
  "a token signed with another secret": [{ token: signed(claims(), { secret: "another" }) }, INVALID],
  "a token that expired a second ago": [{ token: signed({ ...claims(), exp: now() - 1 }) }, INVALID],
  "a token that is not valid yet": [{ token: signed({ ...claims(), nbf: now() + 60 }) }, INVALID],
  "a token without a signature (alg none)": [{ token: signed(claims(), { secret: "", algorithm: "none" }) }, INVALID],
  "a token with HS512": [{ token: signed(claims(), { algorithm: "HS512" }) }, INVALID],
  "a token that says HS512 and is signed as HS256": [
    { token: handmade({ alg: "HS512", typ: "JWT" }, claims()) },
    INVALID,
  ],
  "a token without a userId": [{ token: signed({ name: "Eve" }) }, INVALID],
  "a token whose userId is no ObjectId": [{ token: signed({ userId: "eve" }) }, INVALID],
};

const TAKEN = {
  "a token with an expiry": () => signed(claims(), { expiresIn: "1h" }),
  "a token without one": () => signed(claims()),
  "a token with a userId alone": () => signed({ userId: objectId() }),
  "a token with an audience": () => signed({ ...claims(), aud: "somebody else" }),
  "a token with claims of no concern": () => signed({ ...claims(), role: "admin", iss: "x" }),
};

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`connecting ${way}`, () => {
    for (const [what, [auth, message]] of Object.entries(REFUSED)) {
      it(`${what} is refused with "${message}"`, async () => {
        const client = new Client(server.url, undefined, { auth, transports });
        const [error] = await client.happens("connect_error");
        assert.equal(error.message, message);
        assert.deepEqual(error.data, { code: "unauthorized" });
        assert.equal(client.socket.connected, false);
      });
    }

    for (const [what, token] of Object.entries(TAKEN)) {
      it(`${what} is taken`, async () => {
        const client = await connect(server.url, ada, { auth: { token: token() }, transports });
        assert.equal(typeof client.id, "string");
        assert.equal(client.socket.recovered, false);
      });
    }

    it("a refused client may try again", async () => {
      const client = new Client(server.url, ada, { auth: { token: "bad" }, transports });
      await client.happens("connect_error");
      client.socket.auth = { token: ada.token };
      client.socket.connect();
      await client.happens("connect");
    });

    it('a namespace other than "/" is invalid, and the connection stays', async () => {
      const client = await connect(server.url, ada, { transports });
      const admin = client.socket.io.socket("/admin", { auth: { token: ada.token } });
      const [error] = await client.happens("connect_error", admin);
      assert.equal(error.message, "Invalid namespace");
      assert.equal(error.data, undefined);
      assert.equal((await client.refused("join:project", objectId())).code, "not_found");
    });

    it("each connection has a public id of its own, which is not the id of its transport", async () => {
      const [one, two] = [
        await connect(server.url, ada, { transports }),
        await connect(server.url, ada, { transports }),
      ];
      const ids = [one.id, two.id, one.socket.io.engine.id, two.socket.io.engine.id];
      assert.equal(new Set(ids).size, 4);
    });
  });
}

describe("a token without an expiry", () => {
  it("is warned of once in the log", async () => {
    const quiet = await serve();
    for (let i = 0; i < 3; i++) {
      const client = await connect(quiet.url, ada, { auth: { token: signed(claims()) } });
      client.close();
    }
    const warnings = () =>
      quiet
        .log()
        .split("\n")
        .filter((line) => /WARN/.test(line) && /exp/i.test(line));
    await eventually("the warning is there, once", () => warnings().length === 1);
  });

  it("is refused where auth.require_expiry says so", async () => {
    const strict = await serve({ COLLABFLOW_AUTH__REQUIRE_EXPIRY: "true" });
    const client = new Client(strict.url, ada, { auth: { token: signed(claims()) } });
    const [error] = await client.happens("connect_error");
    assert.equal(error.message, INVALID);
    await connect(strict.url, ada, { auth: { token: signed(claims(), { expiresIn: 60 }) } });
  });
});

it("a refused CONNECT leaves the connection open for another one", async () => {
  const raw = await RawSocket.open(server.url);
  raw.send('40{"token":"bad"}');
  await raw.hears(/^44/);
  assert.deepEqual(JSON.parse(raw.frames[1].slice(2)), { message: INVALID, data: { code: "unauthorized" } });
  raw.send(`40${JSON.stringify({ token: ada.token })}`);
  await raw.hears(/^40\{"sid":"[^"]+","pid":"[^"]+"\}$/);
  raw.end();
});

/** Opens a WebSocket; resolves with `open` or the status of the refusal. */
function upgrade({ url }, origin) {
  const { socket } = new RawSocket(url, origin && { origin });
  const answer = new Promise((resolve) => {
    socket.on("open", () => resolve("open"));
    socket.on("unexpected-response", (_, { statusCode }) => resolve(statusCode));
  });
  return inTime("an answer to the upgrade", answer).finally(() => socket.terminate());
}

describe("the Origin of a WebSocket upgrade", () => {
  for (const [what, origin] of Object.entries({
    "is not needed": undefined,
    "may be an allowed page": PAGE,
    "may be the second allowed page": "https://app.example.org",
    "may be the server itself": server.url,
  })) {
    it(what, async () => assert.equal(await upgrade(server, origin), "open"));
  }

  for (const origin of [
    "https://evil.example.org",
    "http://localhost:3001",
    "https://app.example.org.evil.example",
    "null",
  ]) {
    it(`is refused where it is ${origin}`, async () => {
      const status = await upgrade(server, origin);
      assert.ok(status >= 400 && status < 500, `the answer was ${status}`);
    });
  }

  it("that is refused is logged with the setting that would mend it", async () => {
    await upgrade(server, "https://stray.example.org");
    await eventually("the refusal is in the log", () =>
      /stray\.example\.org.*CLIENT_URL|CLIENT_URL.*stray\.example\.org/.test(server.log()),
    );
  });

  it("is not looked at where cors.check_websocket is false", async () => {
    const lax = await serve({ COLLABFLOW_CORS__CHECK_WEBSOCKET: "false" });
    assert.equal(await upgrade(lax, "https://evil.example.org"), "open");
  });
});

// What Node's server answers to a handshake that is none, told by `{code, message}`.
describe("a bad handshake", () => {
  for (const [what, query, code, method = "GET"] of [
    ["without a transport", "EIO=4", 0],
    ["with an unknown transport", "EIO=4&transport=pigeon", 0],
    ["with an unknown session", "EIO=4&transport=polling&sid=nobody", 1],
    ["by POST", "EIO=4&transport=polling", 2, "POST"],
    ["of another protocol", "EIO=3&transport=polling", 5],
  ]) {
    it(`${what} is a 400 with code ${code}`, async () => {
      const answer = await new Rest(server.url).raw(
        method,
        `/socket.io/?${query}`,
        method === "POST" ? "4" : undefined,
      );
      assert.equal(answer.status, 400);
      assert.equal(answer.body.code, code);
      assert.equal(typeof answer.body.message, "string");
    });
  }
});
