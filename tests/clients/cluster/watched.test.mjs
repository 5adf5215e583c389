// `mongodb.watch` over nodes: each of them sees what another program writes, and each member is told once, on whichever node.
//
// That nothing is told twice is proven with a marker: a change of the same program to the same collection.

import assert from "node:assert/strict";
import { after, beforeEach, describe, it } from "node:test";
import mongoose from "mongoose";
import { openModels } from "../beside/backend/models.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Mongod } from "../lib/mongod.mjs";
import { Cluster, seatedAt } from "./support.mjs";

const { ObjectId } = mongoose.Types;

const uri = (await Mongod.start({ replicaSet: true })).uri("watched");
const cluster = await Cluster.start({ env: { MONGODB_URI: uri, COLLABFLOW_MONGODB__WATCH: "true" } });
const models = await openModels(uri);
after(() => models.connection.close());

/** What is known of memberships is read anew after this, whoever has changed them: `membership.max_age`. */
const READ_AFTER = 10_000;

let board, owner, ada, clients;
let markers = 0;

beforeEach(async () => {
  [board, owner, ada] = await cluster.board("Owner", "Ada");
  clients = [];
  for (const node of cluster.nodes) {
    const client = await seatedAt(node, board, ada);
    await client.do("join:workspace", board.workspace._id);
    await client.do("chat:join", board.channel._id);
    clients.push(client);
  }
  await marked();
});

const ref = (id) => new ObjectId(id);
const place = () => ({ project: ref(board.id), workspace: ref(board.workspace._id) });
const makeTask = (title) => models.Task.create({ ...place(), title, createdBy: ref(owner._id) });

/** What each client is told up to the marker, which every member is told once everything before it was. */
async function marked() {
  const title = `marker ${++markers}`;
  await makeTask(title);
  const is = ({ event, data }) => event === "task:created" && data.task.title === title;
  const all = [];
  for (const client of clients) {
    const told = [];
    for (let next = await client.any(title); !is(next); next = await client.any(title)) told.push(next);
    all.push(told);
  }
  return all;
}

/** Each client is told these events, once, and in this order. One node may be behind the other, which told the marker. */
async function told(...names) {
  const heard = [await marked(), await marked()];
  clients.forEach((_, n) => {
    const events = heard.flatMap((all) => all[n]);
    assert.deepEqual(
      events.map(({ event }) => event),
      names,
    );
  });
}

describe("what another program does is told once on each node", () => {
  it("to tasks", async () => {
    const { _id } = await makeTask("Theirs");
    await told("task:created");
    await models.Task.updateOne({ _id }, { title: "Theirs still" });
    await told("task:updated");
    await models.Task.deleteOne({ _id });
    await told("task:deleted");
  });

  it("to tasks that come from another project, or go there", async () => {
    const [other] = await cluster.board("Owner", "Ada");
    const { _id } = await models.Task.create({
      project: ref(other.id),
      workspace: ref(other.workspace._id),
      title: "Comes",
      createdBy: ref(owner._id),
    });
    await models.Task.updateOne({ _id }, { project: ref(board.id) });
    await told("task:created");
    await models.Task.updateOne({ _id }, { project: ref(other.id) });
    await told("task:deleted");
  });

  it("to messages, channels and projects", async () => {
    await models.Message.create({ channel: ref(board.channel._id), sender: ref(ada._id), content: "Theirs" });
    await told("chat:newMessage");
    const channel = await models.Channel.create({ ...place(), name: "theirs", createdBy: ref(owner._id) });
    await told("channel:created");
    await models.Channel.deleteOne({ _id: channel._id });
    await told("channel:deleted");
    await models.Project.updateOne({ _id: ref(board.id) }, { name: "Theirs" });
    await told("project:updated");
  });

  it("to members: who is removed is out on all nodes", async () => {
    await models.Project.updateOne({ _id: ref(board.id) }, { $pull: { members: { user: ref(ada._id) } } });
    for (const client of clients) {
      const typing = { channelId: board.channel._id, isTyping: true };
      const isOut = async () => !(await client.ask("chat:typing", typing)).ok;
      await eventually("who is removed is out", isOut, { within: READ_AFTER / 2 });
      assert.equal((await client.refused("join:project", board.id)).code, "forbidden");
    }
  });
});
