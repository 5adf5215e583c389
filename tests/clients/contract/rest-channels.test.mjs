// Channels and messages over REST: who may, how messages are paged, and clientIds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { objectId } from "../lib/tokens.mjs";
import { Board, ISO_TIME, OBJECT_ID, people, serve } from "./support.mjs";
import { NO_CLIENT_ID, NO_TEXT, brief } from "./wrong-values.mjs";

const server = await serve();
const [ada, ben, cleo, dan] = await people(server, "Ada", "Ben", "Cleo", "Dan");
/** Ada owns it, Ben is a member, Cleo a viewer, Dan a stranger. */
const newBoard = () => Board.of(ada, ben, [cleo, "viewer"]);
const messages = ({ channel }) => `/api/channels/${channel._id}/messages`;
const DENIED = [403, 404];

describe("channels", () => {
  it("are made by members, and listed for all who read the project", async () => {
    const board = await newBoard();
    const answer = await ben.rest.raw("POST", "/api/channels", { name: " random ", projectId: board.id });
    assert.equal(answer.status, 201);
    const { _id, createdBy, createdAt, updatedAt, ...rest } = answer.body;
    assert.match(_id, OBJECT_ID);
    for (const time of [createdAt, updatedAt]) assert.match(time, ISO_TIME);
    assert.ok(JSON.stringify(createdBy).includes(ben._id));
    assert.deepEqual(rest, { name: "random", project: board.id, workspace: board.workspace._id });
    const listed = await cleo.rest.get(`/api/channels/project/${board.id}`);
    assert.deepEqual(listed.map(({ name }) => name).sort(), ["general", "random"]);
    assert.deepEqual(
      listed.find((channel) => channel._id === _id),
      answer.body,
    );
  });

  it("are not made by viewers or strangers, or in a project that is not there", async () => {
    const board = await newBoard();
    const make = async (user, projectId) =>
      (await user.rest.raw("POST", "/api/channels", { name: "x", projectId })).status;
    assert.equal(await make(cleo, board.id), 403);
    assert.ok(DENIED.includes(await make(dan, board.id)));
    assert.equal(await make(ada, objectId()), 404);
    for (const projectId of [undefined, 7, "nonsense"]) assert.equal(await make(ada, projectId), 400);
    assert.ok(DENIED.includes((await dan.rest.raw("GET", `/api/channels/project/${board.id}`)).status));
  });

  it("have a name of 1 to 100 characters", async () => {
    const board = await newBoard();
    for (const name of [...NO_TEXT, "", " ", "x".repeat(101)]) {
      const { status, body } = await ada.rest.raw("POST", "/api/channels", { name, projectId: board.id });
      assert.deepEqual([status, Object.keys(body.fields)], [400, ["name"]], brief(name));
    }
  });

  it("are deleted by admins and owners, with their messages", async () => {
    const board = await newBoard();
    await board.say("Hello");
    const path = `/api/channels/${board.channel._id}`;
    for (const user of [ben, cleo]) assert.equal((await user.rest.raw("DELETE", path)).status, 403);
    assert.ok((await ada.rest.raw("DELETE", path)).status < 300);
    assert.equal((await ada.rest.raw("DELETE", path)).status, 404);
    assert.equal((await ada.rest.raw("GET", messages(board))).status, 404);
    assert.deepEqual(await ada.rest.get(`/api/channels/project/${board.id}`), []);
  });
});

describe("POST /api/channels/:id/messages", () => {
  it("answers the message", async () => {
    const board = await newBoard();
    const { status, body } = await ben.rest.raw("POST", messages(board), { content: " Hello ", clientId: "one" });
    assert.equal(status, 201);
    const { _id, createdAt, updatedAt, ...rest } = body;
    assert.match(_id, OBJECT_ID);
    for (const time of [createdAt, updatedAt]) assert.match(time, ISO_TIME);
    assert.deepEqual(rest, { channel: board.channel._id, sender: ben.face, content: "Hello", clientId: "one" });
    assert.deepEqual(await board.messages(), [body]);
  });

  it("answers the first message for a clientId seen before from that sender", async () => {
    const board = await newBoard();
    const say = (user, content) => user.rest.post(messages(board), { content, clientId: "same" });
    const first = await say(ben, "First");
    assert.deepEqual(await say(ben, "Second"), first);
    assert.notEqual((await say(ada, "Ada's"))._id, first._id);
    const many = await Promise.all(
      Array.from({ length: 8 }, () => ben.rest.post(messages(board), { content: "Many", clientId: "many" })),
    );
    assert.equal(new Set(many.map(({ _id }) => _id)).size, 1);
    assert.equal((await board.messages()).length, 3);
  });

  it("refuses what is no content or no clientId", async () => {
    const board = await newBoard();
    for (const [field, values] of [
      ["content", [...NO_TEXT, "", " ", "x".repeat(4_001)]],
      ["clientId", NO_CLIENT_ID],
    ]) {
      for (const value of values) {
        const { status, body } = await ada.rest.raw("POST", messages(board), { content: "x", [field]: value });
        assert.deepEqual(
          [status, body.code, Object.keys(body.fields)],
          [400, "validation_failed", [field]],
          brief(value),
        );
      }
    }
    await board.say("x".repeat(4_000));
    await board.say("🙂".repeat(2_000));
  });

  it("is for members, not for viewers and strangers, nor in a channel that is not there", async () => {
    const board = await newBoard();
    assert.equal((await cleo.rest.raw("POST", messages(board), { content: "x" })).status, 403);
    assert.equal((await dan.rest.raw("POST", messages(board), { content: "x" })).status, 403);
    assert.equal((await ada.rest.raw("POST", `/api/channels/${objectId()}/messages`, { content: "x" })).status, 404);
  });
});

describe("GET /api/channels/:id/messages", () => {
  it("answers the newest fifty, oldest first, and the way to those before", async () => {
    const board = await newBoard();
    for (let n = 0; n < 120; n++) await board.say(`${n}`);
    const page = (query = "") => cleo.rest.get(`${messages(board)}${query}`);
    const numbers = ({ messages: list }) => list.map(({ content }) => Number(content));
    const range = (from, to) => Array.from({ length: to - from }, (_, n) => from + n);

    const first = await page();
    assert.deepEqual(numbers(first), range(70, 120));
    assert.equal(typeof first.nextBefore, "string");
    const second = await page(`?before=${first.nextBefore}`);
    assert.deepEqual(numbers(second), range(20, 70));
    const third = await page(`?before=${second.nextBefore}`);
    assert.deepEqual(numbers(third), range(0, 20));
    assert.equal(third.nextBefore, null);
    assert.deepEqual(numbers(await page("?limit=7")), range(113, 120));
    assert.deepEqual(numbers(await page("?limit=1000")), range(0, 120));
    assert.equal((await page("?limit=120")).messages.length, 120);
  });

  it("gives two hundred at most", async () => {
    const board = await newBoard();
    for (let n = 0; n < 205; n++) await board.say(`${n}`);
    const { messages: list, nextBefore } = await ada.rest.get(`${messages(board)}?limit=1000`);
    assert.equal(list.length, 200);
    const rest = await ada.rest.get(`${messages(board)}?limit=1000&before=${nextBefore}`);
    assert.deepEqual([rest.messages.length, rest.nextBefore], [5, null]);
  });

  it("is a 400 for a before that is no message of the channel, or a limit that is none", async () => {
    const board = await newBoard();
    const elsewhere = await (await newBoard()).say("Elsewhere");
    for (const query of [
      `before=${objectId()}`,
      `before=${elsewhere._id}`,
      "before=nonsense",
      "limit=0",
      "limit=-1",
      "limit=many",
    ]) {
      assert.equal((await ada.rest.raw("GET", `${messages(board)}?${query}`)).status, 400, query);
    }
  });

  it("is empty where nothing was said, and for members only", async () => {
    const board = await newBoard();
    assert.deepEqual(await cleo.rest.get(messages(board)), { messages: [], nextBefore: null });
    assert.equal((await dan.rest.raw("GET", messages(board))).status, 403);
    assert.equal((await ada.rest.raw("GET", `/api/channels/${objectId()}/messages`)).status, 404);
  });

  it("serves the project's and the workspace's own channel, which was never stored", async () => {
    const board = await newBoard();
    for (const id of [board.id, board.workspace._id]) {
      const message = await ben.rest.post(`/api/channels/${id}/messages`, { content: "Here" });
      assert.equal(message.channel, id);
      assert.deepEqual((await ada.rest.get(`/api/channels/${id}/messages`)).messages, [message]);
      assert.equal((await dan.rest.raw("GET", `/api/channels/${id}/messages`)).status, 403);
    }
  });
});
