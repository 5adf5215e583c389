// Rule 3, in order and true at rest: twenty clients change the same tasks at once and talk meanwhile.
// All see one sequence, each task's versions ascend by one, and whoever applies what it is told ends equal to REST.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random, chooseSeed } from "../lib/random.mjs";
import { connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";

const CLIENTS = 20;
const TASKS = 8;
const CHANGES_EACH = 20;
const STATUSES = ["todo", "review", "done"];

const seed = chooseSeed();
const server = await serve();
const [observer, ...authors] = await people(
  server,
  "Observer",
  ...Array.from({ length: CLIENTS }, (_, i) => `Author ${i}`),
);

/** A page that believes what it is told, in the order in which it is told, its own acknowledgements among it. */
class Page {
  tasks = new Map();
  /** Of each task the versions, as they came. */
  versions = new Map();

  constructor(tasks) {
    for (const task of tasks) this.#put(task);
  }

  acknowledged(task) {
    this.#put(task);
  }

  deleted(taskId) {
    this.tasks.delete(taskId);
  }

  told({ event, data }) {
    if (event === "task:created") this.#put(data.task);
    if (event === "task:updated") this.#merge(data.taskId, data.updates, data.version);
    if (event === "task:moved")
      this.#merge(data.taskId, { status: data.toStatus, position: data.position }, data.version);
    if (event === "task:deleted") this.deleted(data.taskId);
  }

  #put(task) {
    this.tasks.set(task._id, task);
    this.#note(task._id, task.version);
  }

  #merge(id, updates, version) {
    this.tasks.set(id, { ...this.tasks.get(id), ...updates, version });
    this.#note(id, version);
  }

  #note(id, version) {
    this.versions.set(id, [...(this.versions.get(id) ?? []), version]);
  }
}

/** What of a task events tell (not the time of the last change). */
const shown = (tasks) => [...tasks].map(({ updatedAt, ...task }) => task).sort((a, b) => a._id.localeCompare(b._id));

/** One client of the crowd, in the project and the channel. */
async function participant(board, user) {
  const client = await connect(server.url, user);
  await client.do("join:project", board.id);
  await board.chat(client);
  return { client, user, own: new Set(), heard: [] };
}

/** From here on `one` has a page, and notes what it hears under names that all clients share. */
function open(one, tasks) {
  one.page = new Page(tasks);
  one.client.socket.onAny((event, data) => {
    if (!event.startsWith("task:") && event !== "chat:newMessage") return;
    one.heard.push(nameOf({ event, data }));
    one.page.told({ event, data });
  });
}

const nameOf = ({ event, data }) => {
  const id = data.taskId ?? data.task?._id ?? data._id;
  return event === "task:deleted" ? `${id} deleted` : `${id} v${data.version ?? data.task?.version ?? 0}`;
};

/** One random change by socket; its acknowledgement is applied when it comes, and its name noted as the author's own. */
async function change({ client, page, own }, board, shared, random) {
  const taskId = random.pick(shared)._id;
  const same = { projectId: board.id, taskId };
  const kind = random.weighted({ update: 5, move: 4, create: 1, message: 3 });
  const [event, payload] = {
    update: [
      "task:update",
      { ...same, updates: { title: `Title ${random.int(0, 1e9)}`, priority: random.pick(["low", "high"]) } },
    ],
    move: [
      "task:move",
      { ...same, fromStatus: "todo", toStatus: random.pick(STATUSES), newIndex: random.int(0, TASKS) },
    ],
    create: ["task:create", { projectId: board.id, task: { title: `New ${random.int(0, 1e9)}` } }],
    message: ["chat:message", { channelId: board.channel._id, content: `Word ${random.int(0, 1e9)}` }],
  }[kind];
  // The acknowledgement is taken in the callback, so that it keeps its place among the events.
  await new Promise((resolve, reject) => {
    client.socket.timeout(20_000).emit(event, payload, (late, ack) => {
      if (late) return reject(late);
      if (!ack.ok) return reject(new Error(`${event}: ${JSON.stringify(ack)}`));
      if (ack.task && !page.versions.get(ack.task._id)?.includes(ack.task.version)) {
        page.acknowledged(ack.task);
        own.add(nameOf({ event, data: { task: ack.task } }));
      }
      resolve();
    });
  });
}

describe(`twenty clients at once (SEED=${seed})`, () => {
  it("see one order, versions without a gap, and in the end what REST says", async () => {
    const board = await Board.of(observer, ...authors);
    const shared = [];
    for (let i = 0; i < TASKS; i++) shared.push(await board.task({ title: `Task ${i}` }));
    const watching = await participant(board, observer);
    const crowd = [];
    for (const author of authors) crowd.push(await participant(board, author));
    const everyone = [watching, ...crowd];
    await board.settle(...everyone.map(({ client }) => client));
    const start = await board.tasks();
    for (const one of everyone) open(one, start);

    await Promise.all(
      crowd.map(async (one, i) => {
        const random = new Random(seed + i);
        for (let n = 0; n < CHANGES_EACH; n += 4) {
          await Promise.all(Array.from({ length: 4 }, () => change(one, board, shared, random)));
        }
      }),
    );
    await board.settle(...everyone.map(({ client }) => client));
    const { _id } = await board.say("last");
    await Promise.all(everyone.map(({ client }) => client.find("chat:newMessage", (message) => message._id === _id)));

    const stored = await board.tasks();
    const isMessage = (name) => name.endsWith(" v0");
    for (const { user, heard, own, page } of everyone) {
      for (const room of [isMessage, (name) => !isMessage(name)]) {
        const expected = watching.heard.filter((name) => room(name) && !own.has(name));
        assert.deepEqual(heard.filter(room), expected, `${user.name} saw another order`);
      }
      for (const { _id: id } of shared) {
        const versions = page.versions.get(id);
        assert.deepEqual(
          versions,
          versions.map((_, i) => i + 1),
          `${user.name} saw versions out of order`,
        );
      }
      assert.deepEqual(shown(page.tasks.values()), shown(stored), `${user.name} ends unequal to REST`);
    }
    assert.ok(watching.heard.length > 300, `only ${watching.heard.length} changes`);
    const messages = watching.heard.filter(isMessage).map((name) => name.split(" ")[0]);
    assert.deepEqual(
      (await board.messages()).map((message) => message._id),
      messages,
    );
  });
});
