// Rule 6 for junk: wrong types in every field of every event, unknown events, binary attachments. Each gets a clear
// error, never a panic, and a healthy client's beacon beside it loses nothing. (Routes: rest-*.test.mjs.)

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Beacon } from "./beacon.mjs";
import { TRANSPORTS, connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";
import { NO_CLIENT_ID, NO_ID, NO_OBJECT, NO_TEXT, NO_VERSION, TASK_FIELDS, brief } from "./wrong-values.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");
const board = await Board.of(ada, ben, cleo);
const task = await board.task();
const channelId = board.channel._id;

const beacon = await Beacon.start(board, ben, cleo);

const create = (fields) => ({ projectId: board.id, task: { title: "Junk", ...fields } });
const update = (fields) => ({ projectId: board.id, taskId: task._id, updates: fields });
const move = (fields) => ({ projectId: board.id, taskId: task._id, fromStatus: "todo", toStatus: "done", ...fields });

// Each event with each of its fields: the values that it must not take.
const WRONG = [
  ...["join:project", "leave:project", "join:workspace", "leave:workspace", "chat:join", "chat:leave"].map((event) => [
    event,
    (id) => id,
    NO_ID,
  ]),
  ...["task:create", "task:update", "task:move", "task:delete", "chat:message", "chat:typing"].map((event) => [
    event,
    (all) => all,
    NO_OBJECT,
  ]),
  ["task:create", (projectId) => ({ ...create(), projectId }), NO_ID],
  ["task:create", (value) => ({ projectId: board.id, task: value }), NO_OBJECT],
  ["task:create", (clientId) => ({ ...create(), clientId }), NO_CLIENT_ID],
  ["task:update", (projectId) => ({ ...update({ title: "Junk" }), projectId }), NO_ID],
  ["task:update", (taskId) => ({ ...update({ title: "Junk" }), taskId }), NO_ID],
  ["task:update", update, NO_OBJECT],
  ["task:update", (expectedVersion) => ({ ...update({ title: "Junk" }), expectedVersion }), NO_VERSION],
  ["task:delete", (projectId) => ({ projectId, taskId: task._id }), NO_ID],
  ["task:delete", (taskId) => ({ projectId: board.id, taskId }), NO_ID],
  ["task:move", (projectId) => move({ projectId }), NO_ID],
  ["task:move", (taskId) => move({ taskId }), NO_ID],
  ["task:move", (toStatus) => move({ toStatus }), [undefined, null, 7, "", "doing", [], {}]],
  ["task:move", (newIndex) => move({ newIndex }), ["0", 1.5, true, [], {}]],
  ["task:move", (expectedVersion) => move({ expectedVersion }), NO_VERSION],
  ["chat:message", (id) => ({ channelId: id, content: "Junk" }), NO_ID],
  ["chat:message", (content) => ({ channelId, content }), [...NO_TEXT, "", "   ", "x".repeat(4_001)]],
  ["chat:message", (clientId) => ({ channelId, content: "Junk", clientId }), NO_CLIENT_ID],
  ["chat:typing", (id) => ({ channelId: id, isTyping: true }), NO_ID],
  ["chat:typing", (isTyping) => ({ channelId, isTyping }), [undefined, null, 7, "true", [], {}]],
  ...Object.entries(TASK_FIELDS).map(([field, values]) => [
    "task:create",
    (value) => create({ [field]: value }),
    values,
    field,
  ]),
  ...Object.entries(TASK_FIELDS).map(([field, values]) => [
    "task:update",
    (value) => update({ [field]: value }),
    values,
    field,
  ]),
];

const CODES = ["validation_failed", "bad_id", "not_found", "forbidden"];

describe("wrong values over a socket", () => {
  WRONG.forEach(([event, payload, values, field]) => {
    it(`${event} with a wrong ${field ?? payload.toString().match(/^\(?(\w+)/)[1]} is refused with an error`, async () => {
      const client = await connect(server.url, ada);
      for (const value of values) {
        const error = await client.refused(event, payload(value));
        assert.ok(CODES.includes(error.code), `${brief(value)}: ${JSON.stringify(error)}`);
        if (field && error.code === "validation_failed") {
          assert.ok(
            Object.keys(error.fields).some((path) => path.includes(field)),
            `${brief(value)}: ${JSON.stringify(error)}`,
          );
        }
      }
      assert.deepEqual(await board.stored(task), task);
    });
  });

  it("an event without an acknowledgement and with wrong values is answered with an error event", async () => {
    const client = await connect(server.url, ada);
    for (const [event, payload, [value]] of WRONG) {
      client.send(event, payload(value));
      const error = await client.next("error");
      assert.equal(error.event, event);
      assert.ok(CODES.includes(error.code), JSON.stringify(error));
      assert.equal(typeof error.message, "string");
    }
  });

  it("an event with no arguments at all, or too many, is answered", async () => {
    const client = await connect(server.url, ada);
    for (const event of new Set(WRONG.map(([name]) => name))) {
      assert.ok(CODES.includes((await client.refused(event)).code), event);
    }
    await client.do("join:project", board.id, "and", { more: true });
  });

  it("a fromStatus of any kind is no matter: the server knows where the task is", async () => {
    const client = await connect(server.url, ada);
    for (const fromStatus of [undefined, null, 7, "doing", {}]) {
      const ack = await client.ask("task:move", { ...move({ toStatus: "todo" }), fromStatus, newIndex: 0 });
      assert.ok(ack.ok || CODES.includes(ack.error.code), JSON.stringify(ack));
    }
  });

  it("all wrong fields are named at once", async () => {
    const client = await connect(server.url, ada);
    const error = await client.refused(
      "task:create",
      create({ title: "", status: "doing", priority: 7, dueDate: "soon" }),
    );
    assert.equal(error.code, "validation_failed");
    assert.deepEqual(
      Object.keys(error.fields)
        .map((path) => path.split(".").at(-1))
        .sort(),
      ["dueDate", "priority", "status", "title"],
    );
  });

  it("an unknown event is an error, and the connection stays", async () => {
    const client = await connect(server.url, ada);
    for (const event of ["task:explode", "message", "", "room:users", "__proto__", "x".repeat(10_000)]) {
      const error = await client.refused(event, {});
      assert.equal(typeof error.code, "string");
      client.send(event, {});
      assert.equal((await client.next("error")).event, event);
    }
  });

  for (const [way, transports] of Object.entries(TRANSPORTS)) {
    it(`binary attachments are refused with a clear error ${way}`, async () => {
      const client = await connect(server.url, ada, { transports });
      const error = await client.refused("chat:message", { channelId, content: Buffer.from("bytes") });
      assert.match(`${error.code} ${error.message}`, /binary/i);
      client.send("task:create", create({ description: Buffer.from("bytes") }));
      assert.match((await client.next("error")).message, /binary/i);
      await client.do("join:project", board.id);
    });
  }
});

it("the healthy client's beacon has lost nothing beside all that", () => beacon.stop());
