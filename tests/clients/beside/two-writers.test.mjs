// The Node backend and CollabFlow change different fields of one document at the same time: neither loses anything of
// the other's, and no request of CollabFlow's fails of it.

import assert from "node:assert/strict";
import { it } from "node:test";
import { connect } from "../contract/client.mjs";
import { Board, registered } from "../contract/support.mjs";
import { database, sideBySide } from "./support.mjs";

const TIMES = 100;
const pair = await sideBySide(await database());
const [ada, ben] = [await registered(pair.server, "Ada"), await registered(pair.server, "Ben")];

/** Runs the `writers` at the same time, each TIMES times in a row; resolves with the list of answers of each. */
async function together(...writers) {
  const ends = writers.map(() => 0);
  const answers = await Promise.all(
    writers.map(async (write, which) => {
      const all = [];
      for (let n = 1; n <= TIMES; n++) {
        all.push(await write(n));
        ends[which] = n;
      }
      // What one wrote before the other began would show nothing.
      if (ends.every((end) => end === TIMES)) return all;
      for (const [other, end] of ends.entries())
        assert.ok(end > 1, `writer ${other} had not begun when ${which} ended`);
      return all;
    }),
  );
  return answers;
}

const assertGrowing = (versions) =>
  versions.forEach((version, n) =>
    assert.ok(n === 0 || version > versions[n - 1], `${version} after ${versions[n - 1]}`),
  );

it("a task whose title Node changes and whose description CollabFlow changes ends with both", async () => {
  const board = await Board.of(ada, ben);
  const task = await board.task({ title: "Node 0", description: "CollabFlow 0" });
  const path = `/api/tasks/${task._id}`;
  const listener = await connect(pair.server.url, ben);
  await board.gather(listener);
  const node = pair.atNode(ben);
  const [nodes, ours] = await together(
    (n) => node.patch(path, { title: `Node ${n}` }),
    (n) => ada.rest.patch(path, { description: `CollabFlow ${n}` }),
  );

  const { title, description } = await pair.stored("tasks", task);
  assert.deepEqual([title, description], [`Node ${TIMES}`, `CollabFlow ${TIMES}`]);
  const now = await board.stored(task);
  assert.deepEqual([now.title, now.description], [title, description]);
  assert.ok(now.version >= ours.at(-1).version);
  assertGrowing(ours.map((answer) => answer.version));
  for (const [n, answer] of ours.entries()) assert.equal(answer.description, `CollabFlow ${n + 1}`);
  for (const [n, answer] of nodes.entries()) assert.equal(answer.title, `Node ${n + 1}`);

  const told = [];
  do {
    told.push(await listener.next("task:updated"));
  } while (told.at(-1).updates.description !== description);
  const descriptions = told.map(({ updates }) => updates.description).filter((text) => text !== undefined);
  assert.deepEqual(
    descriptions,
    ours.map((answer) => answer.description),
    "each is told once, in order",
  );
  assertGrowing(told.map((event) => event.version));
});

it("a task that Node changes while sockets of CollabFlow change it ends with all", async () => {
  const board = await Board.of(ada, ben);
  const task = await board.task({ title: "Node 0", subtasks: [{ title: "Subtask 0" }] });
  const [adas, bens] = await Promise.all([ada, ben].map((user) => connect(pair.server.url, user)));
  const node = pair.atNode(ben);
  const update = (client, updates) => client.do("task:update", { projectId: board.id, taskId: task._id, updates });
  const [subtask] = task.subtasks;
  const [, ...ours] = await together(
    (n) => node.patch(`/api/tasks/${task._id}`, { title: `Node ${n}` }),
    (n) => update(adas, { description: `CollabFlow ${n}` }),
    (n) => update(bens, { subtasks: [{ ...subtask, title: `Subtask ${n}` }] }),
  );
  const { title, description, subtasks, version } = await board.stored(task);
  const lasts = [`Node ${TIMES}`, `CollabFlow ${TIMES}`, `Subtask ${TIMES}`];
  assert.deepEqual([title, description, subtasks[0].title], lasts);
  for (const acks of ours) assertGrowing(acks.map((ack) => ack.task.version));
  const versions = ours.flat().map((ack) => ack.task.version);
  assert.equal(new Set(versions).size, versions.length, "no two changes have one version");
  assert.ok(version >= Math.max(...versions));
});

it("a project that Node renames while CollabFlow describes it ends with both", async () => {
  const board = await Board.of(ada, ben);
  const path = `/api/projects/${board.id}`;
  const node = pair.atNode(ada);
  await together(
    (n) => node.patch(path, { name: `Node ${n}` }),
    (n) => ada.rest.patch(path, { description: `CollabFlow ${n}` }),
  );
  const { name, description, members } = await ada.rest.get(path);
  assert.deepEqual([name, description, members.length], [`Node ${TIMES}`, `CollabFlow ${TIMES}`, 2]);
});
