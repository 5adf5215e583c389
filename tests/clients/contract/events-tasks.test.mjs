// The task rows of the event table, each over WebSocket, over polling alone and after the upgrade:
// what the sender is acknowledged, what the others in the room are told, and that the sender is told nothing.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { TRANSPORTS } from "./client.mjs";
import { Board, ISO_TIME, OBJECT_ID, people, seated, serve } from "./support.mjs";

const server = await serve();
const [ada, ben] = await people(server, "Ada", "Ben");

// Each row: what is sent for a stored task, and from the task of the acknowledgement what the others must be told.
const ROWS = [
  {
    name: "task:create tells the new task",
    send: ({ id }) => [
      "task:create",
      { projectId: id, task: { title: "  Write  ", labels: [{ name: "bug", color: "#f00" }], assignee: ben._id } },
    ],
    told: (task) => ["task:created", { task, createdBy: ada.face }],
    holds: (task) => {
      assert.equal(task.title, "Write");
      assert.deepEqual(task.labels, [{ name: "bug", color: "#f00" }]);
      assert.deepEqual(task.assignee, ben.face);
      assert.equal(task.version, 1);
    },
  },
  {
    name: "task:update tells the changed fields alone",
    send: ({ id }, task) => [
      "task:update",
      { projectId: id, taskId: task._id, updates: { title: "Rewrite", priority: "medium" } },
    ],
    told: (task) => [
      "task:updated",
      { taskId: task._id, updates: { title: "Rewrite" }, updatedBy: ada.face, version: 2 },
    ],
  },
  {
    name: "task:update tells an assignee and a date as Task has them",
    send: ({ id }, task) => [
      "task:update",
      { projectId: id, taskId: task._id, updates: { assignee: ben._id, dueDate: "2031-05-06" } },
    ],
    told: (task) => [
      "task:updated",
      {
        taskId: task._id,
        updates: { assignee: ben.face, dueDate: "2031-05-06T00:00:00.000Z" },
        updatedBy: ada.face,
        version: 2,
      },
    ],
  },
  {
    name: "task:update tells null for what was cleared",
    given: { assignee: () => ben._id, description: () => "Long", dueDate: () => "2031-05-06" },
    send: ({ id }, task) => [
      "task:update",
      { projectId: id, taskId: task._id, updates: { assignee: "", description: null, dueDate: "" } },
    ],
    told: (task) => [
      "task:updated",
      {
        taskId: task._id,
        updates: { assignee: null, description: null, dueDate: null },
        updatedBy: ada.face,
        version: 2,
      },
    ],
  },
  {
    name: "task:update of the status tells the new place too",
    send: ({ id }, task) => ["task:update", { projectId: id, taskId: task._id, updates: { status: "review" } }],
    told: (task) => [
      "task:updated",
      {
        taskId: task._id,
        updates: { status: "review", position: task.position },
        updatedBy: ada.face,
        version: 2,
      },
    ],
  },
  {
    name: "task:update with the expected version succeeds",
    send: ({ id }, task) => [
      "task:update",
      { projectId: id, taskId: task._id, updates: { title: "Rewrite" }, expectedVersion: 1 },
    ],
    told: (task) => [
      "task:updated",
      { taskId: task._id, updates: { title: "Rewrite" }, updatedBy: ada.face, version: 2 },
    ],
  },
  {
    name: "task:move tells the index and the place",
    send: ({ id }, task) => [
      "task:move",
      { projectId: id, taskId: task._id, fromStatus: "todo", toStatus: "done", newIndex: 0 },
    ],
    told: (task, { id }) => [
      "task:moved",
      {
        projectId: id,
        taskId: task._id,
        fromStatus: "todo",
        toStatus: "done",
        newIndex: 0,
        position: task.position,
        version: 2,
        movedBy: ada.face,
      },
    ],
    holds: (task) => assert.equal(task.status, "done"),
  },
  {
    name: "task:move tells where the task really came from and where it really went",
    send: ({ id }, task) => [
      "task:move",
      { projectId: id, taskId: task._id, fromStatus: "review", toStatus: "done", newIndex: 99 },
    ],
    told: (task, { id }) => [
      "task:moved",
      {
        projectId: id,
        taskId: task._id,
        fromStatus: "todo",
        toStatus: "done",
        newIndex: 0,
        position: task.position,
        version: 2,
        movedBy: ada.face,
      },
    ],
  },
  {
    name: "task:delete tells that the task is gone",
    send: ({ id }, task) => ["task:delete", { projectId: id, taskId: task._id }],
    told: (_, { stored }) => ["task:deleted", { taskId: stored._id, deletedBy: ada.face }],
  },
];

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`the task events ${way}`, () => {
    for (const row of ROWS) {
      it(row.name, async () => {
        const board = await Board.of(ada, ben);
        const given = Object.fromEntries(Object.entries(row.given ?? {}).map(([key, value]) => [key, value()]));
        const stored = await board.task(given);
        const [author, authorsTab, other] = await seated(board, [ada, ada, ben], { transports });

        const [event, payload] = row.send(board, stored);
        const { task } = await author.do(event, payload);

        row.holds?.(task);
        const [told, data] = row.told(task, { id: board.id, stored });
        for (const client of [other, authorsTab]) assert.deepEqual(await client.next(told), data);
        await board.silent(author, authorsTab, other);
      });
    }

    it("an event without an acknowledgement works as well", async () => {
      const board = await Board.of(ada, ben);
      const [author, other] = await seated(board, [ada, ben], { transports });
      author.send("task:create", { projectId: board.id, task: { title: "Unasked" } });
      assert.equal((await other.next("task:created")).task.title, "Unasked");
    });

    it("a failed event without an acknowledgement is answered with an error event", async () => {
      const board = await Board.of(ada, ben);
      const [author, other] = await seated(board, [ada, ben], { transports });
      author.send("task:update", { projectId: board.id, taskId: objectId(), updates: { title: "Lost" } });
      const { message, ...rest } = await author.next("error");
      assert.deepEqual(rest, { event: "task:update", code: "not_found" });
      assert.equal(typeof message, "string");
      await board.silent(author, other);
    });
  });
}

describe("a task", () => {
  it("has the form that the contract gives it", async () => {
    const board = await Board.of(ada, ben);
    const [author] = await seated(board, [ada]);
    const { task } = await author.do("task:create", {
      projectId: board.id,
      task: {
        title: "Whole",
        description: "Text",
        assignee: ben._id,
        dueDate: 1_935_000_000_000,
        subtasks: [{ title: "One" }],
      },
    });
    const { _id, position, createdAt, updatedAt, subtasks, ...rest } = task;
    assert.match(_id, OBJECT_ID);
    assert.equal(typeof position, "string");
    assert.match(createdAt, ISO_TIME);
    assert.match(updatedAt, ISO_TIME);
    assert.match(subtasks[0]._id, OBJECT_ID);
    assert.deepEqual(subtasks, [{ _id: subtasks[0]._id, title: "One", completed: false }]);
    assert.deepEqual(rest, {
      title: "Whole",
      description: "Text",
      status: "todo",
      priority: "medium",
      labels: [],
      assignee: ben.face,
      createdBy: ada.face,
      project: board.id,
      workspace: board.workspace._id,
      dueDate: new Date(1_935_000_000_000).toISOString(),
      version: 1,
    });
    assert.deepEqual(await board.stored(task), task);
  });
});

describe("versions over a socket", () => {
  it("an expected version that has passed is refused with the winning task", async () => {
    const board = await Board.of(ada, ben);
    const task = await board.task();
    const [author, other] = await seated(board, [ada, ben]);
    const change = (event, fields) => [event, { projectId: board.id, taskId: task._id, ...fields }];

    const { task: winner } = await author.do(
      ...change("task:update", { updates: { title: "First" }, expectedVersion: 1 }),
    );
    await other.next("task:updated");
    for (const late of [
      change("task:update", { updates: { title: "Second" }, expectedVersion: 1 }),
      change("task:move", { fromStatus: "todo", toStatus: "done", expectedVersion: 1 }),
    ]) {
      const ack = await other.ask(...late);
      assert.equal(ack.ok, false);
      assert.equal(ack.error.code, "conflict");
      assert.deepEqual(ack.task, winner);
    }
    await board.silent(author, other);
  });

  it("a change that changes nothing is acknowledged and not told", async () => {
    const board = await Board.of(ada, ben);
    const task = await board.task();
    const [author, other] = await seated(board, [ada, ben]);
    const same = { projectId: board.id, taskId: task._id };
    const update = await author.do("task:update", { ...same, updates: { title: "Write", description: "" } });
    const move = await author.do("task:move", { ...same, fromStatus: "todo", toStatus: "todo", newIndex: 0 });
    assert.deepEqual([update.task.version, move.task.version], [1, 1]);
    await board.silent(author, other);
  });
});

describe("the order of a column", () => {
  it("a new task is at the top, a move is where it says, and a move without an index is at the end", async () => {
    const board = await Board.of(ada, ben);
    const [author, other] = await seated(board, [ada, ben]);
    const ids = [];
    for (const title of ["a", "b", "c"]) {
      ids.push((await author.do("task:create", { projectId: board.id, task: { title, status: "review" } })).task._id);
    }
    const move = (taskId, newIndex) =>
      author.do("task:move", { projectId: board.id, taskId, fromStatus: "review", toStatus: "review", newIndex });
    const column = async () => {
      const tasks = (await board.tasks()).filter(({ status }) => status === "review");
      return tasks
        .sort((x, y) => (x.position + x._id < y.position + y._id ? -1 : 1))
        .map(({ title }) => title)
        .join("");
    };
    assert.equal(await column(), "cba");
    await move(ids[0], 1);
    assert.equal(await column(), "cab");
    await move(ids[2]);
    assert.equal(await column(), "abc");
    for (let i = 0; i < 3; i++) await other.next("task:created");
    assert.equal((await other.next("task:moved")).newIndex, 1);
    assert.equal((await other.next("task:moved")).newIndex, 2);
  });
});
