// Accounts and tokens over REST: register, login, me, and what a request without a good token is told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import jwt from "jsonwebtoken";
import { Rest } from "../lib/rest.mjs";
import { SECRET, mintToken, objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";
import { Board, OBJECT_ID, people, registered, seated, serve } from "./support.mjs";

const server = await serve();
const anybody = new Rest(server.url);
const email = () => `${objectId()}@example.com`;
const register = (body, headers) => anybody.raw("POST", "/api/auth/register", body, headers);
const login = (body) => anybody.raw("POST", "/api/auth/login", body);

describe("POST /api/auth/register", () => {
  it("answers a token of seven days and the user", async () => {
    const address = email();
    const { status, body } = await register({ name: "  Ada  ", email: address, password: "correct horse" });
    assert.equal(status, 201);
    assert.match(body.user._id, OBJECT_ID);
    assert.deepEqual(body.user, { _id: body.user._id, name: "Ada", email: address });
    const claims = jwt.verify(body.token, SECRET, { algorithms: ["HS256"] });
    assert.equal(claims.userId, body.user._id);
    assert.equal(claims.name, "Ada");
    assert.equal(claims.email, address);
    assert.ok(Math.abs(claims.exp - Date.now() / 1000 - 7 * 24 * 3600) < 60);
    assert.deepEqual(Object.keys(body).sort(), ["token", "user"]);
  });

  it("refuses an email that is taken, however it is written", async () => {
    const address = email();
    await register({ name: "Ada", email: address, password: "correct horse" });
    for (const again of [address, address.toUpperCase(), ` ${address} `]) {
      const { status, body } = await register({ name: "Eve", email: again, password: "battery staple" });
      assert.deepEqual([status, body.code], [409, "conflict"]);
    }
  });

  it("lets only one of many at once have an email", async () => {
    const address = email();
    const all = Array.from({ length: 8 }, (_, i) =>
      register({ name: `Ada ${i}`, email: address, password: "correct horse" }),
    );
    const statuses = (await Promise.all(all)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [201, ...Array(7).fill(409)]);
  });

  for (const [field, values] of Object.entries({
    name: [undefined, null, "", "   ", 7, {}, "x".repeat(101)],
    email: [undefined, null, "", "nobody", 7, [], `${"x".repeat(250)}@example.com`],
    password: [undefined, null, "", "short", "x".repeat(129), 12345678, {}],
  })) {
    it(`names a bad ${field}`, async () => {
      for (const value of values) {
        const { status, body } = await register({
          name: "Ada",
          email: email(),
          password: "correct horse",
          [field]: value,
        });
        assert.deepEqual(
          [status, body.code, Object.keys(body.fields ?? {})],
          [400, "validation_failed", [field]],
          String(value),
        );
      }
    });
  }

  it("names every bad field at once", async () => {
    const { body } = await register({ name: "", email: "nobody", password: "short" });
    assert.deepEqual(Object.keys(body.fields).sort(), ["email", "name", "password"]);
    for (const reason of Object.values(body.fields)) assert.equal(typeof reason, "string");
  });

  it("takes passwords of 8 and of 128 characters", async () => {
    for (const password of ["12345678", "ü".repeat(128)]) {
      assert.equal((await register({ name: "Ada", email: email(), password })).status, 201);
    }
  });

  it("is closed where auth.registration is false", async () => {
    const closed = await serve({ COLLABFLOW_AUTH__REGISTRATION: "false" });
    const answer = await new Rest(closed.url).raw("POST", "/api/auth/register", {
      name: "Ada",
      email: email(),
      password: "correct horse",
    });
    assert.deepEqual([answer.status, answer.body.code], [403, "forbidden"]);
  });
});

describe("POST /api/auth/login", () => {
  it("answers a token and the user, also after a restart", async () => {
    const here = await serve();
    const ada = await registered(here, "Ada");
    for (const round of ["before", "after"]) {
      const { token, user } = await new Rest(here.url).post("/api/auth/login", {
        email: ada.email,
        password: ada.password,
      });
      assert.deepEqual(user, ada.face, round);
      assert.deepEqual(await new Rest(here.url, { token }).get("/api/auth/me"), ada.face);
      const client = await connect(here.url, { token });
      client.close();
      await here.restart();
    }
  });

  it("refuses a wrong password and an unknown email with the same words", async () => {
    const ada = await registered(server, "Ada");
    const wrong = await login({ email: ada.email, password: "not the password" });
    const unknown = await login({ email: email(), password: "not the password" });
    for (const { status, body } of [wrong, unknown]) {
      assert.deepEqual([status, body], [401, { message: "Invalid email or password", code: "unauthorized" }]);
    }
  });

  it("takes about as long for an unknown email as for a wrong password", async () => {
    const ada = await registered(server, "Ada");
    const timed = async (address) => {
      const began = performance.now();
      await login({ email: address(), password: "not the password" });
      return performance.now() - began;
    };
    const known = [];
    const unknown = [];
    for (let i = 0; i < 4; i++) {
      known.push(await timed(() => ada.email));
      unknown.push(await timed(email));
    }
    const [a, b] = [Math.min(...known), Math.min(...unknown)];
    assert.ok(b > a / 3, `an unknown email is answered in ${b} ms, a known one in ${a} ms`);
  });

  it("names bad fields", async () => {
    const { status, body } = await login({ email: 7 });
    assert.deepEqual(
      [status, body.code, Object.keys(body.fields).sort()],
      [400, "validation_failed", ["email", "password"]],
    );
  });

  it("is limited to ten a minute for one address and email", async () => {
    const ada = await registered(server, "Ada");
    // All at once: each six seconds one more is free again.
    const passwords = Array.from({ length: 14 }, (_, i) => (i % 2 ? ada.password : "wrong password"));
    const answers = await Promise.all(passwords.map((password) => login({ email: ada.email, password })));
    const refused = answers.filter(({ status }) => ![200, 401].includes(status));
    assert.equal(refused.length, 4);
    for (const { status, body, headers } of refused) {
      assert.deepEqual([status, body.code], [429, "rate_limited"]);
      assert.ok(Number(headers.get("retry-after")) >= 1);
    }
    const ben = await registered(server, "Ben");
    assert.equal((await login({ email: ben.email, password: ben.password })).status, 200);
  });
});

describe("/api/auth/me", () => {
  it("is the account, and PATCH changes its name and avatar everywhere they are shown", async () => {
    const ada = await registered(server, "Ada");
    const avatar = "https://example.com/ada.png";
    const changed = await ada.rest.patch("/api/auth/me", { name: " Ada L. ", avatar });
    assert.deepEqual(changed, { ...ada.face, name: "Ada L.", avatar });
    assert.deepEqual(await ada.rest.get("/api/auth/me"), changed);
    const workspace = await ada.rest.post("/api/workspaces", { name: "Works" });
    assert.deepEqual(workspace.members, [{ user: changed, role: "owner" }]);
  });

  it("PATCH renames who is connected, in what is told from then on", async () => {
    const [ada, ben] = [await registered(server, "Ada"), await registered(server, "Ben")];
    const board = await Board.of(ada, ben);
    const [adas, bens] = await seated(board, [ada, ben]);
    await board.chat(adas, bens);
    await ben.rest.patch("/api/auth/me", { name: "Benjamin" });
    const face = { ...ben.face, name: "Benjamin" };
    await bens.do("chat:typing", { channelId: board.channel._id, isTyping: true });
    assert.deepEqual((await adas.next("chat:userTyping")).user, face, "and nothing has come before it");
    await bens.do("task:create", { projectId: board.id, task: { title: "By Benjamin" } });
    assert.deepEqual((await adas.next("task:created")).createdBy, face);
    const { users } = await adas.do("join:project", board.id);
    assert.deepEqual(users.find(({ _id }) => _id === ben._id), face);
  });

  it("names bad fields", async () => {
    const ada = await registered(server, "Ada");
    const { status, body } = await ada.rest.raw("PATCH", "/api/auth/me", { name: "", avatar: "x".repeat(2_049) });
    assert.deepEqual(
      [status, body.code, Object.keys(body.fields).sort()],
      [400, "validation_failed", ["avatar", "name"]],
    );
  });

  it("is the claims for a user who is known from them only", async () => {
    const [ada] = await people(server, "Ada");
    assert.deepEqual(await ada.rest.get("/api/auth/me"), ada.face);
  });
});

describe("a user known from claims only", () => {
  it("owns no email: whoever registers with it gets an account of its own", async () => {
    const address = email();
    const token = mintToken({ userId: objectId(), name: "Ada", email: address });
    const claimed = await new Rest(server.url, { token }).get("/api/auth/me");
    const { status, body } = await register({ name: "Other Ada", email: address, password: "correct horse" });
    assert.equal(status, 201);
    assert.notEqual(body.user._id, claimed._id);
    assert.deepEqual(await new Rest(server.url, { token }).get("/api/auth/me"), claimed);

    const [ben] = await people(server, "Ben");
    const board = await Board.of(ben);
    const workspace = `/api/workspaces/${board.workspace._id}`;
    await ben.rest.post(`${workspace}/members`, { email: address });
    const { members } = await ben.rest.get(workspace);
    assert.ok(
      members.some(({ user }) => user._id === body.user._id),
      "the email finds the account that owns it",
    );
  });

  it("is found by email where no account owns it, and keeps its name over a restart", async () => {
    const here = await serve();
    const [ada, ben] = await people(here, "Ada", "Ben");
    const workspace = await ada.rest.post("/api/workspaces", { name: "Works" });
    await ada.rest.post(`/api/workspaces/${workspace._id}/members`, { email: ben.email });
    await here.restart();
    const { members } = await ada.rest.get(`/api/workspaces/${workspace._id}`);
    assert.deepEqual(
      members.map(({ user }) => user),
      [ada.face, ben.face],
    );
  });
});

describe("a request without a good token", () => {
  const ROUTES = [
    ["GET", "/api/auth/me"],
    ["PATCH", "/api/auth/me"],
    ["GET", "/api/workspaces"],
    ["POST", "/api/workspaces"],
    ["GET", `/api/projects/${objectId()}`],
    ["POST", "/api/projects"],
    ["GET", `/api/tasks/project/${objectId()}`],
    ["POST", "/api/tasks"],
    ["PATCH", `/api/tasks/${objectId()}`],
    ["DELETE", `/api/tasks/${objectId()}`],
    ["POST", `/api/tasks/${objectId()}/move`],
    ["POST", "/api/channels"],
    ["POST", `/api/channels/${objectId()}/messages`],
  ];
  const past = Math.floor(Date.now() / 1000) - 1;
  const BAD = [
    "nonsense",
    mintToken({ userId: objectId() }, "another secret"),
    mintToken({ userId: objectId(), exp: past }),
    mintToken({ userId: objectId() }, "", { algorithm: "none" }),
    mintToken({ userId: objectId() }, SECRET, { algorithm: "HS512" }),
    mintToken({ name: "Nobody" }),
  ];
  const body = (method) => (method === "GET" || method === "DELETE" ? undefined : {});

  for (const [method, path] of ROUTES) {
    it(`${method} ${path.replace(/[0-9a-f]{24}/g, ":id")} is a 401`, async () => {
      const none = await anybody.raw(method, path, body(method));
      assert.deepEqual([none.status, none.body], [401, { message: "Authentication required", code: "unauthorized" }]);
      for (const token of BAD) {
        const bad = await new Rest(server.url, { token }).raw(method, path, body(method));
        assert.deepEqual([bad.status, bad.body], [401, { message: "Invalid or expired token", code: "unauthorized" }]);
      }
    });
  }

  it("is a 401 whatever scheme it uses instead", async () => {
    const { token } = (await people(server, "Ada"))[0];
    for (const Authorization of ["", "Bearer", "Bearer ", `Basic ${token}`, token]) {
      const { status } = await anybody.raw("GET", "/api/auth/me", undefined, { Authorization });
      assert.equal(status, 401, Authorization);
    }
    const lower = await anybody.raw("GET", "/api/auth/me", undefined, { Authorization: `bearer ${token}` });
    assert.equal(lower.status, 200, "the scheme's name is written in any case");
  });
});
