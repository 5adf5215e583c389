// Every change made by REST reaches the rooms as if it had been made over a socket, and who is left out of it:
// the socket that X-Socket-Id names, the author's own sockets for a page with an Origin, nobody for a script.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TRANSPORTS, connect } from "./client.mjs";
import { Board, PAGE, people, seated, serve } from "./support.mjs";

const server = await serve();
const [ada, ben] = await people(server, "Ada", "Ben");

// Each task route, and the event that its change must be told as.
const CHANGES = [
  [
    "POST /api/tasks",
    "task:created",
    (board, _, headers) => ada.rest.post("/api/tasks", { title: "New", projectId: board.id }, headers),
    (task) => ({ task, createdBy: ada.face }),
  ],
  [
    "PATCH /api/tasks/:taskId",
    "task:updated",
    (_, task, headers) => ada.rest.patch(`/api/tasks/${task._id}`, { title: "Changed" }, headers),
    (task) => ({ taskId: task._id, updates: { title: "Changed" }, updatedBy: ada.face, version: 2 }),
  ],
  [
    "PATCH of the status",
    "task:updated",
    (_, task, headers) => ada.rest.patch(`/api/tasks/${task._id}`, { status: "done" }, headers),
    (task) => ({
      taskId: task._id,
      updates: { status: "done", position: task.position },
      updatedBy: ada.face,
      version: 2,
    }),
  ],
  [
    "POST /api/tasks/:taskId/move",
    "task:moved",
    (_, task, headers) => ada.rest.post(`/api/tasks/${task._id}/move`, { toStatus: "done", newIndex: 0 }, headers),
    (task, board) => ({
      projectId: board.id,
      taskId: task._id,
      fromStatus: "todo",
      toStatus: "done",
      newIndex: 0,
      position: task.position,
      version: 2,
      movedBy: ada.face,
    }),
  ],
  [
    "DELETE /api/tasks/:taskId",
    "task:deleted",
    (_, task, headers) => ada.rest.delete(`/api/tasks/${task._id}`, headers),
    (_, __, stored) => ({ taskId: stored._id, deletedBy: ada.face }),
  ],
];

// Who hears a change: the author's sending tab, the author's other tab, somebody else.
const ECHOES = {
  "with neither header everybody": [() => ({}), ["tab", "otherTab", "other"]],
  "with X-Socket-Id all but that socket": [({ tab }) => ({ "x-socket-id": tab.id }), ["otherTab", "other"]],
  "with X-Socket-Id and an Origin all but that socket": [
    ({ tab }) => ({ "x-socket-id": tab.id, origin: PAGE }),
    ["otherTab", "other"],
  ],
  "with an Origin all but the author": [() => ({ origin: PAGE }), ["other"]],
  "with the X-Socket-Id of somebody else everybody": [
    ({ other }) => ({ "x-socket-id": other.id }),
    ["tab", "otherTab", "other"],
  ],
};

const desk = async (transports) => {
  const board = await Board.of(ada, ben);
  const stored = await board.task();
  const [tab, otherTab, other] = await seated(board, [ada, ada, ben], transports && { transports });
  return { board, stored, clients: { tab, otherTab, other } };
};

for (const [route, event, change, told] of CHANGES) {
  describe(`${route} is told`, () => {
    for (const [who, [headers, hearers]] of Object.entries(ECHOES)) {
      it(who, async () => {
        const { board, stored, clients } = await desk();
        const answer = await change(board, stored, headers(clients));
        for (const name of hearers)
          assert.deepEqual(await clients[name].next(event), told(answer, board, stored), name);
        await board.silent(...Object.values(clients));
      });
    }
  });
}

describe("a change made by REST", () => {
  for (const [way, transports] of Object.entries(TRANSPORTS)) {
    it(`is heard ${way}`, async () => {
      const { board, clients } = await desk(transports);
      const task = await board.task({ title: "By REST" }, { "x-socket-id": clients.tab.id });
      for (const client of [clients.other, clients.otherTab])
        assert.deepEqual(await client.next("task:created"), { task, createdBy: ada.face });
      await board.silent(...Object.values(clients));
    });
  }

  it("that changes nothing is told to nobody", async () => {
    const { board, stored, clients } = await desk();
    const same = await ada.rest.patch(`/api/tasks/${stored._id}`, { title: "Write", priority: "medium" });
    assert.equal(same.version, 1);
    await board.silent(...Object.values(clients));
  });

  it("of the chat is told to all, the author too, whatever the headers", async () => {
    const board = await Board.of(ada, ben);
    const [author, other] = await Promise.all([ada, ben].map((person) => connect(server.url, person)));
    await board.chat(author, other);
    for (const headers of [{}, { origin: PAGE }, { "x-socket-id": author.id }]) {
      const message = await ada.rest.post(`/api/channels/${board.channel._id}/messages`, { content: "Hello" }, headers);
      for (const client of [author, other]) assert.deepEqual(await client.next("chat:newMessage"), message);
    }
    await board.chatSilent(author, other);
  });
});

for (const [echo, hearers] of Object.entries({ others: ["other"], all: ["tab", "otherTab", "other"] })) {
  it(`rest.echo = "${echo}" decides without a look at Origin`, async () => {
    const bent = await serve({ COLLABFLOW_REST__ECHO: echo });
    const [author, reader] = await people(bent, "Ada", "Ben");
    const board = await Board.of(author, reader);
    // No marker reaches its own maker in one of these modes: a second join is the barrier.
    const opening = [author, author, reader].map((person) => connect(bent.url, person));
    const [tab, otherTab, other] = await Promise.all(opening);
    for (const client of [tab, otherTab, other, tab, otherTab, other]) await client.do("join:project", board.id);
    for (const client of [tab, otherTab, other]) client.take();
    const marks = ["first", "last"];
    for (const [headers, title] of [
      [{ origin: PAGE }, "first"],
      [{}, "last"],
    ])
      await board.task({ title }, headers);
    for (const [name, client] of Object.entries({ tab, otherTab, other })) {
      const heard = hearers.includes(name) ? marks : [];
      for (const title of heard) assert.equal((await client.next("task:created")).task.title, title);
      await client.do("leave:project", board.id);
      assert.deepEqual(
        client.take().filter(({ event }) => event !== "user:left"),
        [],
        name,
      );
    }
  });
}
