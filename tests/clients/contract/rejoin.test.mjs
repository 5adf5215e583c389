// Coming back: a client that joined once and whose TCP connection is cut is in its rooms again when it returns,
// under a new sid and pid, and is told what it missed, once. What it may not have back it does not get.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { TRANSPORTS, connect } from "./client.mjs";
import { away } from "./comeback.mjs";
import { Board, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");

/** Ada beside the proxy and Ben behind it, both in the project; Ben's client joins the other rooms where asked to. */
async function scene({ transports = ["websocket"], everywhere = false, via = server } = {}) {
  const proxy = await Proxy.to(via.port);
  after(() => proxy.close());
  const [first, second] = via === server ? [ada, ben] : await people(via, "Ada", "Ben");
  const board = await Board.of(first, second);
  const watcher = await connect(via.url, first);
  const client = await connect(proxy.url, second, { transports });
  await board.gather(watcher, client);
  if (everywhere) {
    await client.do("join:workspace", board.workspace._id);
    await board.chat(client, watcher);
    client.take();
  }
  return { proxy, board, watcher, client, via, owner: first, member: second };
}

/** Takes events until those in `counts` have been heard so often; returns them all. */
async function hear(client, counts) {
  const heard = [];
  const wanted = { ...counts };
  while (Object.values(wanted).some((n) => n > 0)) {
    const event = await client.any(`the rest of ${JSON.stringify(wanted)}`);
    wanted[event.event] -= 1;
    heard.push(event);
  }
  return heard;
}

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`a rejoin ${way}`, () => {
    it("gives the rooms back under a new sid and pid, again and again, and nobody notices", async () => {
      const here = await scene({ transports, everywhere: true });
      const { board, watcher, client, member } = here;
      const ids = new Set([client.id]);
      const pids = new Set([client.socket._pid]);
      for (let round = 1; round <= 5; round++) {
        await away(here);
        assert.equal(client.socket.recovered, false);
        ids.add(client.id);
        pids.add(client.socket._pid);
        assert.equal(ids.size, round + 1);
        assert.equal(pids.size, round + 1);

        const heard = await hear(client, { "room:users": 2 });
        assert.equal(heard.length, 2, "nothing was missed");
        const rooms = heard.map(({ data }) => data);
        const inProject = rooms.find(({ projectId }) => projectId === board.id);
        const inWorkspace = rooms.find(({ workspaceId }) => workspaceId === board.workspace._id);
        assert.equal(inProject.users.length, 2);
        assert.deepEqual(inWorkspace.users, [member._id]);
        await board.silent(client, watcher);
        await board.chatSilent(client, watcher);
      }
      await board.workspaceSilent(client);
    });

    it("tells what was missed once, room by room in order, and then who is there", async () => {
      const here = await scene({ transports, everywhere: true });
      const { board, client, owner } = here;
      const missed = [];
      await away(here, async () => {
        const task = await board.task({ title: "Missed" });
        await owner.rest.patch(`/api/tasks/${task._id}`, { title: "Missed too" });
        await owner.rest.post(`/api/tasks/${task._id}/move`, { toStatus: "done" });
        await owner.rest.delete(`/api/tasks/${task._id}`);
        for (const word of ["one", "two"]) missed.push((await board.say(word))._id);
      });
      const heard = await hear(client, { "room:users": 2, "chat:newMessage": 2 });
      const of = (prefix) => heard.filter(({ event }) => event.startsWith(prefix));
      const names = of("task:").map(({ event }) => event);
      assert.deepEqual(names, ["task:created", "task:updated", "task:moved", "task:deleted"]);
      assert.deepEqual(
        of("chat:").map(({ data }) => data._id),
        missed,
      );
      // Rooms do not wait for each other: in each, who is there comes after what was missed.
      const inProject = heard.filter(({ event, data }) => event.startsWith("task:") || data.projectId === board.id);
      assert.equal(inProject.at(-1).event, "room:users");
      await board.silent(client);
      await board.chatSilent(client);
    });
  });
}

describe("a rejoin", () => {
  it("does not tell what passes: typing that came and went", async () => {
    const here = await scene({ everywhere: true });
    const { board, watcher, client } = here;
    const channelId = board.channel._id;
    await away(here, async () => {
      await watcher.do("chat:typing", { channelId, isTyping: true });
      await watcher.do("chat:typing", { channelId, isTyping: false });
    });
    const heard = await hear(client, { "room:users": 2 });
    assert.deepEqual(
      heard.map(({ event }) => event),
      ["room:users", "room:users"],
    );
    await board.chatSilent(client);
  });

  it("does not tell the client its own changes", async () => {
    const here = await scene();
    const { board, client } = here;
    await client.do("task:create", { projectId: board.id, task: { title: "Mine" } });
    await away(here);
    await client.next("room:users");
    await board.silent(client);
  });

  it("tells again who came and went meanwhile by room:users alone", async () => {
    const here = await scene();
    const { board, watcher, client, via } = here;
    await board.add(cleo);
    await away(here, async () => {
      const third = await connect(via.url, cleo);
      await third.do("join:project", board.id);
      await watcher.next("user:joined");
    });
    const { users } = await client.next("room:users");
    assert.deepEqual(users.sort(), [ada._id, ben._id, cleo._id].sort());
    await board.silent(client);
  });

  it("gives back no room that the client has left", async () => {
    const here = await scene({ everywhere: true });
    const { board, client } = here;
    await client.do("leave:project", board.id);
    await away(here, () => board.mark());
    assert.equal((await client.next("room:users")).workspaceId, board.workspace._id);
    await board.mark();
    await board.chatSilent(client);
  });

  it("gives back no room to a member who was removed meanwhile", async () => {
    const here = await scene({ everywhere: true });
    const { board, client, member, owner } = here;
    await away(here, async () => {
      await owner.rest.delete(`/api/projects/${board.id}/members/${member._id}`);
      await board.task({ title: "Secret" });
    });
    assert.equal((await client.next("room:users")).workspaceId, board.workspace._id);
    await board.task({ title: "Secret too" });
    await board.say("Secret three");
    assert.equal((await client.refused("join:project", board.id)).code, "forbidden");
    assert.deepEqual(client.take(), []);
  });

  it("gives back nothing after a disconnect that the client asked for", async () => {
    const { board, client, watcher } = await scene();
    client.socket.disconnect();
    await watcher.next("user:left");
    const back = client.happens("connect");
    client.socket.connect();
    await back;
    await board.mark();
    await client.do("chat:join", board.channel._id);
    await board.chatSilent(client);
  });

  it("is not lost with its answer, though that is lost three times in a row", async () => {
    const { proxy, board, watcher, client } = await scene();
    const gone = client.happens("disconnect");
    proxy.mute();
    proxy.cut({ way: "hard" });
    await gone;
    for (let lost = 1; lost <= 3; lost++) {
      await eventually("an answer is lost", () => proxy.muted >= lost);
      await board.task({ title: `Task ${lost}` });
      if (lost === 3) proxy.unmute();
      proxy.cut({ way: "hard" });
    }
    const heard = await hear(client, { "room:users": 1 });
    const titles = heard.filter(({ event }) => event === "task:created").map(({ data }) => data.task.title);
    assert.deepEqual(titles, ["Task 1", "Task 2", "Task 3"]);
    await board.silent(client);
  });

  it("gives nothing for the pid of somebody else", async () => {
    const { board, client, watcher } = await scene({ everywhere: true });
    await board.add(cleo);
    const thief = await connect(server.url, cleo, { auth: { token: cleo.token, pid: client.socket._pid } });
    await board.mark();
    await board.say("For Ben");
    const { users } = await watcher.do("join:project", board.id);
    assert.ok(!users.some(({ _id }) => _id === cleo._id));
    assert.deepEqual(thief.take(), []);
    assert.notEqual(thief.id, client.id);
    await hear(client, { "task:created": 1, "chat:newMessage": 1 }); // Ben, still there, hears both
    await board.silent(client);
  });

  it("gives nothing for a pid that is no pid", async () => {
    const board = await Board.of(ada);
    for (const pid of ["unknown", "", 7, null, {}, "x".repeat(10_000)]) {
      const client = await connect(server.url, ada, { auth: { token: ada.token, pid } });
      await board.mark();
      await client.do("chat:join", board.channel._id);
      await board.chatSilent(client);
    }
  });

  it("is refused for a token that is no longer good", async () => {
    const here = await scene();
    const { client } = here;
    client.socket.auth = { token: "revoked" };
    const refused = client.happens("connect_error");
    const gone = client.happens("disconnect");
    here.proxy.cut({ way: "hard", all: true });
    await gone;
    assert.equal((await refused)[0].message, "Invalid or expired token");
  });
});

describe("a restored room", () => {
  it("is left again, as by a dropped connection, once the client joins another of its kind", async () => {
    const brief = await serve({ COLLABFLOW_PRESENCE__GRACE: "300ms" });
    const here = await scene({ via: brief });
    const { board, watcher, client, owner, member } = here;
    const other = await Board.of(owner, member);
    await away(here);
    await client.next("room:users");
    await board.silent(client, watcher);

    await client.do("join:project", other.id);
    assert.equal((await client.next("room:users")).projectId, other.id);
    await board.mark();
    await other.silent(client);
    assert.deepEqual(await watcher.find("user:left"), { userId: member._id, projectId: board.id });
  });

  it("stays where the client has joined it once more by itself", async () => {
    const here = await scene();
    const { board, watcher, client, owner, member } = here;
    const other = await Board.of(owner, member);
    await away(here);
    await client.next("room:users");
    for (const { id } of [board, other]) {
      await client.do("join:project", id);
      assert.equal((await client.next("room:users")).projectId, id);
    }
    await board.silent(client, watcher);
    await other.silent(client);
  });

  it("stays where the client joins rooms of other kinds", async () => {
    const here = await scene();
    const { board, client } = here;
    await away(here);
    await client.next("room:users");
    await client.do("join:workspace", board.workspace._id);
    await client.next("room:users");
    await board.chat(client);
    await board.silent(client);
    await board.chatSilent(client);
  });

  it("is left too where it is a channel", async () => {
    const here = await scene({ everywhere: true });
    const { board, client, owner } = here;
    const next = await owner.rest.post("/api/channels", { name: "next", projectId: board.id });
    await client.find("channel:created");
    await away(here);
    await hear(client, { "room:users": 2 });
    await client.do("chat:join", next._id);
    await board.say("Unheard");
    await owner.rest.post(`/api/channels/${next._id}/messages`, { content: "Heard" });
    assert.equal((await client.next("chat:newMessage")).content, "Heard");
  });
});

describe("the window of a rejoin", () => {
  it("is over after recovery.window: the client is in no room then", async () => {
    // The watcher is told of the client's leaving after the window has passed.
    const brief = await serve({ COLLABFLOW_RECOVERY__WINDOW: "200ms", COLLABFLOW_PRESENCE__GRACE: "900ms" });
    const here = await scene({ via: brief });
    const { board, client, watcher } = here;
    await away(here, async () => void (await watcher.next("user:left")));
    await board.mark();
    await board.chat(client);
    await board.chatSilent(client);
  });

  it("is never open where recovery.rejoin is false", async () => {
    const never = await serve({ COLLABFLOW_RECOVERY__REJOIN: "false" });
    const here = await scene({ via: never });
    const { board, client } = here;
    await away(here);
    await board.mark();
    await board.chat(client);
    await board.chatSilent(client);
  });
});

it("a message sent while the connection is cut is there once, by its clientId", async () => {
  const here = await scene({ everywhere: true });
  const { board, proxy, client } = here;
  const say = { channelId: board.channel._id, content: "Once", clientId: "repeated" };
  for (let round = 0; round < 3; round++) {
    const back = client.happens("connect");
    client.send("chat:message", say);
    proxy.cut({ way: "hard", all: true });
    await back;
  }
  await client.do("chat:message", say);
  assert.equal((await board.messages()).filter(({ clientId }) => clientId === say.clientId).length, 1);
});
