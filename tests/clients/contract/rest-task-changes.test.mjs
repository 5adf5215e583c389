// Changing, moving and deleting tasks over REST: clearing, versions, columns, and who may.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { Board, OBJECT_ID, people, serve } from "./support.mjs";
import { brief } from "./wrong-values.mjs";

const server = await serve();
const [ada, ben, cleo, dan] = await people(server, "Ada", "Ben", "Cleo", "Dan");
/** Ada owns it, Ben is a member, Cleo a viewer, Dan a stranger. */
const newBoard = () => Board.of(ada, ben, [cleo, "viewer"]);
const path = ({ _id }) => `/api/tasks/${_id}`;
const titles = (tasks) => tasks.map(({ title }) => title);

describe("PATCH /api/tasks/:taskId", () => {
  it("changes what is given, counts the version, and keeps the rest", async () => {
    const board = await newBoard();
    const task = await board.task({ description: "Long", subtasks: [{ title: "One" }] });
    const changed = await ben.rest.patch(path(task), { title: " New ", priority: "low" });
    assert.deepEqual(changed, { ...task, title: "New", priority: "low", version: 2, updatedAt: changed.updatedAt });
    assert.ok(changed.updatedAt >= task.updatedAt);
    const [one] = task.subtasks;
    const { subtasks } = await ben.rest.patch(path(task), {
      subtasks: [{ ...one, completed: true }, { title: "Two" }],
    });
    assert.deepEqual(subtasks[0], { ...one, completed: true }, "a subtask keeps its id");
    assert.match(subtasks[1]._id, OBJECT_ID);
    assert.deepEqual(await board.stored(task), {
      ...changed,
      subtasks,
      version: 3,
      updatedAt: (await board.stored(task)).updatedAt,
    });
  });

  for (const empty of ["", null]) {
    it(`clears the assignee, the date and the description by ${JSON.stringify(empty)}`, async () => {
      const board = await newBoard();
      const task = await board.task({ assignee: ben._id, dueDate: "2031-05-06", description: "Long" });
      const cleared = await ada.rest.patch(path(task), { assignee: empty, dueDate: empty, description: empty });
      assert.equal(cleared.assignee, null);
      // The answer says so, for pages that merge it; afterwards the fields are not there.
      assert.deepEqual([cleared.dueDate, cleared.description], [null, null]);
      assert.equal(cleared.version, 2);
    });
  }

  it("is a 400 for an empty status or priority", async () => {
    const task = await (await newBoard()).task();
    for (const field of ["status", "priority"]) {
      for (const value of ["", null]) {
        const { status, body } = await ada.rest.raw("PATCH", path(task), { [field]: value });
        assert.deepEqual([status, Object.keys(body.fields)], [400, [field]]);
      }
    }
  });

  it("is a 400 for another project or workspace, and their own values are no change", async () => {
    const board = await newBoard();
    const task = await board.task();
    const other = await newBoard();
    for (const change of [{ project: other.id }, { workspace: other.workspace._id }]) {
      const { status, body } = await ada.rest.raw("PATCH", path(task), change);
      assert.deepEqual([status, body.code], [400, "validation_failed"]);
    }
    assert.deepEqual(await ada.rest.patch(path(task), task), task, "the whole task as it is changes nothing");
    const shown = await ada.rest.get(path(task));
    assert.deepEqual(await ada.rest.patch(path(task), shown), task, "nor does it with the project populated");
  });

  it("ignores what the server keeps and what it does not know", async () => {
    const board = await newBoard();
    const task = await board.task();
    const kept = {
      _id: objectId(),
      id: 1,
      __v: 9,
      version: 9,
      position: "zz",
      createdBy: ben._id,
      createdAt: 0,
      updatedAt: 0,
      colour: "red",
    };
    assert.deepEqual(await ada.rest.patch(path(task), kept), task);
  });

  it("puts a task whose status changes at the end of the column", async () => {
    const board = await newBoard();
    const last = await board.task({ status: "done" });
    const task = await board.task();
    const moved = await ada.rest.patch(path(task), { status: "done" });
    assert.ok(moved.position > last.position);
  });

  it("with the version as If-Match is done, with another is a 409 that has the present task", async () => {
    const board = await newBoard();
    const task = await board.task();
    const change = (title, version) => ada.rest.raw("PATCH", path(task), { title }, { "If-Match": `"${version}"` });
    const first = await change("First", 1);
    assert.deepEqual([first.status, first.body.version], [200, 2]);
    const late = await change("Second", 1);
    assert.deepEqual([late.status, late.body.code], [409, "conflict"]);
    assert.deepEqual(late.body.task, first.body);
    assert.deepEqual(await board.stored(task), first.body);
  });

  it("with one version from many at once is done once", async () => {
    const task = await (await newBoard()).task();
    const all = Array.from({ length: 10 }, (_, n) =>
      ada.rest.raw("PATCH", path(task), { title: `${n}` }, { "If-Match": '"1"' }),
    );
    const statuses = (await Promise.all(all)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, ...Array(9).fill(409)]);
  });
});

describe("POST /api/tasks/:taskId/move", () => {
  it("puts the task where it is told, at the end without an index or past it", async () => {
    const board = await newBoard();
    for (const title of ["c", "b", "a"]) await board.task({ title, status: "done" });
    const column = async () => {
      const tasks = (await board.tasks()).filter(({ status }) => status === "done");
      return titles(tasks.sort((x, y) => (x.position < y.position ? -1 : 1))).join("");
    };
    for (const [title, newIndex, order] of [
      ["d", 0, "dabc"],
      ["e", 2, "daebc"],
      ["f", 99, "daebcf"],
      ["g", undefined, "daebcfg"],
    ]) {
      const moved = await ben.rest.post(`${path(await board.task({ title }))}/move`, { toStatus: "done", newIndex });
      assert.deepEqual([moved.status, moved.version], ["done", 2]);
      assert.equal(await column(), order);
    }
    const [first] = (await board.tasks()).filter(({ title }) => title === "d");
    const back = await ben.rest.post(`${path(first)}/move`, { toStatus: "done", newIndex: 0 });
    assert.equal(back.version, first.version, "where it is already is no change");
    await ben.rest.post(`${path(first)}/move`, { toStatus: "done", newIndex: 1 });
    assert.equal(await column(), "adebcfg");
  });

  it("finds a place between two neighbours a hundred times", async () => {
    const board = await newBoard();
    const [low, high] = [await board.task({ title: "low" }), await board.task({ title: "high" })];
    for (let n = 0; n < 100; n++)
      await ada.rest.post(`${path(n % 2 ? low : high)}/move`, { toStatus: "todo", newIndex: 0 });
    const tasks = await board.tasks();
    const sorted = tasks.sort((x, y) => (x.position < y.position ? -1 : 1));
    assert.deepEqual(titles(sorted), ["low", "high"]);
    for (const { position } of tasks)
      assert.ok(position.length < 64, `a position grew to ${position.length} characters`);
  });

  it("is a 400 for a status or an index that is none", async () => {
    const task = await (await newBoard()).task();
    for (const [field, values] of [
      ["toStatus", [undefined, null, "", 7, "doing"]],
      ["newIndex", ["0", 1.5, true, {}]],
    ]) {
      for (const value of values) {
        const { status, body } = await ada.rest.raw("POST", `${path(task)}/move`, { toStatus: "done", [field]: value });
        assert.deepEqual(
          [status, body.code, Object.keys(body.fields)],
          [400, "validation_failed", [field]],
          brief(value),
        );
      }
    }
  });
});

describe("DELETE /api/tasks/:taskId", () => {
  it("answers the old words, and the task is gone", async () => {
    const board = await newBoard();
    const task = await board.task();
    assert.deepEqual(await ben.rest.delete(path(task)), { message: "Task deleted successfully" });
    assert.deepEqual(await board.tasks(), []);
    for (const method of ["GET", "DELETE"]) {
      const { status, body } = await ben.rest.raw(method, path(task));
      assert.deepEqual([status, body], [404, { message: "Task not found", code: "not_found" }]);
    }
  });
});

describe("a task", () => {
  const CALLS = [
    ["GET", "", undefined],
    ["PATCH", "", { title: "x" }],
    ["POST", "/move", { toStatus: "done" }],
    ["DELETE", "", undefined],
  ];

  for (const [method, tail, body] of CALLS) {
    it(`that is not there is a 404 in ${method}${tail}`, async () => {
      const answer = await ada.rest.raw(method, `/api/tasks/${objectId()}${tail}`, body);
      assert.deepEqual([answer.status, answer.body], [404, { message: "Task not found", code: "not_found" }]);
    });

    it(`of a project that is not one's own is a 403 in ${method}${tail}`, async () => {
      const task = await (await newBoard()).task();
      const answer = await dan.rest.raw(method, `${path(task)}${tail}`, body);
      assert.deepEqual([answer.status, answer.body], [403, { message: "Access denied", code: "forbidden" }]);
    });

    if (method === "GET") continue;
    it(`is no viewer's to change by ${method}${tail}`, async () => {
      const board = await newBoard();
      const task = await board.task();
      const answer = await cleo.rest.raw(method, `${path(task)}${tail}`, body);
      assert.deepEqual([answer.status, answer.body.code], [403, "forbidden"]);
      assert.deepEqual(await board.stored(task), task);
    });
  }
});
