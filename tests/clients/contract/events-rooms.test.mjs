// Joining and leaving projects and workspaces over each transport: who is told, who is not, and what the joiner gets.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { TRANSPORTS, connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo, dan] = await people(server, "Ada", "Ben", "Cleo", "Dan");

/** The two kinds of room with presence: their events, their id on a board, and how silence is shown in them. */
const ROOMS = {
  project: { key: "projectId", id: (board) => board.id, silent: (board, ...clients) => board.silent(...clients) },
  workspace: {
    key: "workspaceId",
    id: (board) => board.workspace._id,
    silent: (board, ...clients) => board.workspaceSilent(...clients),
  },
};

const sorted = (list, by = String) => [...list].sort((a, b) => by(a).localeCompare(by(b)));

for (const [kind, room] of Object.entries(ROOMS)) {
  const [join, leave] = [`join:${kind}`, `leave:${kind}`];

  for (const [way, transports] of Object.entries(TRANSPORTS)) {
    describe(`the room of a ${kind} ${way}`, () => {
      it("the joiner gets room:users, and the others user:joined", async () => {
        const board = await Board.of(ada, ben);
        const id = room.id(board);
        const [first, second] = await Promise.all(
          [ada, ben].map((person) => connect(server.url, person, { transports })),
        );

        const alone = await first.do(join, id);
        assert.deepEqual(alone.users, [ada.face]);
        assert.deepEqual(await first.next("room:users"), { [room.key]: id, users: [ada._id] });

        const both = await second.do(join, id);
        assert.deepEqual(
          sorted(both.users, (user) => user._id),
          sorted([ada.face, ben.face], (user) => user._id),
        );
        const { users, ...rest } = await second.next("room:users");
        assert.deepEqual(rest, { [room.key]: id });
        assert.deepEqual(sorted(users), sorted([ada._id, ben._id]));
        assert.deepEqual(await first.next("user:joined"), { userId: ben._id, user: ben.face, [room.key]: id });
        await room.silent(board, first, second);
      });

      it("who leaves is told to the others and hears no more", async () => {
        const board = await Board.of(ada, ben);
        const id = room.id(board);
        const [first, second] = await Promise.all(
          [ada, ben].map((person) => connect(server.url, person, { transports })),
        );
        await first.do(join, id);
        await second.do(join, id);
        await first.find("user:joined");
        await second.find("room:users");

        assert.equal((await second.do(leave, id)).ok, true);
        assert.deepEqual(await first.next("user:left"), { userId: ben._id, [room.key]: id });
        await room.silent(board, first);
        await second.do(join, id);
        await second.next("room:users");
      });
    });
  }

  describe(`joining a ${kind}`, () => {
    it("is for members: viewers may, strangers may not, and what is not there is not found", async () => {
      const board = await Board.of(ada, [cleo, "viewer"]);
      const [viewer, stranger] = await Promise.all([cleo, dan].map((person) => connect(server.url, person)));
      await viewer.do(join, room.id(board));
      assert.equal((await stranger.refused(join, room.id(board))).code, "forbidden");
      assert.equal((await stranger.refused(join, objectId())).code, "not_found");
      assert.equal((await stranger.refused(join, "nonsense")).code, "bad_id");
      stranger.send(join, room.id(board));
      const { event, code } = await stranger.next("error");
      assert.deepEqual({ event, code }, { event: join, code: "forbidden" });
    });

    it("twice from one socket is one presence, and leaving once is enough", async () => {
      const board = await Board.of(ada, ben);
      const id = room.id(board);
      const [first, second] = await Promise.all([ada, ben].map((person) => connect(server.url, person)));
      await first.do(join, id);
      await first.next("room:users");
      await second.do(join, id);
      await second.do(join, id);
      await first.next("user:joined");
      await room.silent(board, first);
      await second.do(leave, id);
      await first.next("user:left");
      await room.silent(board, first);
    });

    it("without an acknowledgement gets room:users all the same", async () => {
      const board = await Board.of(ada);
      const client = await connect(server.url, ada);
      client.send(join, room.id(board));
      assert.deepEqual(await client.next("room:users"), { [room.key]: room.id(board), users: [ada._id] });
    });
  });

  describe(`leaving a ${kind}`, () => {
    it("that one is not in is acknowledged and told to nobody", async () => {
      const board = await Board.of(ada, ben);
      const [first, second] = await Promise.all([ada, ben].map((person) => connect(server.url, person)));
      await first.do(join, room.id(board));
      await first.next("room:users");
      await second.do(leave, room.id(board));
      await room.silent(board, first);
    });
  });
}

describe("several rooms at once", () => {
  it("a socket hears each of its projects, and leaving one keeps the other", async () => {
    const [one, two] = await Promise.all([Board.of(ada, ben), Board.of(ada, ben)]);
    const client = await connect(server.url, ben);
    for (const board of [one, two]) {
      await client.do("join:project", board.id);
      await client.next("room:users");
      await board.silent(client);
    }
    await client.do("leave:project", one.id);
    await one.mark();
    await two.silent(client);
  });
});
