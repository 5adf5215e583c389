// Making tasks over REST: defaults, every field, what is ignored, what is refused and named, keys against doubles.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";
import { Board, ISO_TIME, OBJECT_ID, people, serve } from "./support.mjs";
import { TASK_FIELDS, brief } from "./wrong-values.mjs";

const server = await serve();
const [ada, ben, cleo, dan] = await people(server, "Ada", "Ben", "Cleo", "Dan");
/** Ada owns it, Ben is a member, Cleo a viewer, Dan a stranger. */
const newBoard = () => Board.of(ada, ben, [cleo, "viewer"]);
const path = ({ _id }) => `/api/tasks/${_id}`;
const titles = (tasks) => tasks.map(({ title }) => title);

describe("POST /api/tasks", () => {
  it("answers the task with its defaults", async () => {
    const board = await newBoard();
    const { status, body } = await ben.rest.raw("POST", "/api/tasks", { title: "  Write  ", projectId: board.id });
    assert.equal(status, 201);
    const { _id, position, createdAt, updatedAt, ...rest } = body;
    assert.match(_id, OBJECT_ID);
    assert.equal(typeof position, "string");
    for (const time of [createdAt, updatedAt]) assert.match(time, ISO_TIME);
    assert.deepEqual(rest, {
      title: "Write",
      status: "todo",
      priority: "medium",
      assignee: null,
      subtasks: [],
      labels: [],
      version: 1,
      project: board.id,
      workspace: board.workspace._id,
      createdBy: ben.face,
    });
  });

  it("takes every field, dates in each form, and an empty status, priority or assignee", async () => {
    const board = await newBoard();
    const full = await board.task({
      title: "x".repeat(200),
      description: " Long ",
      status: "review",
      priority: "high",
      assignee: ben._id,
      dueDate: "2031-05-06",
      labels: [{ name: " bug ", color: "rgb(1, 2, 3)" }],
      subtasks: [{ title: " One " }, { title: "Two", completed: true }],
    });
    const { subtasks, ...rest } = full;
    assert.deepEqual(
      subtasks.map(({ title, completed }) => [title, completed]),
      [
        ["One", false],
        ["Two", true],
      ],
    );
    assert.deepEqual(
      [rest.description, rest.status, rest.priority, rest.assignee],
      ["Long", "review", "high", ben.face],
    );
    assert.deepEqual(rest.labels, [{ name: "bug", color: "rgb(1, 2, 3)" }]);
    for (const [dueDate, time] of [
      ["2031-05-06", "2031-05-06T00:00:00.000Z"],
      ["2031-05-06T07:08:09.010Z", "2031-05-06T07:08:09.010Z"],
      ["2031-05-06T09:08:09+02:00", "2031-05-06T07:08:09.000Z"],
      [1_935_000_000_123, new Date(1_935_000_000_123).toISOString()],
    ]) {
      assert.equal((await board.task({ dueDate })).dueDate, time);
    }
    const empty = await board.task({ status: "", priority: "", assignee: "", dueDate: "", description: "" });
    assert.deepEqual([empty.status, empty.priority, empty.assignee], ["todo", "medium", null]);
    assert.ok(!("dueDate" in empty) && !("description" in empty));
    const nulls = await board.task({ status: null, priority: null, assignee: null, dueDate: null, description: null });
    assert.deepEqual([nulls.status, nulls.priority, nulls.assignee], ["todo", "medium", null]);
  });

  it("ignores what the server keeps and what it does not know", async () => {
    const board = await newBoard();
    const _id = objectId();
    const task = await board.task({
      _id,
      id: _id,
      __v: 7,
      version: 7,
      position: "zz",
      createdBy: ben._id,
      createdAt: 0,
      updatedAt: 0,
      colour: "red",
    });
    assert.notEqual(task._id, _id);
    assert.deepEqual([task.version, task.createdBy], [1, ada.face]);
    assert.notEqual(task.position, "zz");
    assert.ok(!("colour" in task) && !("__v" in task) && task.createdAt > "2020");
  });

  it("is a 404 with the old words for a project that is not there or not one's own", async () => {
    const board = await newBoard();
    for (const [who, projectId] of [
      [ada, objectId()],
      [dan, board.id],
    ]) {
      const { status, body } = await who.rest.raw("POST", "/api/tasks", { title: "Write", projectId });
      assert.deepEqual([status, body], [404, { message: "Project not found or access denied", code: "not_found" }]);
    }
  });

  it("is a 400 without a title or a project", async () => {
    const board = await newBoard();
    const untitled = await ada.rest.raw("POST", "/api/tasks", { projectId: board.id });
    assert.deepEqual(
      [untitled.status, untitled.body.code, Object.keys(untitled.body.fields)],
      [400, "validation_failed", ["title"]],
    );
    for (const projectId of [undefined, null, 7, "nonsense", {}]) {
      const { status, body } = await ada.rest.raw("POST", "/api/tasks", { title: "Write", projectId });
      assert.equal(status, 400);
      assert.ok(["validation_failed", "bad_id"].includes(body.code));
    }
  });

  it("is a 403 for a viewer", async () => {
    const board = await newBoard();
    const { status, body } = await cleo.rest.raw("POST", "/api/tasks", { title: "Write", projectId: board.id });
    assert.deepEqual([status, body.code], [403, "forbidden"]);
  });
});

describe("wrong values", () => {
  for (const [field, values] of Object.entries(TASK_FIELDS)) {
    it(`of ${field} are refused and named, in POST and in PATCH`, async () => {
      const board = await newBoard();
      const task = await board.task();
      for (const value of values) {
        for (const [method, where, rest] of [
          ["POST", "/api/tasks", { projectId: board.id, title: "Write" }],
          ["PATCH", path(task), {}],
        ]) {
          const { status, body } = await ada.rest.raw(method, where, { ...rest, [field]: value });
          const found = `${method} ${brief(value)}: ${JSON.stringify(body)}`;
          assert.deepEqual([status, body.code], [400, "validation_failed"], found);
          assert.ok(
            Object.keys(body.fields).every((name) => name.startsWith(field)),
            found,
          );
          assert.equal(typeof Object.values(body.fields)[0], "string", found);
        }
      }
      assert.deepEqual(await board.tasks(), [task]);
    });
  }

  it("are all named at once", async () => {
    const board = await newBoard();
    const bad = {
      title: "",
      status: "doing",
      priority: "urgent",
      dueDate: "soon",
      labels: 7,
      subtasks: [{ title: "" }],
    };
    const { body } = await ada.rest.raw("POST", "/api/tasks", { projectId: board.id, ...bad });
    const named = new Set(Object.keys(body.fields).map((name) => name.split(/[.[]/)[0]));
    assert.deepEqual([...named].sort(), Object.keys(bad).sort());
  });

  it('are unknown fields too where validation.unknown is "reject", over REST and over sockets', async () => {
    const strict = await serve({ COLLABFLOW_VALIDATION__UNKNOWN: "reject" });
    const [eve] = await people(strict, "Eve");
    const board = await Board.of(eve);
    const task = await board.task();
    for (const [method, where, body] of [
      ["POST", "/api/tasks", { title: "x", projectId: board.id, colour: 1 }],
      ["PATCH", path(task), { colour: 1 }],
    ]) {
      const answer = await eve.rest.raw(method, where, body);
      assert.deepEqual([answer.status, Object.keys(answer.body.fields)], [400, ["colour"]]);
    }
    const client = await connect(strict.url, eve);
    const error = await client.refused("task:update", {
      projectId: board.id,
      taskId: task._id,
      updates: { colour: 1 },
    });
    assert.equal(error.code, "validation_failed");
    const echo = await eve.rest.patch(path(task), task);
    assert.deepEqual(echo, task, "fields that the server keeps are known");
  });
});

describe("an Idempotency-Key", () => {
  const make = (user, board, key, title) =>
    user.rest.raw("POST", "/api/tasks", { title, projectId: board.id }, { "Idempotency-Key": key });

  it("seen before from that user answers the first task", async () => {
    const board = await newBoard();
    const first = await make(ada, board, "k1", "First");
    const second = await make(ada, board, "k1", "Second");
    assert.equal(first.status, 201);
    assert.ok([200, 201].includes(second.status));
    assert.deepEqual(second.body, first.body);
    const bens = await make(ben, board, "k1", "Ben's");
    assert.notEqual(bens.body._id, first.body._id, "another user's key is another key");
    assert.equal((await make(ada, board, "k2", "Third")).body.title, "Third");
    assert.deepEqual(titles(await board.tasks()), ["Third", "Ben's", "First"]);
  });

  it("sent many times at once makes one task", async () => {
    const board = await newBoard();
    const answers = await Promise.all(Array.from({ length: 8 }, () => make(ada, board, "burst", "Once")));
    assert.equal(new Set(answers.map(({ body }) => body._id)).size, 1);
    assert.equal((await board.tasks()).length, 1);
  });

  it("is remembered over a restart", async () => {
    const here = await serve();
    const [eve] = await people(here, "Eve");
    const board = await Board.of(eve);
    const first = await make(eve, board, "k", "First");
    for (const end of ["restart", "kill9"]) {
      await here[end]();
      if (end === "kill9") await here.restart();
      assert.deepEqual((await make(eve, board, "k", "Again")).body, first.body);
    }
  });

  it("is 1 to 64 characters", async () => {
    const board = await newBoard();
    assert.equal((await make(ada, board, "x".repeat(64), "Fits")).status, 201);
    const { status, body } = await make(ada, board, "x".repeat(65), "Too long");
    assert.deepEqual([status, body.code], [400, "validation_failed"]);
  });
});
