// What becomes of projects and channels is told in their own room and in the workspace's,
// once a socket whatever rooms it is in, to members of the project only, and to its author too.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TRANSPORTS, connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");

const LIFECYCLE = ["project:created", "project:updated", "project:deleted", "channel:created", "channel:deleted"];

/** One change of each kind; resolves with the events that must be told, in order. */
async function everyChange(author, board) {
  const project = await author.rest.post("/api/projects", { name: "New", workspaceId: board.workspace._id });
  await author.rest.patch(`/api/projects/${board.id}`, { name: "Renamed" });
  const channel = await author.rest.post("/api/channels", { name: "random", projectId: board.id });
  await author.rest.delete(`/api/channels/${channel._id}`);
  await author.rest.delete(`/api/projects/${project._id}`);
  return {
    "project:created": { project, createdBy: author.face },
    "project:updated": { projectId: board.id, updates: { name: "Renamed" }, updatedBy: author.face },
    "channel:created": { channel, createdBy: author.face },
    "channel:deleted": { channelId: channel._id, projectId: board.id, deletedBy: author.face },
    "project:deleted": { projectId: project._id, deletedBy: author.face },
  };
}

/** What `client` has been told of lifecycles; leaving its rooms comes after whatever they told it. */
async function told(client, board) {
  await client.do("leave:project", board.id);
  await client.do("leave:workspace", board.workspace._id);
  return client.take().filter(({ event }) => LIFECYCLE.includes(event));
}

const asList = (events) => Object.entries(events).map(([event, data]) => ({ event, data }));
const plain = (heard) => heard.map(({ event, data }) => ({ event, data }));

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`lifecycle events ${way}`, () => {
    it("reach a socket in the workspace room, the author too", async () => {
      const board = await Board.of(ada, ben);
      const author = await connect(server.url, ada, { transports });
      await author.do("join:workspace", board.workspace._id);
      const changes = await everyChange(ada, board);
      assert.deepEqual(plain(await told(author, board)), asList(changes));
    });

    it("of a project reach those in its own room", async () => {
      const board = await Board.of(ada, ben);
      const member = await connect(server.url, ben, { transports });
      await member.do("join:project", board.id);
      const changes = await everyChange(ada, board);
      const own = asList(changes).filter(({ event }) => !["project:created", "project:deleted"].includes(event));
      assert.deepEqual(plain(await told(member, board)), own);
    });

    it("are told once to a socket that is in both rooms", async () => {
      const board = await Board.of(ada, ben);
      const member = await connect(server.url, ben, { transports });
      await member.do("join:workspace", board.workspace._id);
      await member.do("join:project", board.id);
      for (let i = 0; i < 10; i++) await ada.rest.patch(`/api/projects/${board.id}`, { name: `Name ${i}` });
      const names = (await told(member, board)).map(({ data }) => data.updates.name);
      assert.deepEqual(
        names,
        Array.from({ length: 10 }, (_, i) => `Name ${i}`),
      );
    });
  });
}

describe("lifecycle events", () => {
  it("pass by a member of the workspace who is no member of the project", async () => {
    const board = await Board.of(ada, ben);
    await ada.rest.post(`/api/workspaces/${board.workspace._id}/members`, { userId: cleo._id });
    const outsider = await connect(server.url, cleo);
    await outsider.do("join:workspace", board.workspace._id);
    await everyChange(ada, board);
    assert.deepEqual(await told(outsider, board), []);
  });

  it("of a deleted project close its rooms and its channels, without user:left", async () => {
    const board = await Board.of(ada, ben);
    const [owner, member] = await Promise.all([ada, ben].map((person) => connect(server.url, person)));
    await board.gather(owner, member);
    await board.chat(member);
    await ada.rest.delete(`/api/projects/${board.id}`);

    assert.equal((await owner.refused("join:project", board.id)).code, "not_found");
    assert.equal((await member.refused("join:project", board.id)).code, "not_found");
    assert.equal(
      (await member.refused("chat:message", { channelId: board.channel._id, content: "x" })).code,
      "not_found",
    );
    const project = { event: "project:deleted", data: { projectId: board.id, deletedBy: ada.face } };
    const channel = {
      event: "channel:deleted",
      data: { channelId: board.channel._id, projectId: board.id, deletedBy: ada.face },
    };
    assert.deepEqual(
      plain(owner.take()).filter(({ event }) => event !== channel.event),
      [project],
    );
    assert.deepEqual(
      plain(member.take()).sort((a, b) => b.event.localeCompare(a.event)),
      [project, channel],
    );
    assert.equal((await ben.rest.raw("GET", `/api/tasks/project/${board.id}`)).status, 404);
  });

  it("of a deleted workspace close everything in it", async () => {
    const board = await Board.of(ada, ben);
    const member = await connect(server.url, ben);
    await board.gather(member);
    await board.chat(member);
    await member.do("join:workspace", board.workspace._id);
    await member.next("room:users");
    await ada.rest.delete(`/api/workspaces/${board.workspace._id}`);

    const deleted = await member.find("workspace:deleted");
    assert.deepEqual(deleted, { workspaceId: board.workspace._id, deletedBy: ada.face });
    for (const [event, id] of [
      ["join:workspace", board.workspace._id],
      ["join:project", board.id],
      ["chat:join", board.channel._id],
    ]) {
      assert.equal((await member.refused(event, id)).code, "not_found");
    }
    assert.ok(!member.take().some(({ event }) => event === "user:left"));
    assert.equal((await ben.rest.raw("GET", `/api/projects/${board.id}`)).status, 404);
  });

  it("of a channel are told to those who only chat in it", async () => {
    const board = await Board.of(ada, ben);
    const member = await connect(server.url, ben);
    await board.chat(member);
    await ada.rest.delete(`/api/channels/${board.channel._id}`);
    assert.deepEqual(await member.next("channel:deleted"), {
      channelId: board.channel._id,
      projectId: board.id,
      deletedBy: ada.face,
    });
    assert.equal((await member.refused("chat:join", board.channel._id)).code, "not_found");
  });
});
