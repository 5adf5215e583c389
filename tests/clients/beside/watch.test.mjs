// `mongodb.watch`: on a replica set a change that another program makes is told at once, nobody has to announce it; and
// what CollabFlow writes itself, which comes back in the same stream, is told once.
//
// Silence is proven with a change of Node's to the same collection: whatever came before it in the stream has passed.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Board, registered, seated } from "../contract/support.mjs";
import { startServer } from "../lib/server.mjs";
import { database, sideBySide } from "./support.mjs";

const mongod = await database({ replicaSet: true });
const pair = await sideBySide(mongod, { COLLABFLOW_MONGODB__WATCH: "true" });
const { server, models } = pair;
const [ada, ben] = [await registered(server, "Ada"), await registered(server, "Ben")];
const node = pair.atNode(ada);

let board,
  adas,
  bens,
  both,
  markers = 0;
beforeEach(async () => {
  board = await Board.of(ada, ben);
  both = [adas, bens] = await seated(board, [ada, ben]);
  await board.chat(...both);
});

/** The data of `event`, which must be the next that each of `clients` hears, and the same for all. */
async function told(event, clients = both) {
  const [first, ...rest] = await Promise.all(clients.map((client) => client.next(event)));
  for (const data of rest) assert.deepEqual(data, first);
  return first;
}

/** Fails where anything of tasks has come before a new task of Node's. */
async function noTaskMore(clients = both) {
  const title = `marker ${++markers}`;
  await node.post("/api/tasks", { projectId: board.id, title, status: "in-progress" });
  assert.equal((await told("task:created", clients)).task.title, title);
}

/** The same for projects. */
async function noProjectMore(clients = both) {
  const description = `marker ${++markers}`;
  await node.patch(`/api/projects/${board.id}`, { description });
  assert.equal((await told("project:updated", clients)).updates.description, description);
}

describe("a task that Node", () => {
  it("creates is told at once", async () => {
    const made = await node.post("/api/tasks", { projectId: board.id, title: "Node's" });
    const { task } = await told("task:created");
    assert.deepEqual([task._id, task.title, task.createdBy._id], [made._id, "Node's", ada._id]);
    assert.deepEqual(task, await board.stored(made));
    await noTaskMore();
  });

  it("changes is told at once, with a new version each time", async () => {
    const { _id } = await node.post("/api/tasks", { projectId: board.id, title: "Zero" });
    let last = (await told("task:created")).task.version;
    for (const title of ["One", "Two", "Three"]) {
      await node.patch(`/api/tasks/${_id}`, { title });
      const data = await told("task:updated");
      assert.deepEqual([data.taskId, data.updates.title], [_id, title]);
      assert.ok(data.version > last, `version ${data.version} is told after ${last}`);
      last = data.version;
    }
    const stored = await board.stored({ _id });
    assert.deepEqual([stored.title, stored.version], ["Three", last]);
    await noTaskMore();
  });

  it("deletes is told at once", async () => {
    const task = await board.task();
    await told("task:created");
    await node.delete(`/api/tasks/${task._id}`);
    assert.equal((await told("task:deleted")).taskId, task._id);
    await noTaskMore();
  });

  it("changes and a page announces is told once", async () => {
    const task = await board.task();
    await told("task:created");
    const answer = await node.patch(`/api/tasks/${task._id}`, { title: "Node's" });
    assert.equal((await told("task:updated")).updates.title, "Node's");
    await adas.do("task:update", { projectId: board.id, taskId: task._id, updates: answer });
    await noTaskMore();
  });

  it("creates or deletes and a page announces at the same moment is told once to the others", async () => {
    const answer = await node.post("/api/tasks", { projectId: board.id, title: "Node's" });
    await adas.do("task:create", { projectId: board.id, task: answer });
    assert.equal((await bens.next("task:created")).task._id, answer._id);
    await noTaskMore([bens]);
    await node.delete(`/api/tasks/${answer._id}`);
    await adas.do("task:delete", { projectId: board.id, taskId: answer._id });
    assert.equal((await bens.next("task:deleted")).taskId, answer._id);
    await noTaskMore([bens]);
  });

  it("changes while CollabFlow does is told with both", async () => {
    const task = await board.task({ title: "0", description: "0" });
    await told("task:created");
    const path = `/api/tasks/${task._id}`;
    const times = [...Array(10).keys()];
    const write = async (rest, field) => {
      for (const n of times) await rest.patch(path, { [field]: `${n}` });
    };
    await Promise.all([write(node, "title"), write(ben.rest, "description")]);
    const stored = await board.stored(task);
    const shown = { title: "0", description: "0" };
    let last = task.version;
    while (shown.title !== "9" || shown.description !== "9") {
      const { updates, version } = await told("task:updated");
      assert.ok(version > last, `version ${version} is told after ${last}`);
      last = version;
      Object.assign(shown, updates);
    }
    assert.deepEqual([shown.title, shown.description], [stored.title, stored.description]);
    await noTaskMore();
  });
});

describe("of messages and places", () => {
  it("a message of Node's is told at once", async () => {
    const { _id } = await node.post(`/api/channels/${board.channel._id}/messages`, { content: "Hello" });
    const message = await told("chat:newMessage");
    assert.deepEqual([message._id, message.content, message.sender.name], [_id, "Hello", "Ada"]);
    assert.deepEqual(await board.messages(), [message]);
    await board.chatSilent(...both);
  });

  it("a channel that Node makes or deletes is told at once", async () => {
    const { _id } = await node.post("/api/channels", { name: "random", projectId: board.id });
    const { channel } = await told("channel:created");
    assert.deepEqual([channel._id, channel.name, channel.project], [_id, "random", board.id]);
    await node.delete(`/api/channels/${_id}`);
    assert.equal((await told("channel:deleted")).channelId, _id);
    await node.delete(`/api/channels/${board.channel._id}`);
    assert.equal((await told("channel:deleted")).channelId, board.channel._id);
  });

  it("a project that Node renames or deletes is told at once", async () => {
    await node.patch(`/api/projects/${board.id}`, { name: "New" });
    const { projectId, updates } = await told("project:updated");
    assert.deepEqual([projectId, updates.name], [board.id, "New"]);
    await noProjectMore();
    await node.delete(`/api/projects/${board.id}`);
    assert.equal((await told("project:deleted")).projectId, board.id);
    assert.equal((await adas.ask("join:project", board.id)).ok, false);
  });

  it("a project that Node makes is told to its members in the workspace", async () => {
    for (const client of both) await client.do("join:workspace", board.workspace._id);
    for (const client of both) client.take();
    const { _id } = await node.post("/api/projects", { name: "Second", workspaceId: board.workspace._id });
    assert.equal((await adas.next("project:created")).project._id, _id);
    // Ben is no member of it: he hears of the first project next.
    await node.patch(`/api/projects/${board.id}`, { name: "Marker" });
    assert.equal((await told("project:updated")).updates.name, "Marker");
  });

  it("a workspace that Node deletes is told at once", async () => {
    for (const client of both) await client.do("join:workspace", board.workspace._id);
    for (const client of both) client.take();
    await node.delete(`/api/workspaces/${board.workspace._id}`);
    for (const client of both)
      await client.find("workspace:deleted", ({ workspaceId }) => workspaceId === board.workspace._id);
  });
});

describe("a member whom Node removes", () => {
  it("is out of the room at once: the others hear of it, and the member nothing more", async () => {
    await node.delete(`/api/projects/${board.id}/members/${ben._id}`);
    assert.deepEqual(await adas.next("user:left"), { userId: ben._id, projectId: board.id });
    await noTaskMore([adas]);
    assert.equal((await bens.refused("join:project", board.id)).code, "forbidden");
    assert.deepEqual(bens.take(), []);
  });

  it("comes back by Node's invitation", async () => {
    await node.delete(`/api/projects/${board.id}/members/${ben._id}`);
    await adas.next("user:left");
    await node.post(`/api/projects/${board.id}/members`, { userId: ben._id });
    await bens.do("join:project", board.id);
    await adas.next("user:joined");
  });
});

describe("what CollabFlow writes itself", () => {
  it("is told once: tasks", async () => {
    const task = await board.task();
    assert.equal((await told("task:created")).task._id, task._id);
    await noTaskMore();
    const path = `/api/tasks/${task._id}`;
    await ada.rest.patch(path, { title: "New" });
    assert.deepEqual((await told("task:updated")).updates, { title: "New" });
    await noTaskMore();
    await ada.rest.post(`${path}/move`, { toStatus: "done" });
    assert.equal((await told("task:moved")).toStatus, "done");
    await noTaskMore();
    await bens.do("task:update", { projectId: board.id, taskId: task._id, updates: { priority: "high" } });
    assert.deepEqual((await adas.next("task:updated")).updates, { priority: "high" });
    await noTaskMore();
    await ada.rest.delete(path);
    assert.equal((await told("task:deleted")).taskId, task._id);
    await noTaskMore();
  });

  it("is told once: messages", async () => {
    for (const [client, content] of [
      [adas, "One"],
      [bens, "Two"],
    ]) {
      await client.do("chat:message", { channelId: board.channel._id, content });
      assert.equal((await told("chat:newMessage")).content, content);
    }
    await node.post(`/api/channels/${board.channel._id}/messages`, { content: "marker" });
    assert.equal((await told("chat:newMessage")).content, "marker");
  });

  it("is told once: projects and channels", async () => {
    await ada.rest.patch(`/api/projects/${board.id}`, { name: "New" });
    assert.equal((await told("project:updated")).updates.name, "New");
    await noProjectMore();
    const channel = await ada.rest.post("/api/channels", { name: "random", projectId: board.id });
    assert.equal((await told("channel:created")).channel._id, channel._id);
    await ada.rest.delete(`/api/channels/${channel._id}`);
    assert.equal((await told("channel:deleted")).channelId, channel._id);
    const marker = await node.post("/api/channels", { name: "marker", projectId: board.id });
    assert.equal((await told("channel:created")).channel._id, marker._id);
  });
});

it("a user whom another program renames has the new name in what is told from then on", async () => {
  await models.User.updateOne({ _id: ben._id }, { name: "Benjamin" });
  await noTaskMore();
  const face = { ...ben.face, name: "Benjamin" };
  await bens.do("chat:typing", { channelId: board.channel._id, isTyping: true });
  assert.deepEqual((await adas.next("chat:userTyping")).user, face);
  await bens.do("chat:typing", { channelId: board.channel._id, isTyping: false });
  assert.deepEqual((await adas.next("chat:userTyping")).user, face);
  const made = await bens.do("task:create", { projectId: board.id, task: { title: "By Benjamin" } });
  assert.deepEqual(made.task.createdBy, face);
  const { task, createdBy } = await adas.next("task:created");
  assert.deepEqual([task._id, createdBy, task.createdBy], [made.task._id, face, face]);
  const message = await bens.do("chat:message", { channelId: board.channel._id, content: "Hello" });
  assert.equal(message.message.sender.name, "Benjamin");
  assert.equal((await told("chat:newMessage")).sender.name, "Benjamin");
  const { users } = await adas.do("join:project", board.id);
  assert.deepEqual(users.find(({ _id }) => _id === ben._id), face);
});

it("MongoDB dies and is back: what Node wrote meanwhile is told, or the room is told to load afresh", async () => {
  await mongod.kill9();
  await mongod.restart();
  const place = { project: board.id, workspace: board.workspace._id, createdBy: ada._id };
  const made = await models.Task.create({ ...place, title: "Meanwhile" });
  for (const client of both) {
    const heard = await client.any("what happened meanwhile", 20_000);
    if (heard.event === "room:resync") continue;
    assert.deepEqual([heard.event, heard.data.task._id], ["task:created", made.id]);
  }
});

it("a server that watches ends when it is told to", async () => {
  const other = await startServer({ env: { MONGODB_URI: mongod.uri("other"), COLLABFLOW_MONGODB__WATCH: "true" } });
  assert.equal(await other.stop(), 0);
});
