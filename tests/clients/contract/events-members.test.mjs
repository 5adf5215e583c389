// Rule 4, members only: membership and roles are checked at each event, and whoever is removed is out of the room
// before the removal is answered.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";
import { Board, people, seated, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");

/** Every event that changes or tells something, on a board with a task. */
const changes = (board, task) => [
  ["task:create", { projectId: board.id, task: { title: "No" } }],
  ["task:update", { projectId: board.id, taskId: task._id, updates: { title: "No" } }],
  ["task:move", { projectId: board.id, taskId: task._id, fromStatus: "todo", toStatus: "done" }],
  ["task:delete", { projectId: board.id, taskId: task._id }],
  ["chat:message", { channelId: board.channel._id, content: "No" }],
  ["chat:typing", { channelId: board.channel._id, isTyping: true }],
];
const joins = (board) => [
  ["join:project", board.id],
  ["chat:join", board.channel._id],
];

describe("members only", () => {
  it("a stranger may not join, change or write anything", async () => {
    const board = await Board.of(ada);
    const task = await board.task();
    const [member] = await seated(board, [ada]);
    const stranger = await connect(server.url, cleo);
    for (const [event, payload] of [...joins(board), ...changes(board, task)]) {
      assert.equal((await stranger.refused(event, payload)).code, "forbidden", event);
    }
    await board.silent(member);
    assert.deepEqual(await board.stored(task), task);
    assert.deepEqual(stranger.take(), []);
  });

  it("a viewer joins and hears, and may not change, write or type", async () => {
    const board = await Board.of(ada, [cleo, "viewer"]);
    const task = await board.task();
    const [member, viewer] = await seated(board, [ada, cleo]);
    await board.chat(viewer);
    for (const [event, payload] of changes(board, task)) {
      assert.equal((await viewer.refused(event, payload)).code, "forbidden", event);
    }
    await board.silent(member, viewer);
    await board.chatSilent(viewer);
  });

  it("a member need not have joined a room to change what is in it", async () => {
    const board = await Board.of(ada, ben);
    const [member] = await seated(board, [ada]);
    const absent = await connect(server.url, ben);
    const { task } = await absent.do("task:create", { projectId: board.id, task: { title: "From afar" } });
    assert.deepEqual(await member.next("task:created"), { task, createdBy: ben.face });
    await board.silent(member);
    assert.deepEqual(absent.take(), []);
  });

  it("a removed member hears nothing after the removal is answered, and cannot come back", async () => {
    const board = await Board.of(ada, ben);
    const task = await board.task();
    const [owner, member] = await seated(board, [ada, ben]);
    await board.chat(owner, member);
    await ada.rest.delete(`/api/projects/${board.id}/members/${ben._id}`);
    member.take();
    assert.deepEqual(await owner.find("user:left"), { userId: ben._id, projectId: board.id });

    await board.mark();
    await ada.rest.post(`/api/channels/${board.channel._id}/messages`, { content: "Without Ben" });
    await owner.find("chat:newMessage");
    for (const [event, payload] of [...joins(board), ...changes(board, task)]) {
      assert.equal((await member.refused(event, payload)).code, "forbidden", event);
    }
    assert.deepEqual(member.take(), []);
  });

  it("a removal from the workspace ends the membership of its projects", async () => {
    const board = await Board.of(ada, ben);
    const [owner, member] = await seated(board, [ada, ben]);
    await member.do("join:workspace", board.workspace._id);
    await ada.rest.delete(`/api/workspaces/${board.workspace._id}/members/${ben._id}`);
    member.take();
    await owner.find("user:left");
    await board.mark();
    for (const [event, id] of [
      ["join:project", board.id],
      ["join:workspace", board.workspace._id],
    ]) {
      assert.equal((await member.refused(event, id)).code, "forbidden");
    }
    assert.deepEqual(member.take(), []);
    assert.equal((await ben.rest.raw("GET", `/api/projects/${board.id}`)).status, 404);
  });

  it("a change of role counts from the moment it is answered", async () => {
    const board = await Board.of(ada, ben);
    const [owner, member] = await seated(board, [ada, ben]);
    const create = ["task:create", { projectId: board.id, task: { title: "Mine" } }];
    await member.do(...create);
    await board.add(ben, "viewer");
    assert.equal((await member.refused(...create)).code, "forbidden");
    await board.add(ben, "member");
    await member.do(...create);
    await board.silent(member);
    for (let i = 0; i < 2; i++) await owner.next("task:created");
  });

  it("a refusal is not remembered: whoever is added may join at once", async () => {
    const board = await Board.of(ada);
    const client = await connect(server.url, cleo);
    assert.equal((await client.refused("join:project", board.id)).code, "forbidden");
    await board.add(cleo);
    await client.do("join:project", board.id);
    await client.do("chat:join", board.channel._id);
  });

  it("a task is changed only through the project it is in", async () => {
    const [mine, theirs] = await Promise.all([Board.of(ben), Board.of(ada)]);
    const task = await theirs.task();
    const client = await connect(server.url, ben);
    for (const [event, payload] of changes(mine, task).slice(1, 4)) {
      assert.equal((await client.refused(event, payload)).code, "not_found", event);
    }
    assert.deepEqual(await theirs.stored(task), task);
  });

  it("what is not there is not found", async () => {
    const client = await connect(server.url, ada);
    const nowhere = { id: objectId(), channel: { _id: objectId() } };
    for (const [event, payload] of [...joins(nowhere), ...changes(nowhere, { _id: objectId() })]) {
      assert.equal((await client.refused(event, payload)).code, "not_found", event);
    }
  });
});
