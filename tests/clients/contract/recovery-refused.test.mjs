// What cannot be proven complete is not recovered: the client begins afresh, in no room, and nobody else is harmed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "./client.mjs";
import { assertFresh, away, enter, heardSince, identity, replayed, scene } from "./comeback.mjs";
import { people, serve } from "./support.mjs";

const GRACE = { COLLABFLOW_PRESENCE__GRACE: "300ms" };

const server = await serve(GRACE);
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");

describe("no recovery", () => {
  for (const [what, offset] of Object.entries({
    "an offset that was never given": () => "4000000000",
    "an offset that is none": () => "1-0",
    "an offset that is no text": (now) => Number(now),
    "no offset": () => undefined,
  })) {
    it(`with ${what}: the old session is over, and its user has left when the grace is over`, async () => {
      const here = await scene(ada, ben);
      const { board, client, watcher } = here;
      const before = identity(client);
      await away(here, async () => {
        client.socket.auth = { token: ben.token, recovery: true, offset: offset(before.offset) };
        await board.say("missed");
        client.take();
      });
      await watcher.find("user:left", ({ userId }) => userId === ben._id);
      await assertFresh(here, before);
    });
  }

  it("with a pid that nobody has", async () => {
    const here = await scene(ada, ben);
    const before = identity(here.client);
    const auth = { token: ben.token, recovery: true, pid: "A".repeat(20), offset: before.offset };
    const client = await connect(server.url, ben, { auth });
    await assertFresh({ ...here, client }, before);
  });

  it("with somebody else's pid, whose owner notices nothing", async () => {
    const here = await scene(ada, ben);
    const { board, client, watcher } = here;
    await board.add(cleo);
    const before = identity(client);
    const auth = { token: cleo.token, recovery: true, pid: before.pid, offset: before.offset };
    await board.say("for Ben");
    const thief = await connect(server.url, cleo, { auth });
    await client.next("chat:newMessage");
    await assertFresh({ ...here, client: thief }, before);
    await board.settle(client);
    await away(here, () => board.say("missed"));
    assert.equal(client.socket.recovered, true);
    assert.equal(client.id, before.id);
    assert.equal((await replayed(client)).length, 1);
    await board.silent(client);
    assert.ok(!(await heardSince(board, watcher)).has("user:left"));
  });

  it("with a token that is no longer good", async () => {
    const here = await scene(ada, ben);
    const { client, proxy } = here;
    client.socket.auth = { token: "revoked", recovery: true };
    const refused = client.happens("connect_error");
    proxy.cut({ way: "hard", all: true });
    assert.equal((await refused)[0].message, "Invalid or expired token");
  });

  it("after a disconnect that the client asked for", async () => {
    const here = await scene(ada, ben);
    const { client, watcher } = here;
    const before = identity(client);
    client.socket.disconnect();
    await watcher.find("user:left");
    const back = client.happens("connect");
    client.socket.connect();
    await back;
    await assertFresh(here, before);
  });

  it("after the window", async () => {
    const brief = await serve({ ...GRACE, COLLABFLOW_RECOVERY__WINDOW: "100ms" });
    const here = await scene(...(await people(brief, "Ada", "Ben")));
    const { client, watcher } = here;
    const before = identity(client);
    await away(here, () => watcher.find("user:left")); // the grace is longer than the window
    await assertFresh(here, before);
  });

  it("where more was missed than is kept, though less can be", async () => {
    const small = await serve({ ...GRACE, COLLABFLOW_RECOVERY__BYTES: "5000" });
    const here = await scene(...(await people(small, "Ada", "Ben")));
    const { board, client } = here;
    await away(here, () => board.say("x".repeat(3_000)));
    assert.equal(client.socket.recovered, true);
    assert.equal((await replayed(client)).length, 1);
    await board.chatSilent(client);
    const before = identity(client);
    await away(here, async () => {
      for (let n = 0; n < 3; n++) await board.say("x".repeat(3_000));
    });
    await assertFresh(here, before);
  });

  it("after a restart of the server", async () => {
    const mortal = await serve(GRACE);
    const here = await scene(...(await people(mortal, "Ada", "Ben")));
    const { client } = here;
    const before = identity(client);
    const back = client.happens("connect");
    await mortal.restart();
    await back;
    await assertFresh(here, before);
  });
});

describe("recovery.mode", () => {
  it('"always" gives recovery to clients that do not ask', async () => {
    const always = await serve({ COLLABFLOW_RECOVERY__MODE: "always" });
    const [first, second] = await people(always, "Ada", "Ben");
    const here = await scene(first, second, { auth: { token: second.token } });
    const { board, client } = here;
    const { id } = identity(client);
    await away(here, () => board.say("missed"));
    assert.equal(client.socket.recovered, true);
    assert.equal(client.id, id);
    assert.equal((await replayed(client)).length, 1);
  });

  it('"off" gives a rejoin to clients that ask', async () => {
    const off = await serve({ COLLABFLOW_RECOVERY__MODE: "off" });
    const [first, second] = await people(off, "Ada", "Ben");
    const auth = { token: second.token, recovery: true };
    const here = await scene(first, second, { asks: false, auth });
    const { board, client } = here;
    const { id } = identity(client);
    await away(here, () => board.say("missed"));
    assert.equal(client.socket.recovered, false);
    assert.notEqual(client.id, id);
    const missed = await replayed(client, { missed: 1 });
    assert.deepEqual(
      missed.map(({ args }) => args.length),
      [1],
    );
    await board.silent(client);
  });

  it("begins afresh in rooms that are joined anew, and recovers from there", async () => {
    const here = await scene(ada, ben);
    const { board, client } = here;
    const before = identity(client);
    await away(here, async () => {
      client.socket.auth = { token: ben.token, recovery: true, offset: "x" };
    });
    await assertFresh(here, before);
    client.socket.auth = { token: ben.token, recovery: true };
    await enter(board, client);
    await away(here, () => board.say("missed"));
    assert.equal(client.socket.recovered, true);
    assert.equal((await replayed(client)).length, 1);
  });
});
