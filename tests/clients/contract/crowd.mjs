// Clients that change the same tasks at once, talk meanwhile, and note what they hear.

import { connect } from "./client.mjs";
import { Page, nameOf } from "./page.mjs";

/** How many tasks they share. */
export const TASKS = 8;
const STATUSES = ["todo", "review", "done"];

/** One client of the crowd, in the project and the channel. */
export async function participant(url, board, user) {
  const client = await connect(url, user);
  await client.do("join:project", board.id);
  await board.chat(client);
  return { client, user, own: new Set(), heard: [], echoes: [], whole: new Set() };
}

/** From here on `one` has a page, and notes what it hears under names that all clients share. */
export function open(one, tasks) {
  one.page = new Page(tasks);
  one.client.socket.onAny((event, data) => {
    if (!event.startsWith("task:") && event !== "chat:newMessage") return;
    const name = nameOf({ event, data });
    one.heard.push(name);
    const { _id } = data.createdBy ?? data.updatedBy ?? data.movedBy ?? {};
    if (_id === one.user._id) one.echoes.push(name);
    if (event === "task:updated" && isWhole(data.updates)) one.whole.add(name);
    one.page.told({ event, data });
  });
}

/** Whether it names more than any change of these tests does. */
const isWhole = (updates) => ["title", "description", "status", "position"].every((field) => field in updates);

/** One random change by socket; its acknowledgement is applied when it comes, and its name noted as the author's own. */
export async function change({ client, page, own }, board, shared, random) {
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
