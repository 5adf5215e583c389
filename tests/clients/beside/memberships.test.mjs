// Rule 4 beside another program: a membership that the Node backend changes counts within `membership.max_age`, and a
// refusal is never remembered.

import assert from "node:assert/strict";
import { it } from "node:test";
import { connect } from "../contract/client.mjs";
import { Board, registered } from "../contract/support.mjs";
import { eventually } from "../lib/eventually.mjs";
import { database, sideBySide } from "./support.mjs";

const MAX_AGE = 1_000;
const pair = await sideBySide(await database(), { COLLABFLOW_MEMBERSHIP__MAX_AGE: `${MAX_AGE}ms` });
const { server } = pair;
const [ada, ben] = [await registered(server, "Ada"), await registered(server, "Ben")];
const node = pair.atNode(ada);

/** Asks again and again, which must not make what was read any younger, until it is refused. */
async function refusedWithin(client, event, payload) {
  const refused = async () => {
    const { ok, error } = await client.ask(event, payload);
    return !ok && error;
  };
  // The rest of it is for a busy machine.
  const error = await eventually(`${event} is refused`, refused, { within: 3 * MAX_AGE });
  assert.equal(error.code, "forbidden");
}

it("a member whom Node removed is refused, and Node's next invitation counts at once", async () => {
  const board = await Board.of(ada, ben);
  const task = await board.task();
  const client = await connect(server.url, ben);
  await client.do("join:project", board.id);
  await client.do("chat:join", board.channel._id);
  await node.delete(`/api/projects/${board.id}/members/${ben._id}`);

  await refusedWithin(client, "join:project", board.id);
  for (const [event, payload] of [
    ["chat:join", board.channel._id],
    ["task:update", { projectId: board.id, taskId: task._id, updates: { title: "No" } }],
    ["task:create", { projectId: board.id, task: { title: "No" } }],
    ["chat:message", { channelId: board.channel._id, content: "No" }],
  ])
    await refusedWithin(client, event, payload);
  assert.equal((await ben.rest.raw("GET", `/api/tasks/project/${board.id}`)).status, 404);
  assert.equal((await ben.rest.raw("PATCH", `/api/tasks/${task._id}`, { title: "No" })).status, 403);

  await node.post(`/api/projects/${board.id}/members`, { userId: ben._id });
  await client.do("join:project", board.id);
  const { task: made } = await client.do("task:create", { projectId: board.id, task: { title: "Back" } });
  assert.equal((await board.stored(made)).title, "Back");
});

it("a stranger whom Node invites comes in at once", async () => {
  const board = await Board.of(ada);
  const client = await connect(server.url, ben);
  assert.equal((await client.refused("join:project", board.id)).code, "forbidden");
  await node.post(`/api/projects/${board.id}/members`, { userId: ben._id });
  await client.do("join:project", board.id);
  assert.deepEqual(await ben.rest.get(`/api/tasks/project/${board.id}`), []);
});

it("a role that Node lowered counts, and the rest of the membership stays", async () => {
  const board = await Board.of(ada, ben);
  const client = await connect(server.url, ben);
  const create = { projectId: board.id, task: { title: "Ben's" } };
  await client.do("task:create", create);
  const members = [
    { user: ada._id, role: "owner" },
    { user: ben._id, role: "viewer" },
  ];
  await node.patch(`/api/projects/${board.id}`, { members });
  await refusedWithin(client, "task:create", create);
  await client.do("join:project", board.id);
});
