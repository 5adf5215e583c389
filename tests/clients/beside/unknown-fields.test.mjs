// Fields of other programs in the documents that CollabFlow writes: they survive, and where the Node backend's pages may
// use them they are passed through.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Board, registered } from "../contract/support.mjs";
import { database, ObjectId, sideBySide } from "./support.mjs";

const pair = await sideBySide(await database());
const { server } = pair;
const [ada, ben] = [await registered(server, "Ada"), await registered(server, "Ben")];
/** As JSON says it: ids as hex, dates as text. */
const json = (value) => JSON.parse(JSON.stringify(value));

describe("fields that CollabFlow does not know", () => {
  const unknown = { estimate: { hours: 3, parts: [1.5, new Date(0)] }, watchers: [new ObjectId()], nothing: null };
  const odd = (stored) => Object.fromEntries(Object.keys(unknown).map((key) => [key, stored[key]]));

  it("survive its writes, in documents and in their lists", async () => {
    const board = await Board.of(ada, ben);
    const subtasks = [{ _id: new ObjectId(), title: "First", completed: false, points: 5 }];
    const task = await board.task();
    const path = `/api/tasks/${task._id}`;
    const members = (await pair.stored("projects", board.project)).members.map((member) => ({
      ...member,
      since: 2019,
    }));
    await pair.set("tasks", task, { ...unknown, subtasks });
    await pair.set("projects", board.project, { ...unknown, members });
    await pair.set("workspaces", board.workspace, unknown);

    await ada.rest.patch(path, { title: "New", priority: "high" });
    await ada.rest.post(`${path}/move`, { toStatus: "done" });
    await ada.rest.patch(`/api/projects/${board.id}`, { name: "New" });
    await ada.rest.patch(`/api/workspaces/${board.workspace._id}`, { name: "New" });
    await board.add(await registered(server, "Cleo"));

    for (const [collection, document] of [
      ["tasks", task],
      ["projects", board.project],
      ["workspaces", board.workspace],
    ])
      assert.deepEqual(odd(await pair.stored(collection, document)), unknown, collection);
    assert.deepEqual((await pair.stored("tasks", task)).subtasks, subtasks);
    const since = (await pair.stored("projects", board.project)).members.map((member) => member.since);
    assert.deepEqual(since, [2019, 2019, undefined], "a new member changes nothing in the others");
  });

  it("are passed through on projects, workspaces and users, and never a password", async () => {
    const board = await Board.of(ada, ben);
    const plan = { plan: "free", archived: false, settings: { by: new ObjectId(ben._id), at: new Date(0) } };
    await pair.set("projects", board.project, plan);
    await pair.set("workspaces", board.workspace, plan);
    await pair.set("users", ada, plan);
    const seen = json(plan);
    for (const path of [`/api/projects/${board.id}`, `/api/workspaces/${board.workspace._id}`, "/api/auth/me"]) {
      const answer = await ada.rest.get(path);
      assert.deepEqual({ ...answer, ...seen }, answer, path);
      assert.ok(!/password|collabflow/.test(JSON.stringify(answer)), `${path} shows what is nobody's business`);
    }
  });
});
