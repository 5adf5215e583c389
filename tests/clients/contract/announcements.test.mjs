// Rule 2, "once, and never backwards": the old client changes a task by REST and then announces it by socket.
// An announcement writes nothing, reverts nothing, and tells only those who have not been told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { objectId } from "../lib/tokens.mjs";
import { Board, PAGE, people, seated, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");
const fromPage = { origin: PAGE };

/** Ada with two tabs, Ben and Cleo with one each, before a board with one task. */
async function desk(fields) {
  const board = await Board.of(ada, ben, cleo);
  const task = await board.task(fields);
  const [tab, otherTab, bens, cleos] = await seated(board, [ada, ada, ben, cleo]);
  return { board, task, tab, otherTab, bens, cleos, all: [tab, otherTab, bens, cleos] };
}

const patch = (user, task, body, headers = fromPage) => user.rest.patch(`/api/tasks/${task._id}`, body, headers);
const announce = (client, board, task, updates) =>
  client.do("task:update", { projectId: board.id, taskId: task._id, updates });

/** Fails unless each of `names` is told, and everything told is what `task` holds. */
function assertPresent({ taskId, updates, version }, task, ...names) {
  assert.equal(taskId, task._id);
  assert.equal(version, task.version);
  for (const name of names) assert.ok(name in updates, `${name} is not in ${JSON.stringify(updates)}`);
  for (const [name, value] of Object.entries(updates)) assert.deepEqual(value, task[name] ?? null, name);
}

describe("two authors who change different fields of one task and then announce their whole answers", () => {
  for (const first of ["Ada", "Ben"]) {
    it(`revert nothing, and each other client hears each change once (${first} announces first)`, async () => {
      const { board, task, tab, otherTab, bens, cleos, all } = await desk();
      const answers = await Promise.all([patch(ada, task, { title: "Ada's" }), patch(ben, task, { priority: "high" })]);
      const turns = [
        [tab, answers[0]],
        [bens, answers[1]],
      ];
      for (const [client, answer] of first === "Ada" ? turns : turns.reverse())
        await announce(client, board, task, answer);

      const stored = await board.stored(task);
      assert.deepEqual([stored.title, stored.priority, stored.version], ["Ada's", "high", 3]);
      await board.mark();
      const heard = {};
      for (const client of all) {
        heard[client === otherTab ? "otherTab" : client.user.name] = await untilMarker(client);
      }
      // Cleo made neither change: both reach her, once each, in order.
      assert.deepEqual(
        heard.Cleo.map(({ version }) => version),
        [2, 3],
      );
      assert.deepEqual(Object.assign({}, ...heard.Cleo.map(({ updates }) => updates)), {
        title: "Ada's",
        priority: "high",
      });
      // The others may be told present values again, and are never told anything else.
      for (const updates of Object.values(heard)
        .flat()
        .map((event) => event.updates)) {
        assert.ok([undefined, "Ada's"].includes(updates.title), `title went back: ${updates.title}`);
        assert.ok([undefined, "high"].includes(updates.priority), `priority went back: ${updates.priority}`);
      }
      assert.ok(
        heard.otherTab.some(({ updates }) => updates.title),
        "Ada's other tab hears of it by her announcement",
      );
      assert.ok(cleos.take().length === 0);
    });
  }
});

/** The task:updated events up to the next marker. */
async function untilMarker(client) {
  const heard = [];
  for (;;) {
    const { event, data } = await client.any("a marker");
    if (event === "task:created") return heard;
    assert.equal(event, "task:updated");
    heard.push(data);
  }
}

// A change by REST, how the old client announces it, and what its author's other tab hears of it.
const ANNOUNCED = {
  "a PATCH, by its changed fields": {
    change: ({ task }, headers) => patch(ada, task, { title: "New" }, headers),
    announce: ({ board, task }) => [
      "task:update",
      { projectId: board.id, taskId: task._id, updates: { title: "New" } },
    ],
    first: "task:updated",
    then: ["task:updated", (data, answer) => assertPresent(data, answer, "title")],
  },
  "a PATCH, by its whole answer": {
    change: ({ task }, headers) => patch(ada, task, { title: "New" }, headers),
    announce: ({ board, task }, answer) => ["task:update", { projectId: board.id, taskId: task._id, updates: answer }],
    first: "task:updated",
    then: ["task:updated", (data, answer) => assertPresent(data, answer, "title")],
  },
  "a drag: a PATCH of the status, and a task:move": {
    change: ({ task }, headers) => patch(ada, task, { status: "done" }, headers),
    announce: ({ board, task }) => [
      "task:move",
      { projectId: board.id, taskId: task._id, fromStatus: "todo", toStatus: "done", newIndex: 0 },
    ],
    first: "task:updated",
    then: ["task:moved", assertMoved],
  },
  "a move by POST, and a task:move that says it came from elsewhere": {
    change: ({ task }, headers) =>
      ada.rest.post(`/api/tasks/${task._id}/move`, { toStatus: "done", newIndex: 0 }, headers),
    announce: ({ board, task }) => [
      "task:move",
      { projectId: board.id, taskId: task._id, fromStatus: "review", toStatus: "done", newIndex: 0 },
    ],
    first: "task:moved",
    then: ["task:moved", assertMoved],
  },
  "a new task, by its whole answer": {
    change: ({ board }, headers) => board.task({ title: "New" }, headers),
    announce: ({ board }, answer) => ["task:create", { projectId: board.id, task: answer }],
    first: "task:created",
    then: ["task:created", (data, answer) => assert.deepEqual(data, { task: answer, createdBy: ada.face })],
  },
  "a delete": {
    change: ({ task }, headers) => ada.rest.delete(`/api/tasks/${task._id}`, headers),
    announce: ({ board, task }) => ["task:delete", { projectId: board.id, taskId: task._id }],
    first: "task:deleted",
    then: ["task:deleted", (data, _, task) => assert.deepEqual(data, { taskId: task._id, deletedBy: ada.face })],
    gone: true,
  },
};

function assertMoved(data, answer) {
  const { projectId, taskId, fromStatus, toStatus, newIndex, position, version, movedBy } = data;
  assert.deepEqual(
    { projectId, taskId, fromStatus, toStatus, newIndex, position, version, movedBy },
    {
      projectId: answer.project,
      taskId: answer._id,
      fromStatus: "todo",
      toStatus: "done",
      newIndex: 0,
      position: answer.position,
      version: answer.version,
      movedBy: ada.face,
    },
  );
}

for (const [what, row] of Object.entries(ANNOUNCED)) {
  describe(`the announcement of ${what}`, () => {
    it("writes nothing, is acknowledged, and is told to the author's other tab alone", async () => {
      const here = await desk();
      const { board, task, tab, otherTab, bens, cleos, all } = here;
      const answer = await row.change(here, fromPage);
      for (const client of [bens, cleos]) await client.next(row.first);
      await board.silent(...all);

      const ack = await tab.do(...row.announce(here, answer));
      assert.deepEqual(ack.task, row.gone ? undefined : answer);
      if (!row.gone) assert.deepEqual(await board.stored(answer), answer);
      const [event, check] = row.then;
      check(await otherTab.next(event), answer, task);
      await board.silent(...all);
    });

    it("repeated is told to nobody", async () => {
      const here = await desk();
      const answer = await row.change(here, fromPage);
      await here.tab.do(...row.announce(here, answer));
      await here.board.settle(...here.all);
      for (const client of [here.tab, here.otherTab]) await client.do(...row.announce(here, answer));
      await here.board.silent(...here.all);
    });

    it("of a script, whose change left nobody out, is told to nobody", async () => {
      const here = await desk();
      const answer = await row.change(here, {});
      for (const client of here.all) await client.next(row.first);
      await here.tab.do(...row.announce(here, answer));
      await here.board.silent(...here.all);
    });
  });
}

describe("an announcement", () => {
  it("of a change that named its socket is told to nobody: the other tab has been told", async () => {
    const { board, task, tab, otherTab, all } = await desk();
    const answer = await patch(ada, task, { title: "New" }, { "x-socket-id": tab.id, ...fromPage });
    await otherTab.next("task:updated");
    await board.settle(...all);
    await announce(tab, board, task, answer);
    await board.silent(...all);
  });

  it("that somebody else's change has overtaken changes nothing back, and its sender is told what holds now", async () => {
    const { board, task, tab, otherTab, bens, cleos, all } = await desk();
    await patch(ada, task, { title: "Ada's" });
    await bens.do("task:update", { projectId: board.id, taskId: task._id, updates: { title: "Ben's" } });
    await board.settle(...all);

    const ack = await announce(tab, board, task, { title: "Ada's" });
    const stored = await board.stored(task);
    assert.deepEqual([stored.title, stored.version], ["Ben's", 3]);
    assert.deepEqual(ack.task, stored);
    assertPresent(await tab.next("task:updated"), stored, "title");
    await board.silent(tab, bens, cleos);
    await board.mark();
    for (const event of [...(await untilMarker(otherTab)), ...(await untilMarker(otherTab))])
      assertPresent(event, stored);
  });

  it("of a move that somebody else has moved on tells its sender the present place as task:moved", async () => {
    const { board, task, tab, bens, cleos, all } = await desk();
    await patch(ada, task, { status: "done" });
    const { task: stored } = await bens.do("task:move", {
      projectId: board.id,
      taskId: task._id,
      fromStatus: "done",
      toStatus: "review",
    });
    await board.settle(...all);
    const move = { projectId: board.id, taskId: task._id, fromStatus: "todo", toStatus: "done", newIndex: 0 };
    assert.deepEqual((await tab.do("task:move", move)).task, stored);
    const { toStatus, position, version } = await tab.next("task:moved");
    assert.deepEqual({ toStatus, position, version }, { toStatus: "review", position: stored.position, version: 3 });
    await board.silent(tab, bens, cleos);
    assert.deepEqual(await board.stored(task), stored);
  });

  it("of several changes in flight never tells a value that has passed", async () => {
    const { board, task, tab, otherTab, bens, cleos } = await desk();
    for (const title of ["One", "Two", "Three"]) await patch(ada, task, { title });
    for (const title of ["One", "Two", "Three"]) await announce(tab, board, task, { title });
    const stored = await board.stored(task);
    assert.deepEqual([stored.title, stored.version], ["Three", 4]);
    await board.mark();
    const heard = await untilMarker(otherTab);
    assert.ok(heard.length >= 1);
    for (const event of [...heard, ...(await untilMarker(tab))]) assertPresent(event, stored, "title");
    for (const client of [bens, cleos]) {
      assert.deepEqual(
        (await untilMarker(client)).map(({ updates }) => updates.title),
        ["One", "Two", "Three"],
      );
    }
  });

  it("of a task that is gone is not found, and told to nobody but the page that has just added it", async () => {
    const { board, task, tab, bens, all } = await desk();
    const answer = await patch(ada, task, { title: "Late" });
    await bens.do("task:delete", { projectId: board.id, taskId: task._id });
    await board.settle(...all);
    for (const [event, payload] of [
      ["task:update", { updates: { title: "Late" } }],
      ["task:update", { updates: answer }],
      ["task:move", { fromStatus: "todo", toStatus: "done" }],
      ["task:create", { task: answer }],
    ]) {
      const error = await tab.refused(event, { projectId: board.id, taskId: task._id, ...payload });
      assert.equal(error.code, "not_found", event);
    }
    assert.equal((await tab.next("task:deleted")).taskId, task._id);
    await board.silent(...all);
  });

  it("is what a whole stored task is, whoever sends it and however old its copy", async () => {
    const { board, task, bens, all } = await desk();
    await patch(ada, task, { title: "New", priority: "high" }, {});
    await board.settle(...all);
    await announce(bens, board, task, task);
    const stored = await board.stored(task);
    assert.deepEqual([stored.title, stored.priority, stored.version], ["New", "high", 2]);
    assertPresent(await bens.next("task:updated"), stored, "title", "priority");
    await board.silent(...all);
  });

  it("is what a whole stored task is in task:create too", async () => {
    const { board, task, bens, all } = await desk();
    const ack = await bens.do("task:create", { projectId: board.id, task });
    assert.deepEqual(ack.task, task);
    await board.silent(...all);
    assert.equal((await board.tasks()).filter(({ title }) => title === task.title).length, 1);
  });

  it("is not what a whole task with an expected version is: that one is written", async () => {
    const { board, task, bens, cleos } = await desk({ assignee: cleo._id });
    const change = {
      projectId: board.id,
      taskId: task._id,
      updates: { ...task, title: "Written" },
      expectedVersion: 1,
    };
    const ack = await bens.do("task:update", change);
    assert.deepEqual([ack.task.title, ack.task.version], ["Written", 2]);
    assert.deepEqual((await cleos.next("task:updated")).updates, { title: "Written" });
    assert.equal((await bens.refused("task:update", change)).code, "conflict");
  });

  it("is not what differs from the author's own change: that one is written", async () => {
    const { board, task, tab, cleos } = await desk();
    await patch(ada, task, { title: "One" });
    const ack = await announce(tab, board, task, { title: "Two" });
    assert.deepEqual([ack.task.title, ack.task.version], ["Two", 3]);
    assert.deepEqual((await untilVersion(cleos, 3)).updates, { title: "Two" });
  });

  it("is nothing that another user can make of the author's change", async () => {
    const { board, task, bens, all } = await desk();
    await patch(ada, task, { title: "Ada's" }, {});
    await patch(cleo, task, { title: "Cleo's" }, {});
    await board.settle(...all);
    const ack = await announce(bens, board, task, { title: "Ada's" });
    assert.deepEqual([ack.task.title, ack.task.version], ["Ada's", 4]);
  });

  it("is over after 10 s: the same fields are a change of their own then", async () => {
    const { board, task, tab, bens } = await desk();
    await patch(ada, task, { title: "Ada's" });
    await patch(ben, task, { title: "Ben's" });
    await pause(10_500);
    const ack = await announce(tab, board, task, { title: "Ada's" });
    assert.deepEqual([ack.task.title, ack.task.version], ["Ada's", 4]);
    assert.deepEqual((await untilVersion(bens, 4)).updates, { title: "Ada's" });
  });

  it("after a restart tells nobody what the server wrote itself", async () => {
    const here = await serve();
    const [author, reader] = await people(here, "Ada", "Ben");
    const board = await Board.of(author, reader);
    const task = await board.task();
    const answer = await patch(author, task, { title: "New" });
    const moved = await patch(author, task, { status: "done" });
    await here.restart();
    const clients = await seated(board, [author, author, reader]);
    await announce(clients[0], board, task, moved);
    await clients[0].do("task:create", { projectId: board.id, task: answer });
    await board.silent(clients[1], clients[2]);
    assert.deepEqual(await board.stored(task), moved);
  });
});

/** Waits for the task:updated of `version`. */
const untilVersion = (client, version) => client.find("task:updated", (data) => data.version === version);

describe("a change from a page that is never announced", () => {
  for (const [how, end] of Object.entries({
    disconnects: (client) => client.close(),
    drops: (client) => client.drop(),
  })) {
    it(`is told to the author's other tabs when one of them ${how}`, async () => {
      const { board, task, tab, otherTab, bens, cleos } = await desk();
      const answer = await patch(ada, task, { title: "New" });
      for (const client of [bens, cleos]) await client.next("task:updated");
      await board.silent(otherTab, bens, cleos);
      end(tab);
      assertPresent(await otherTab.next("task:updated"), answer, "title");
      await announce(otherTab, board, task, answer);
      await board.silent(otherTab, bens, cleos);
    });
  }

  it("is told to nobody where it has been announced before one closes", async () => {
    const { board, task, tab, otherTab, bens } = await desk();
    await announce(tab, board, task, await patch(ada, task, { title: "New" }));
    for (const client of [otherTab, bens]) await client.next("task:updated");
    tab.close();
    await board.silent(otherTab, bens);
  });
});

describe("the _id in task:create", () => {
  it("that is a client's own is ignored: the acknowledgement has the real one", async () => {
    const { board, tab, bens, all } = await desk();
    for (const _id of ["temp-1", "", 17, null]) {
      const { task } = await tab.do("task:create", { projectId: board.id, task: { _id, title: "Temporary" } });
      assert.notEqual(task._id, _id);
      assert.deepEqual(await board.stored(task), task);
      assert.deepEqual((await bens.next("task:created")).task, task);
    }
    await board.settle(...all);
  });

  it("that is an ObjectId of no task in this project is not found", async () => {
    const { board, tab, all } = await desk();
    const elsewhere = await (await Board.of(ada)).task();
    for (const _id of [objectId(), elsewhere._id]) {
      const error = await tab.refused("task:create", { projectId: board.id, task: { ...elsewhere, _id } });
      assert.equal(error.code, "not_found");
    }
    await board.silent(...all);
  });
});

describe("a clientId of task:create", () => {
  it("seen before from that sender answers the first task, which is not made or told again", async () => {
    const { board, tab, otherTab, bens, cleos, all } = await desk();
    const create = (client, title) =>
      client.do("task:create", { projectId: board.id, task: { title }, clientId: "c1" });
    const { task } = await create(tab, "Once");
    assert.deepEqual((await create(tab, "Again")).task, task);
    assert.deepEqual((await create(otherTab, "Again")).task, task);
    for (const client of [otherTab, bens, cleos]) assert.deepEqual((await client.next("task:created")).task, task);
    await board.silent(...all);
    const other = await create(bens, "Ben's");
    assert.notEqual(other.task._id, task._id);
  });
});

describe('tasks.write_by_socket = "false"', () => {
  it("makes every task event an announcement: nothing is written by it", async () => {
    const reading = await serve({ COLLABFLOW_TASKS__WRITE_BY_SOCKET: "false" });
    const [author, reader] = await people(reading, "Ada", "Ben");
    const board = await Board.of(author, reader);
    const task = await board.task();
    const [tab, other] = await seated(board, [author, reader]);
    const same = { projectId: board.id, taskId: task._id };
    const update = await tab.do("task:update", { ...same, updates: { title: "No" } });
    const move = await tab.do("task:move", { ...same, fromStatus: "todo", toStatus: "done" });
    assert.deepEqual([update.task, move.task], [task, task]);
    assertPresent(await tab.next("task:updated"), task, "title");
    assert.equal((await tab.next("task:moved")).toStatus, "todo");
    await board.silent(other);
    assert.deepEqual(await board.stored(task), task);
  });
});
