// Connection state recovery: a client that asks for it is the same session after a dropped connection, in its rooms,
// and is told each durable event that it missed, once, in one order over all its rooms.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TRANSPORTS, connect } from "./client.mjs";
import { EPHEMERAL, away, heardSince, identity, replayed, scene } from "./comeback.mjs";
import { ISO_TIME, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`recovery ${way}`, () => {
    it("gives the same session back, again and again, with all that was missed in one order", async () => {
      const here = await scene(ada, ben, { transports });
      const { board, watcher, client } = here;
      const { id, pid } = identity(client);
      for (let round = 1; round <= 4; round++) {
        const expected = [];
        await away(here, async () => {
          for (let n = 0; n < round; n++) {
            expected.push((await board.say(`round ${round}`))._id);
            const task = await board.task({ title: `round ${round}` });
            await ada.rest.patch(`/api/tasks/${task._id}`, { title: "changed" });
            expected.push(task._id, task._id);
          }
        });
        assert.equal(client.socket.recovered, true);
        assert.deepEqual({ id: client.id, pid: client.socket._pid }, { id, pid });
        const missed = await replayed(client);
        const told = missed.map(({ data }) => data.taskId ?? data.task?._id ?? data._id);
        assert.deepEqual(told, expected);
        await client.connected();
        await board.silent(client);
        await board.chatSilent(client);
        const noticed = await heardSince(board, watcher);
        assert.ok(!noticed.has("user:left") && !noticed.has("user:joined"));
        await client.next("task:created");
      }
      await board.workspaceSilent(client);
      await client.do("leave:project", board.id);
      assert.equal((await watcher.find("user:left")).userId, ben._id);
    });
  });
}

describe("recovery", () => {
  it("says first who the session is, with an offset to come back with", async () => {
    const { session, client } = await scene(ada, ben);
    assert.equal(session.event, "session");
    assert.equal(session.data.userId, ben._id);
    assert.match(session.data.expiresAt, ISO_TIME);
    assert.equal(typeof session.args[1], "string");
    assert.equal(client.socket.recovered, false);
  });

  it("says nothing and adds nothing for a client that does not ask for it", async () => {
    for (const recovery of [undefined, false, "true", 1]) {
      const here = await scene(ada, ben, { asks: false, auth: { token: ben.token, recovery } });
      const { board, client } = here;
      const { id } = identity(client);
      await board.task();
      assert.equal((await client.any()).args.length, 1);
      await away(here, () => board.say("missed"));
      assert.equal(client.socket.recovered, false);
      assert.notEqual(client.id, id);
      const missed = await replayed(client, { missed: 1 });
      assert.deepEqual(
        missed.map(({ event, args }) => [event, args.length]),
        [["chat:newMessage", 1]],
      );
      await board.silent(client);
    }
  });

  it("adds an offset to what is durable, ever greater, and to nothing else", async () => {
    const { board, watcher, client } = await scene(ada, ben);
    await board.add(cleo);
    const third = await connect(server.url, cleo);
    await third.do("join:project", board.id);
    await watcher.do("chat:typing", { channelId: board.channel._id, isTyping: true });
    const task = await board.task();
    await ada.rest.patch(`/api/tasks/${task._id}`, { title: "changed" });
    await ada.rest.post(`/api/tasks/${task._id}/move`, { toStatus: "done" });
    await ada.rest.delete(`/api/tasks/${task._id}`);
    await ada.rest.patch(`/api/projects/${board.id}`, { description: "changed" });
    await watcher.do("chat:typing", { channelId: board.channel._id, isTyping: false });
    await third.do("leave:project", board.id);
    client.send("no:such", {});
    await client.do("join:project", board.id);
    const acks = await new Promise((done) => client.socket.emit("chat:join", board.channel._id, (...args) => done(args)));
    assert.equal(acks.length, 1);
    const message = await board.say("the last");

    const heard = [];
    while (heard.at(-1)?.data._id !== message._id) heard.push(await client.any());
    const names = new Set(heard.map(({ event }) => event));
    for (const event of ["user:joined", "user:left", "room:users", "chat:userTyping", "error"]) {
      assert.ok(names.has(event), event);
    }
    const offsets = [];
    for (const { event, args } of heard) {
      if (EPHEMERAL.includes(event)) assert.equal(args.length, 1, event);
      else offsets.push(args[1]);
    }
    assert.equal(offsets.length, 6);
    assert.ok(offsets.every((offset) => typeof offset === "string"));
    const numbers = offsets.map(Number);
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
    assert.equal(new Set(numbers).size, numbers.length);
  });

  it("works before anything was told, and in no room", async () => {
    const here = await scene(ada, ben);
    const { proxy, board } = here;
    const client = await connect(proxy.url, ben, { auth: { token: ben.token, recovery: true } });
    const { id } = identity(client);
    await client.next("session");
    await away({ proxy, client });
    assert.equal(client.socket.recovered, true);
    assert.equal(client.id, id);
    await client.do("chat:join", board.channel._id);
    await board.chatSilent(client);
  });

  it("tells nobody that the session was away, and not the session what passes or its own changes", async () => {
    const here = await scene(ada, ben);
    const { board, watcher, client } = here;
    await client.do("task:create", { projectId: board.id, task: { title: "Mine" } });
    await watcher.next("task:created");
    await away(here, async () => {
      await watcher.do("chat:typing", { channelId: board.channel._id, isTyping: true });
      await watcher.do("chat:typing", { channelId: board.channel._id, isTyping: false });
    });
    assert.deepEqual(await replayed(client), []);
    await board.silent(client, watcher);
  });

  it("does not give back a room that the session has left", async () => {
    const here = await scene(ada, ben);
    const { board, client } = here;
    await client.do("leave:project", board.id);
    await away(here, () => board.mark());
    assert.equal(client.socket.recovered, true);
    assert.deepEqual(await replayed(client, { rooms: 1 }), []);
    await board.mark();
    await board.chatSilent(client);
  });

  it("tells that a project was deleted meanwhile", async () => {
    const here = await scene(ada, ben);
    const { board, client } = here;
    await away(here, async () => {
      await board.task();
      await ada.rest.delete(`/api/projects/${board.id}`);
    });
    assert.equal(client.socket.recovered, true);
    const missed = await replayed(client, { rooms: 1 });
    assert.deepEqual(
      missed.map(({ event }) => event),
      ["task:created", "project:deleted", "channel:deleted"],
    );
  });

  it("gives neither the room nor what was told there to a member who was removed meanwhile", async () => {
    const here = await scene(ada, ben);
    const { board, client } = here;
    await away(here, async () => {
      await board.task({ title: "Before" });
      await ada.rest.delete(`/api/projects/${board.id}/members/${ben._id}`);
      await board.task({ title: "After" });
      await ada.rest.patch(`/api/workspaces/${board.workspace._id}`, { name: "Renamed" });
    });
    assert.equal(client.socket.recovered, true);
    assert.deepEqual(await replayed(client, { rooms: 1 }), []);
    await board.task({ title: "Later" });
    assert.equal((await client.refused("join:project", board.id)).code, "forbidden");
    assert.deepEqual(client.take(), []);
  });

  it("takes the place of a connection that still seems to live, which is closed", async () => {
    const { board, client, watcher } = await scene(ada, ben);
    const { id, pid, offset } = identity(client);
    client.socket.io.reconnection(false);
    const closed = client.happens("disconnect");
    const missed = await board.say("perhaps missed");
    const auth = { token: ben.token, recovery: true, pid, offset };
    const second = await connect(server.url, ben, { auth });
    await closed;
    assert.equal(second.id, id);
    const told = await replayed(second);
    assert.deepEqual(
      told.map(({ data }) => data._id),
      [missed._id],
    );
    await board.silent(second);
    assert.ok(!(await heardSince(board, watcher)).has("user:left"));
  });

  it("leaves the old connection of a rejoin as closed", async () => {
    const { board, client, watcher } = await scene(ada, ben, { asks: false });
    client.socket.io.reconnection(false);
    const closed = client.happens("disconnect");
    const second = await connect(server.url, ben, { auth: { token: ben.token, pid: client.socket._pid } });
    await closed;
    assert.deepEqual(await replayed(second), []);
    await board.silent(second, watcher);
  });
});
