// Rule 5, presence is by user: several tabs are one presence, a reload or a short drop is none of anybody's business,
// and a leave or a wanted disconnect is told at once.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TRANSPORTS, connect } from "./client.mjs";
import { mint } from "../lib/tokens.mjs";
import { Board, people, registered, seated, serve } from "./support.mjs";

// With a grace of a minute whatever is told is told at once; with a short one it can be waited out.
const patient = await serve({ COLLABFLOW_PRESENCE__GRACE: "60s" });
const brisk = await serve({ COLLABFLOW_PRESENCE__GRACE: "400ms" });

const crew = (server) => people(server, "Ada", "Ben", "Cleo");

/** A board where Ada watches and Ben has `tabs` tabs open. */
async function watched(server, tabs, options) {
  const [ada, ben, cleo] = await crew(server);
  const board = await Board.of(ada, ben, cleo);
  const [watcher, ...bens] = await seated(board, [ada, ...Array(tabs).fill(ben)], options);
  return { board, ada, ben, cleo, watcher, bens };
}

const left = (board, user) => ({ userId: user._id, projectId: board.id });

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`presence ${way}`, () => {
    it("a second tab is no second joining, and closing it is no leaving", async () => {
      const { board, ben, watcher, bens } = await watched(patient, 1, { transports });
      const second = await connect(patient.url, ben, { transports });
      await second.do("join:project", board.id);
      const { users } = await second.next("room:users");
      assert.equal(users.filter((id) => id === ben._id).length, 1);
      await board.silent(watcher, bens[0], second);

      second.close();
      await board.silent(watcher, bens[0]);
    });

    it("the leave of the last tab is told at once", async () => {
      const { board, ben, watcher, bens } = await watched(patient, 2, { transports });
      await bens[0].do("leave:project", board.id);
      await board.silent(watcher);
      await bens[1].do("leave:project", board.id);
      assert.deepEqual(await watcher.next("user:left"), left(board, ben));
      await board.silent(watcher);
    });

    it("a disconnect that the client asked for is told at once", async () => {
      const { board, ben, watcher, bens } = await watched(patient, 1, { transports });
      bens[0].socket.disconnect();
      assert.deepEqual(await watcher.next("user:left"), left(board, ben));
      await board.silent(watcher);
    });

    it("a drop is told after the grace", async () => {
      const { board, ben, watcher, bens } = await watched(brisk, 1, { transports });
      bens[0].drop();
      assert.deepEqual(await watcher.next("user:left"), left(board, ben));
      await board.silent(watcher);
    });

    it("a reload within the grace is told to nobody", async () => {
      const { board, ben, cleo, watcher, bens } = await watched(patient, 1, { transports });
      bens[0].drop();
      const reloaded = await connect(patient.url, ben, { transports });
      await reloaded.do("join:project", board.id);
      assert.ok((await reloaded.next("room:users")).users.includes(ben._id));
      await board.silent(watcher, reloaded);
      const late = await connect(patient.url, cleo, { transports });
      const { users } = await late.do("join:project", board.id);
      assert.equal(users.length, 3);
    });
  });
}

describe("presence", () => {
  // Cleo drops last of all: hers is the first user:left only where none was due before.
  const nobodyElseLeft = async ({ board, cleo, watcher }) => {
    const witness = await connect(brisk.url, cleo);
    await witness.do("join:project", board.id);
    await watcher.next("user:joined");
    witness.drop();
    assert.deepEqual(await watcher.next("user:left"), left(board, cleo));
  };

  it("a reload leaves no user:left behind that comes after the grace", async () => {
    const scene = await watched(brisk, 1);
    scene.bens[0].drop();
    const reloaded = await connect(brisk.url, scene.ben);
    await reloaded.do("join:project", scene.board.id);
    await nobodyElseLeft(scene);
  });

  it("a dropped tab is no leaving while another is there", async () => {
    const scene = await watched(brisk, 2);
    scene.bens[0].drop();
    await nobodyElseLeft(scene);
  });

  it("tabs that drop one after the other leave once", async () => {
    const { board, ben, watcher, bens } = await watched(brisk, 3);
    for (const tab of bens) tab.drop();
    assert.deepEqual(await watcher.next("user:left"), left(board, ben));
    await board.silent(watcher);
  });

  it("a user within the grace is still among the users of the room", async () => {
    const { board, ben, cleo, bens } = await watched(patient, 1);
    bens[0].drop();
    const late = await connect(patient.url, cleo);
    await late.do("join:project", board.id);
    assert.ok((await late.next("room:users")).users.includes(ben._id));
  });

  it("a user whose grace is over is back with a user:joined", async () => {
    const { board, ben, watcher, bens } = await watched(brisk, 1);
    bens[0].drop();
    await watcher.next("user:left");
    const back = await connect(brisk.url, ben);
    await back.do("join:project", board.id);
    assert.deepEqual(await watcher.next("user:joined"), { userId: ben._id, user: ben.face, projectId: board.id });
  });

  it("a disconnect is told in each room that the user was in", async () => {
    const { board, ben, watcher, bens } = await watched(patient, 1);
    await watcher.do("join:workspace", board.workspace._id);
    await bens[0].do("join:workspace", board.workspace._id);
    await watcher.find("user:joined");
    bens[0].socket.disconnect();
    const heard = [await watcher.next("user:left"), await watcher.next("user:left")];
    assert.deepEqual(
      heard.sort((a) => (a.projectId ? -1 : 1)),
      [left(board, ben), { userId: ben._id, workspaceId: board.workspace._id }],
    );
  });

  it("a leave of one room keeps the presence in another", async () => {
    const { board, ben, watcher, bens } = await watched(patient, 1);
    await watcher.do("join:workspace", board.workspace._id);
    await bens[0].do("join:workspace", board.workspace._id);
    await watcher.find("user:joined");
    await bens[0].do("leave:project", board.id);
    assert.deepEqual(await watcher.next("user:left"), left(board, ben));
    await board.workspaceSilent(watcher);
  });

  it("a name that the store knows is told before that of the token", async () => {
    const [ada] = await crew(patient);
    const grace = await registered(patient, "Grace");
    const board = await Board.of(ada, grace);
    const [watcher] = await seated(board, [ada]);
    const stale = mint({ userId: grace._id, name: "Old name", email: "old@example.com" });
    const client = await connect(patient.url, grace, { auth: { token: stale } });
    await client.do("join:project", board.id);
    const joined = await watcher.next("user:joined");
    assert.deepEqual(joined.user, grace.face);
  });
});
