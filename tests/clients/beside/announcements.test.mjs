// Rule 2 beside the Node backend: a page changes a task by Node's REST and announces it by CollabFlow's socket. Whoever
// has not been told is told once, with what is stored; nothing is written by it, and nothing old or told is told again.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Board, registered, seated } from "../contract/support.mjs";
import { database, sideBySide } from "./support.mjs";

const mongod = await database();
const writing = await stage();
const reading = await stage({ COLLABFLOW_TASKS__WRITE_BY_SOCKET: "false" });
/** Longer than a change of another program may wait for its announcement. */
const LONG_AGO = 2 * 60_000;

const updating = ({ board, task }, updates) => ["task:update", { projectId: board.id, taskId: task._id, updates }];

/** Fails unless what is told is what is stored: `names` and perhaps more of its fields. */
function assertPresent({ taskId, updates, version }, stored, ...names) {
  assert.deepEqual([taskId, version], [stored._id, stored.version]);
  for (const name of names) assert.ok(name in updates, `${name} is not in ${JSON.stringify(updates)}`);
  for (const [name, value] of Object.entries(updates)) assert.deepEqual(value, stored[name] ?? null, name);
}

// A change by Node's REST, its announcement by the page, and what the others are told of it.
const CHANGES = {
  "a PATCH, by its changed fields": {
    change: ({ node, path }) => node.patch(path, { title: "Node's" }),
    announce: (here) => updating(here, { title: "Node's" }),
    event: "task:updated",
    check: (data, stored) => assertPresent(data, stored, "title"),
  },
  "a PATCH of several fields, by its whole answer": {
    change: ({ node, path, ben }) =>
      node.patch(path, { title: "Node's", priority: "high", assignee: ben._id, dueDate: "2026-01-02" }),
    announce: (here, answer) => updating(here, answer),
    event: "task:updated",
    check: (data, stored) => assertPresent(data, stored, "title", "priority", "assignee", "dueDate"),
  },
  "a PATCH that clears, by its changed fields": {
    given: { description: "To be cleared" },
    change: ({ node, path }) => node.patch(path, { description: "" }),
    announce: (here) => updating(here, { description: "" }),
    event: "task:updated",
    check: ({ updates, version, taskId }, stored) => {
      assert.deepEqual([taskId, version], [stored._id, stored.version]);
      assert.ok(!updates.description, "it is cleared");
    },
  },
  "a drag: a PATCH of the status, by a task:move": {
    change: ({ node, path }) => node.patch(path, { status: "done" }),
    announce: ({ board, task }) => [
      "task:move",
      { projectId: board.id, taskId: task._id, fromStatus: "todo", toStatus: "done", newIndex: 0 },
    ],
    event: "task:moved",
    check: ({ taskId, toStatus, newIndex, version, position, movedBy }, stored, { ada }) => {
      assert.deepEqual([taskId, toStatus, newIndex], [stored._id, "done", 0]);
      assert.deepEqual([version, position, movedBy], [stored.version, stored.position, ada.face]);
    },
  },
};

/** Ada with two tabs and Ben with one before a board with one task of CollabFlow's, all told. */
async function desk({ pair, ada, ben }, fields) {
  const board = await Board.of(ada, ben);
  const task = await board.task(fields);
  const [tab, otherTab, bens] = await seated(board, [ada, ada, ben]);
  const others = [otherTab, bens];
  const node = pair.atNode(ada);
  return { pair, board, task, ada, ben, node, tab, others, all: [tab, ...others], path: `/api/tasks/${task._id}` };
}

async function stage(env) {
  const pair = await sideBySide(mongod, env);
  const [ada, ben] = [await registered(pair.server, "Ada"), await registered(pair.server, "Ben")];
  return { pair, ada, ben };
}

/** What all settings have in common. */
function announcementsAreToldOnce(here) {
  for (const [what, { given, change, announce, event, check }] of Object.entries(CHANGES)) {
    it(`tells the others once of ${what}`, async () => {
      const at = await desk(here, given);
      const { board, task, tab, others, all } = at;
      const answer = await change(at);
      await board.silent(...all);
      const ack = await tab.do(...announce(at, answer));
      const stored = await board.stored(task);
      assert.deepEqual(ack.task, stored);
      for (const client of others) {
        const data = await client.next(event);
        assert.ok(data.version > task.version, `version ${data.version} is told after ${task.version}`);
        check(data, stored, at);
      }
      await board.silent(...all);

      for (const client of all) await client.do(...announce(at, answer));
      await board.silent(...all);
      assert.deepEqual(await board.stored(task), stored, "nothing is written");
    });
  }

  it("tells the others once of a new task, by its whole answer", async () => {
    const { board, node, ada, tab, others, all } = await desk(here);
    const answer = await node.post("/api/tasks", {
      projectId: board.id,
      title: "Node's",
      labels: [{ name: "bug", color: "red" }],
    });
    await board.silent(...all);
    const ack = await tab.do("task:create", { projectId: board.id, task: answer });
    assert.deepEqual([ack.task._id, ack.task.title], [answer._id, "Node's"]);
    const stored = await board.stored(answer);
    for (const client of others)
      assert.deepEqual(await client.next("task:created"), { task: stored, createdBy: ada.face });
    await board.silent(...all);

    for (const client of all) await client.do("task:create", { projectId: board.id, task: answer });
    await board.silent(...all);
    assert.equal((await board.tasks()).filter(({ title }) => title === "Node's").length, 1);
  });

  it("tells the others once of a delete", async () => {
    const { board, node, path, task, ada, tab, others, all } = await desk(here);
    await node.delete(path);
    await board.silent(...all);
    await tab.do("task:delete", { projectId: board.id, taskId: task._id });
    for (const client of others) {
      assert.deepEqual(await client.next("task:deleted"), { taskId: task._id, deletedBy: ada.face });
    }
    await board.silent(...all);
    for (const client of all) await client.do("task:delete", { projectId: board.id, taskId: task._id });
    await board.silent(...all);
  });

  it("tells each of two changes that are announced one after the other", async () => {
    const at = await desk(here);
    const { node, path, board, tab, others } = at;
    let version = at.task.version;
    for (const title of ["One", "Two"]) {
      await node.patch(path, { title });
      await tab.do(...updating(at, { title }));
      for (const client of others) {
        const data = await client.next("task:updated");
        assert.equal(data.updates.title, title);
        assert.ok(data.version > version);
      }
      version = (await board.stored(at.task)).version;
    }
    await board.silent(...others);
  });

  it("tells what is stored, where Node has changed the task again since", async () => {
    const at = await desk(here);
    const { node, path, board, tab, others } = at;
    const first = await node.patch(path, { title: "First" });
    await node.patch(path, { title: "Second" });
    await tab.do(...updating(at, first));
    const stored = await board.stored(at.task);
    assert.equal(stored.title, "Second");
    for (const client of others) assertPresent(await client.next("task:updated"), stored, "title");
    assertPresent(await tab.next("task:updated"), stored, "title");
    await board.silent(...at.all);
  });

  it("tells of it also where CollabFlow has changed something else since", async () => {
    const at = await desk(here);
    const { node, path, board, task, ben, tab, others, all } = at;
    const answer = await node.patch(path, { title: "Node's" });
    await ben.rest.patch(path, { description: "CollabFlow's" });
    // It may be told of Node's change too by then, but not twice.
    const early = [];
    for (const client of all) early.push("title" in (await client.next("task:updated")).updates);
    await tab.do(...updating(at, answer));
    const stored = await board.stored(task);
    assert.deepEqual([stored.title, stored.description], ["Node's", "CollabFlow's"]);
    for (const [n, client] of others.entries()) {
      if (!early[n + 1]) assertPresent(await client.next("task:updated"), stored, "title");
    }
    await board.silent(...others);
  });

  it("tells nobody of a change that is more than a minute old", async () => {
    const at = await desk(here);
    const { pair, board, node, path, task, tab, all } = at;
    const answer = await node.patch(path, { title: "Node's" });
    await pair.set("tasks", task, { updatedAt: new Date(Date.now() - LONG_AGO) });
    const made = await node.post("/api/tasks", { projectId: board.id, title: "Old" });
    const then = new Date(Date.now() - LONG_AGO);
    await pair.set("tasks", made, { createdAt: then, updatedAt: then });

    assert.equal((await tab.do(...updating(at, answer))).task.title, "Node's");
    assert.equal((await tab.do("task:create", { projectId: board.id, task: made })).task._id, made._id);
    await board.silent(...all);
  });

  it("tells nobody of what CollabFlow wrote and told, also after a restart", async () => {
    const at = await desk(here);
    const { pair, board, path, task, ada, ben, all } = at;
    const written = await ada.rest.patch(path, { title: "CollabFlow's" });
    for (const client of all) await client.next("task:updated");
    const [event, payload] = updating(at, written);
    const announce = async (client) => {
      await client.do(event, payload);
      await client.do(event, { ...payload, updates: { title: "CollabFlow's" } });
      await client.do("task:create", { projectId: board.id, task: written });
    };
    await announce(at.tab);
    await board.silent(...all);

    for (const client of all) client.close();
    await pair.server.restart();
    const again = await seated(board, [ada, ada, ben]);
    await announce(again[0]);
    await board.silent(...again);
    assert.deepEqual(await board.stored(task), written);

    const answer = await at.node.patch(path, { title: "Node's" });
    await again[0].do(...updating(at, answer));
    const stored = await board.stored(task);
    for (const client of again.slice(1)) assertPresent(await client.next("task:updated"), stored, "title");
    await board.silent(...again);
  });
}

describe("an announcement of a change that Node made", () => {
  announcementsAreToldOnce(writing);

  it("is written where it differs from what is stored", async () => {
    const at = await desk(writing);
    await at.node.patch(at.path, { title: "Node's" });
    const { task } = await at.tab.do(...updating(at, { title: "The page's" }));
    assert.equal((await at.pair.stored("tasks", task)).title, "The page's");
    for (const client of at.others) assert.equal((await client.next("task:updated")).updates.title, "The page's");
    await at.board.silent(...at.all);
  });
});

describe("the same with tasks.write_by_socket = false", () => {
  announcementsAreToldOnce(reading);

  it("is never written", async () => {
    const at = await desk(reading);
    const before = await at.pair.stored("tasks", at.task);
    const { task } = await at.tab.do(...updating(at, { title: "The page's" }));
    assert.equal(task.title, before.title);
    await at.tab.ask("task:delete", { projectId: at.board.id, taskId: task._id });
    assert.deepEqual(await at.pair.stored("tasks", at.task), before);
    await at.board.silent(...at.others);
  });
});
