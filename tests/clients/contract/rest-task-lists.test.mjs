// Reading tasks over REST: lists newest first, filters, pages, and one task with its project populated.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { Board, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo, dan] = await people(server, "Ada", "Ben", "Cleo", "Dan");
/** Ada owns it, Ben is a member, Cleo a viewer, Dan a stranger. */
const newBoard = () => Board.of(ada, ben, [cleo, "viewer"]);
const path = ({ _id }) => `/api/tasks/${_id}`;
const titles = (tasks) => tasks.map(({ title }) => title);

describe("GET /api/tasks/project/:projectId", () => {
  it("answers an array, newest first", async () => {
    const board = await newBoard();
    for (const title of ["One", "Two", "Three"]) await board.task({ title });
    assert.deepEqual(titles(await cleo.rest.get(`/api/tasks/project/${board.id}`)), ["Three", "Two", "One"]);
  });

  it("narrows by status and assignee", async () => {
    const board = await newBoard();
    await board.task({ title: "a", status: "done", assignee: ben._id });
    await board.task({ title: "b", status: "done" });
    await board.task({ title: "c", assignee: ben._id });
    const list = async (query) => titles(await ada.rest.get(`/api/tasks/project/${board.id}?${query}`)).join("");
    assert.equal(await list("status=done"), "ba");
    assert.equal(await list(`assignee=${ben._id}`), "ca");
    assert.equal(await list(`status=done&assignee=${ben._id}`), "a");
    assert.equal(await list("status=review"), "");
  });

  it("pages with limit and X-Next-Cursor, and new tasks do not shift the pages", async () => {
    const board = await newBoard();
    for (let n = 0; n < 7; n++) await board.task({ title: `${n}` });
    const seen = [];
    let cursor = "";
    for (let pages = 0; pages < 10; pages++) {
      const answer = await ada.rest.raw(
        "GET",
        `/api/tasks/project/${board.id}?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      assert.equal(answer.status, 200);
      assert.ok(answer.body.length <= 3);
      seen.push(...titles(answer.body));
      cursor = answer.headers.get("x-next-cursor");
      if (!cursor) break;
      await board.task({ title: "new" });
    }
    assert.deepEqual(seen, ["6", "5", "4", "3", "2", "1", "0"]);
    const whole = await ada.rest.raw("GET", `/api/tasks/project/${board.id}`);
    assert.equal(whole.headers.get("x-next-cursor"), null);
  });

  it("is a 400 for a query that makes no sense", async () => {
    const board = await newBoard();
    for (const query of [
      "status=doing",
      "assignee=nobody",
      "limit=0",
      "limit=-1",
      "limit=many",
      "limit=3&cursor=nonsense",
    ]) {
      const { status, body } = await ada.rest.raw("GET", `/api/tasks/project/${board.id}?${query}`);
      assert.equal(status, 400, query);
      assert.ok(["validation_failed", "bad_id"].includes(body.code), query);
    }
  });

  it("is a 404 with the old words for a project that is not there or not one's own", async () => {
    const board = await newBoard();
    for (const [who, id] of [
      [ada, objectId()],
      [dan, board.id],
    ]) {
      const { status, body } = await who.rest.raw("GET", `/api/tasks/project/${id}`);
      assert.deepEqual([status, body], [404, { message: "Project not found or access denied", code: "not_found" }]);
    }
  });
});

describe("GET /api/tasks/:taskId", () => {
  it("answers the task with its project populated, and the version as ETag", async () => {
    const board = await newBoard();
    const task = await board.task({ assignee: ben._id });
    const { status, body, headers } = await cleo.rest.raw("GET", path(task));
    assert.equal(status, 200);
    assert.equal(headers.get("etag"), '"1"');
    const { project, ...rest } = body;
    assert.deepEqual({ ...rest, project: board.id }, task);
    assert.deepEqual(
      [project._id, project.name, project.workspace],
      [board.id, board.project.name, board.workspace._id],
    );
    const members = project.members.map(({ user, role }) => ({ user, role }));
    assert.deepEqual(members, [
      { user: ada._id, role: "owner" },
      { user: ben._id, role: "member" },
      { user: cleo._id, role: "viewer" },
    ]);
    await ada.rest.patch(path(task), { title: "Changed" });
    assert.equal((await ada.rest.raw("GET", path(task))).headers.get("etag"), '"2"');
  });

  it("still shows an assignee who has left the project", async () => {
    const board = await newBoard();
    const task = await board.task({ assignee: ben._id });
    await ada.rest.delete(`/api/projects/${board.id}/members/${ben._id}`);
    assert.deepEqual((await ada.rest.get(path(task))).assignee, ben.face);
  });
});
