// One `users` collection for both backends: who registers with one of them logs in with the other, and who is known
// from a token's claims alone is kept where the Node backend does not look.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import bcrypt from "bcryptjs";
import { people, registered } from "../contract/support.mjs";
import { Rest } from "../lib/rest.mjs";
import { database, ObjectId, sideBySide } from "./support.mjs";

const PASSWORD = "correct horse";
const BCRYPT_10 = /^\$2[aby]\$10\$/;
const mongod = await database();
const pair = await sideBySide(mongod);
const { server, node, db } = pair;

const login = (at, email, password = PASSWORD) => new Rest(at.url).raw("POST", "/api/auth/login", { email, password });

/** A user with an account of the Node backend's. */
async function registeredAtNode(name) {
  const email = `${name}-${new ObjectId()}@example.com`.toLowerCase();
  const { user, token } = await new Rest(node.url).post("/api/auth/register", { name, email, password: PASSWORD });
  return { ...user, token };
}

describe("a user who registered with CollabFlow", () => {
  it("and changed nothing logs in through Node's bcryptjs", async () => {
    const ada = await registered(server, "Ada", PASSWORD);
    assert.equal((await login(server, ada.email)).status, 200);

    const { password, ...stored } = await pair.stored("users", ada);
    assert.match(password, BCRYPT_10);
    assert.ok(await bcrypt.compare(PASSWORD, password));
    assert.ok(!(await bcrypt.compare("wrong", password)));
    assert.ok(stored._id instanceof ObjectId && stored.createdAt instanceof Date && stored.updatedAt instanceof Date);
    assert.deepEqual([stored.name, stored.email], ["Ada", ada.email]);

    const { status, body } = await login(node, ada.email);
    assert.deepEqual([status, body.user._id], [200, ada._id]);
    assert.equal((await login(node, ada.email, "wrong")).status, 401);
    assert.equal((await new Rest(server.url, body).get("/api/auth/me"))._id, ada._id, "Node's token is good at ours");
  });

  it("has an email that Node gives to nobody else", async () => {
    const { email } = await registered(server, "Ada", PASSWORD);
    const again = { name: "Eve", email, password: PASSWORD };
    assert.equal((await new Rest(node.url).raw("POST", "/api/auth/register", again)).status, 409);
  });
});

describe("a user who registered with the Node backend", () => {
  it("logs in with CollabFlow, which leaves the password as it is", async () => {
    const ben = await registeredAtNode("Ben");
    const before = await pair.stored("users", ben);
    const { status, body } = await login(server, ben.email);
    assert.deepEqual([status, body.user._id, body.user.name], [200, ben._id, "Ben"]);
    assert.equal((await login(server, ben.email, "wrong")).status, 401);
    assert.equal((await login(server, ben.email.toUpperCase())).status, 200, "an email in capitals");
    assert.deepEqual(await pair.stored("users", ben), before);
    assert.equal((await new Rest(server.url, ben).get("/api/auth/me")).email, ben.email);
  });

  it("has an email that CollabFlow gives to nobody else", async () => {
    const { email } = await registeredAtNode("Ben");
    for (const taken of [email, email.toUpperCase()]) {
      const again = { name: "Eve", email: taken, password: PASSWORD };
      assert.equal((await new Rest(server.url).raw("POST", "/api/auth/register", again)).status, 409, taken);
    }
  });

  it("logs in with Node still after a change of the profile by CollabFlow", async () => {
    const ben = await registeredAtNode("Ben");
    await pair.set("users", ben, { theme: "dark" });
    await new Rest(server.url, ben).patch("/api/auth/me", { name: "Benjamin" });
    const { name, theme } = await pair.stored("users", ben);
    assert.deepEqual([name, theme], ["Benjamin", "dark"]);
    const { status, body } = await login(node, ben.email);
    assert.deepEqual([status, body.user.name], [200, "Benjamin"]);
  });
});

describe("a user known from claims alone", () => {
  it("is kept in collabflow_profiles, never in users", async () => {
    const [cleo] = await people(server, "Cleo");
    await cleo.rest.post("/api/workspaces", { name: "Cleo's" });
    assert.equal(await pair.stored("users", cleo), null);
    assert.equal(await db.collection("users").countDocuments({ name: "Cleo" }), 0);
    const profiles = await db.collection("collabflow_profiles").find({ name: "Cleo" }).toArray();
    assert.deepEqual(
      profiles.map(({ _id }) => String(_id)),
      [cleo._id],
    );
  });

  it("owns no email: whoever registers with it gets an account of its own, with either backend", async () => {
    const [dora, emil] = await people(server, "Dora", "Emil");
    for (const [at, { _id, name, email }] of [
      [server, dora],
      [node, emil],
    ]) {
      const { user } = await new Rest(at.url).post("/api/auth/register", { name, email, password: PASSWORD });
      assert.notEqual(user._id, _id);
      assert.equal((await login(server, email)).body.user._id, user._id);
    }
  });
});

it("auth.upgrade_hashes gives up Node's logins for a stronger hash at the next login", async () => {
  const upgrading = await sideBySide(mongod, { COLLABFLOW_AUTH__UPGRADE_HASHES: "true" });
  const ben = { name: "Ben", email: "ben@example.com", password: PASSWORD };
  const { user } = await new Rest(upgrading.node.url).post("/api/auth/register", ben);
  assert.equal((await login(upgrading.server, ben.email, "wrong")).status, 401);
  assert.match((await upgrading.stored("users", user)).password, BCRYPT_10);
  for (const time of ["with the old hash", "with the new one"]) {
    assert.equal((await login(upgrading.server, ben.email)).status, 200, time);
    assert.match((await upgrading.stored("users", user)).password, /^\$argon2id\$/, time);
  }
});
