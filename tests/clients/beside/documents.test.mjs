// One database for CollabFlow and Mongoose, nothing converted: each reads what the other wrote, types and all.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Board, registered } from "../contract/support.mjs";
import { database, ObjectId, sideBySide } from "./support.mjs";

const pair = await sideBySide(await database());
const { server, models } = pair;
const { Workspace, Project, Task, Channel, Message } = models;
const [ada, ben] = [await registered(server, "Ada"), await registered(server, "Ben")];

/** As JSON says it: ids as hex, dates as text. */
const json = (value) => JSON.parse(JSON.stringify(value));
const bare = ({ _id, name, email }) => ({ _id, name, email });

/** Fails unless `stored` is as Mongoose would have made it: `kinds` by path, beside the `_id` and the times. */
function assertKinds(stored, kinds) {
  const all = { _id: ObjectId, createdAt: Date, updatedAt: Date, ...kinds };
  for (const [path, kind] of Object.entries(all)) {
    const value = path.split(".").reduce((at, key) => at?.[key], stored);
    assert.ok(value instanceof kind, `${path} is ${JSON.stringify(value)}, not a ${kind.name}`);
  }
}

/** A document that Mongoose finds and would save. */
async function found(Model, document) {
  const doc = await Model.findById(document._id);
  assert.ok(doc, `${Model.modelName} finds nothing`);
  await doc.validate();
  return doc;
}

describe("what CollabFlow wrote", () => {
  it("has Mongoose's types: a task", async () => {
    const board = await Board.of(ada, ben);
    const task = await board.task({
      description: "All of it",
      assignee: ben._id,
      dueDate: "2026-01-02",
      subtasks: [{ title: "First" }, { title: "Second", completed: true }],
      labels: [{ name: "bug", color: "#FF5733" }],
    });
    const stored = await pair.stored("tasks", task);
    const references = { project: ObjectId, workspace: ObjectId, assignee: ObjectId, createdBy: ObjectId };
    assertKinds(stored, { ...references, dueDate: Date, "subtasks.0._id": ObjectId, "subtasks.1._id": ObjectId });
    assert.equal(stored.subtasks[1].completed, true);

    const doc = await found(Task, task);
    const { title, description, status, priority, dueDate, subtasks, createdAt, updatedAt } = json(doc);
    for (const [name, value] of Object.entries({
      title,
      description,
      status,
      priority,
      dueDate,
      subtasks,
      createdAt,
      updatedAt,
    }))
      assert.deepEqual(value, task[name], name);
    assert.deepEqual(
      json(doc.labels).map(({ name, color }) => ({ name, color })),
      task.labels,
    );
    await doc.populate("assignee project");
    assert.deepEqual([doc.assignee.name, doc.project.name], ["Ben", board.project.name]);
  });

  it("has no assignee, date or text where they are cleared, as Mongoose reads it", async () => {
    const board = await Board.of(ada, ben);
    const task = await board.task({ description: "Gone", assignee: ben._id, dueDate: "2026-01-02" });
    await ada.rest.patch(`/api/tasks/${task._id}`, { description: "", assignee: null, dueDate: "" });
    const doc = await found(Task, task);
    assert.deepEqual([doc.assignee ?? null, doc.dueDate ?? null, doc.description || null], [null, null, null]);
  });

  it("has Mongoose's types: places and messages", async () => {
    const board = await Board.of(ada, [ben, "viewer"]);
    const member = { "members.0.user": ObjectId, "members.1.user": ObjectId };
    assertKinds(await pair.stored("workspaces", board.workspace), { owner: ObjectId, ...member });
    assertKinds(await pair.stored("projects", board.project), { workspace: ObjectId, createdBy: ObjectId, ...member });
    const place = { project: ObjectId, workspace: ObjectId, createdBy: ObjectId };
    assertKinds(await pair.stored("channels", board.channel), place);
    const message = await board.say("Hello");
    assertKinds(await pair.stored("messages", message), { channel: ObjectId, sender: ObjectId });

    for (const [Model, document] of [
      [Workspace, board.workspace],
      [Project, board.project],
    ]) {
      const doc = await (await found(Model, document)).populate("members.user");
      assert.deepEqual(
        doc.members.map(({ user, role }) => `${user.name} ${role}`),
        ["Ada owner", "Ben viewer"],
      );
    }
    assert.equal((await found(Channel, board.channel)).name, "general");
    const doc = await (await found(Message, message)).populate("sender");
    assert.deepEqual([doc.content, doc.sender.email], ["Hello", ada.email]);
    assert.equal(json(doc).createdAt, message.createdAt);
  });

  it("is changed by Mongoose's save without losing what CollabFlow changed meanwhile", async () => {
    const board = await Board.of(ada, ben);
    const task = await board.task({ subtasks: [{ title: "First" }], labels: [{ name: "bug", color: "red" }] });
    const doc = await found(Task, task);
    const ours = { description: "CollabFlow's", priority: "high", assignee: ben._id };
    await ada.rest.patch(`/api/tasks/${task._id}`, ours);
    doc.title = "Mongoose's";
    doc.subtasks[0].completed = true;
    doc.subtasks.push({ title: "Second" });
    doc.labels.pull(doc.labels[0]);
    await doc.save();

    const now = await board.stored(task);
    assert.deepEqual([now.title, now.description, now.priority], ["Mongoose's", ours.description, "high"]);
    assert.deepEqual([now.assignee._id, now.labels], [ben._id, []]);
    assert.deepEqual(
      now.subtasks.map(({ title, completed }) => [title, completed]),
      [
        ["First", true],
        ["Second", false],
      ],
    );

    for (const [Model, { _id }, change] of [
      [Project, board.project, () => ada.rest.patch(`/api/projects/${board.id}`, { description: "CollabFlow's" })],
      [Workspace, board.workspace, () => board.add(ben, "admin")],
    ]) {
      const place = await Model.findById(_id);
      await change();
      place.name = "Mongoose's";
      await place.save();
    }
    const project = await ada.rest.get(`/api/projects/${board.id}`);
    assert.deepEqual([project.name, project.description], ["Mongoose's", "CollabFlow's"]);
    const workspace = await ada.rest.get(`/api/workspaces/${board.workspace._id}`);
    assert.equal(workspace.name, "Mongoose's");
    assert.deepEqual(
      workspace.members.map(({ user, role }) => `${user.name} ${role}`),
      ["Ada owner", "Ben admin"],
    );
  });

  it("is a list that Mongoose may have saved over: CollabFlow reads what is there", async () => {
    const board = await Board.of(ada);
    const task = await board.task({ subtasks: [{ title: "First" }, { title: "Second" }] });
    const doc = await found(Task, task);
    doc.subtasks = [{ title: "Only" }];
    await doc.save();
    const [subtask] = (await board.stored(task)).subtasks;
    assert.deepEqual(subtask, { _id: String(doc.subtasks[0]._id), title: "Only", completed: false });
    const { subtasks } = await ada.rest.patch(`/api/tasks/${task._id}`, {
      subtasks: [{ ...subtask, completed: true }],
    });
    assert.deepEqual(subtasks, [{ ...subtask, completed: true }]);
    const again = await found(Task, task);
    assert.deepEqual(json(again.subtasks), subtasks, "a subtask keeps its id");
  });
});

describe("what Mongoose wrote", () => {
  /** A workspace, a project and a channel, and a task in it, all by Mongoose. */
  async function made() {
    const members = [{ user: ada._id, role: "owner" }, { user: ben._id }];
    const workspace = await Workspace.create({ name: "Acme", owner: ada._id, members });
    const place = { workspace: workspace._id, createdBy: ada._id };
    const project = await Project.create({ ...place, name: "Site", description: "New", members });
    const channel = await Channel.create({ ...place, project: project._id, name: "general" });
    const task = await Task.create({
      ...place,
      project: project._id,
      title: "Written by Mongoose",
      assignee: ben._id,
      dueDate: new Date("2026-01-02"),
      subtasks: [{ title: "First" }],
      labels: [{ name: "bug", color: "#FF5733" }],
    });
    return {
      board: new Board(ada, { workspace: json(workspace), project: json(project) }, json(channel)),
      task: json(task),
    };
  }

  it("is read by CollabFlow: a task", async () => {
    const { board, task } = await made();
    const { position, version, ...read } = await ben.rest.get(`/api/tasks/${task._id}`);
    assert.deepEqual([typeof position, Number.isInteger(version)], ["string", true]);
    assert.equal(read.project._id, board.id);
    const { __v, project, labels, ...same } = task;
    assert.deepEqual(read, {
      ...same,
      project: read.project,
      labels: labels.map(({ name, color }) => ({ name, color })),
      assignee: { ...bare(ben), ...(read.assignee.avatar !== undefined && { avatar: read.assignee.avatar }) },
      createdBy: ada.face,
    });
    const [listed] = await board.tasks();
    assert.deepEqual(listed, { ...read, project: board.id, position, version });
  });

  it("is read by CollabFlow: places and messages", async () => {
    const { board } = await made();
    const workspace = await ben.rest.get(`/api/workspaces/${board.workspace._id}`);
    assert.deepEqual(
      [workspace.name, workspace.owner, workspace.createdAt],
      ["Acme", ada._id, board.workspace.createdAt],
    );
    const project = await ben.rest.get(`/api/projects/${board.id}`);
    assert.deepEqual([project.name, project.description, project.workspace], ["Site", "New", board.workspace._id]);
    for (const { members } of [workspace, project])
      assert.deepEqual(
        members.map(({ user, role }) => `${user.name} ${role}`),
        ["Ada owner", "Ben member"],
      );
    const [channel] = await ben.rest.get(`/api/channels/project/${board.id}`);
    assert.deepEqual([channel._id, channel.name], [board.channel._id, "general"]);

    const said = await Message.create({ channel: channel._id, sender: ben._id, content: "From Mongoose" });
    await board.say("From CollabFlow");
    await Message.create({ channel: board.id, sender: ada._id, content: "In the project's own channel" });
    // The order of ids of one second, by several programs, says nothing.
    const found = await board.messages();
    const [first, second] = found[0].content === "From Mongoose" ? found : found.toReversed();
    assert.deepEqual([first._id, first.content, first.sender.name], [String(said._id), "From Mongoose", "Ben"]);
    assert.equal(first.createdAt, json(said).createdAt);
    assert.equal(second.content, "From CollabFlow");
    const { messages } = await ada.rest.get(`/api/channels/${board.id}/messages`);
    assert.deepEqual(
      messages.map(({ content }) => content),
      ["In the project's own channel"],
    );
  });

  it("is changed by CollabFlow, and Mongoose reads and saves it again", async () => {
    const { board, task } = await made();
    const before = await board.stored(task);
    const changed = await ben.rest.patch(`/api/tasks/${task._id}`, { title: "CollabFlow's", status: "done" });
    assert.ok(changed.version > before.version);
    await ben.rest.post(`/api/tasks/${task._id}/move`, { toStatus: "review", newIndex: 0 });
    const doc = await found(Task, task);
    assert.deepEqual([doc.title, doc.status, doc.__v], ["CollabFlow's", "review", 0]);
    assert.ok(doc.updatedAt > new Date(task.updatedAt));
    doc.priority = "low";
    await doc.save();
    const now = await board.stored(task);
    assert.deepEqual([now.title, now.status, now.priority], ["CollabFlow's", "review", "low"]);
    await ada.rest.delete(`/api/tasks/${task._id}`);
    assert.equal(await Task.findById(task._id), null);
  });
});

it("references are read by id, not by text: CollabFlow finds nothing that Mongoose would not find", async () => {
  const board = await Board.of(ada);
  const task = await board.task();
  const byMongoose = await Task.find({ project: board.id, createdBy: ada._id });
  assert.deepEqual(
    byMongoose.map(({ _id }) => String(_id)),
    [task._id],
  );
  const mine = await Project.find({ "members.user": ada._id, workspace: board.workspace._id });
  assert.deepEqual(
    mine.map(({ _id }) => String(_id)),
    [board.id],
  );
});
