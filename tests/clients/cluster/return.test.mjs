// Coming back to another node: whether a client's node lives on, has ended in order or was killed, its session is found
// there, in its rooms, and is told what it missed, once; what cannot be proven it is told to reload.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { TRANSPORTS, connect } from "../contract/client.mjs";
import { assertFresh, away, enter, identity, replayed } from "../contract/comeback.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { Cluster, at } from "./support.mjs";

/** How a client's node goes, while the client is away. */
const WAYS = {
  "whose node lives on": async () => {},
  "whose node has ended in order": (node) => node.stop(),
  "whose node was killed": (node) => node.kill9(),
};

/** Ada on the second of three nodes and Ben on the first, through a proxy, both in all rooms. */
async function scene(cluster, { recovers = true, transports = ["websocket"] } = {}) {
  const [board, ada, ben] = await cluster.board("Ada", "Ben");
  const [first, second] = cluster.nodes;
  const owner = at(second, ada);
  board.owner = { ...ada, rest: owner };
  const proxy = await Proxy.to(first.port);
  after(() => proxy.close());
  const watcher = await connect(second.url, ada);
  const auth = { token: ben.token, ...(recovers && { recovery: true }) };
  const client = await connect(proxy.url, ben, { auth, transports });
  if (recovers) await client.next("session");
  await enter(board, watcher);
  await enter(board, client);
  const rooms = [{ workspaceId: board.workspace._id }, { projectId: board.id }];
  for (const [kind, id] of rooms.flatMap(Object.entries)) await watcher.find("user:joined", (data) => data[kind] === id);
  await board.settle(watcher, client);
  return { cluster, board, proxy, watcher, client, owner, ada, ben };
}

/** Ben is away; his node goes as it goes; what `meanwhile` makes, he misses; and he comes to the third node. */
async function move({ cluster, proxy, ...here }, go, meanwhile) {
  const [first, , third] = cluster.nodes;
  await away({ proxy, ...here }, async () => {
    await meanwhile(0);
    await go(first);
    await meanwhile(1);
    proxy.aim(third.port);
  });
}

/** Changes of every kind, each with the id that its event tells. */
async function change({ board, owner }) {
  const task = await board.task({ title: "missed" });
  await owner.patch(`/api/tasks/${task._id}`, { title: "changed" });
  await owner.post(`/api/tasks/${task._id}/move`, { toStatus: "done" });
  const { _id } = await board.say("missed");
  await owner.patch(`/api/projects/${board.id}`, { description: `changed with ${_id}` });
  return [task._id, task._id, task._id, _id, board.id];
}

const idOf = ({ data }) => data.taskId ?? data.task?._id ?? data.projectId ?? data._id;
const isTask = ({ event }) => event.startsWith("task:");
const isMessage = ({ event }) => event === "chat:newMessage";

/** What was told, in the order that each room has; what several rooms are told may come in any of them. */
const told = (heard) => [isTask, isMessage, (one) => !isTask(one) && !isMessage(one)].map((kind) => heard.filter(kind).map(idOf));

/** What `change` made, likewise. */
const expectedOf = (made) => [made.filter((_, n) => n % 5 < 3), made.filter((_, n) => n % 5 === 3), made.filter((_, n) => n % 5 === 4)];

/** Fails where `watcher` has seen Ben come or go. */
async function assertUnnoticed({ board, watcher }) {
  const title = await board.mark();
  const moves = [];
  for (let heard; heard?.data.task?.title !== title; heard = await watcher.any("the marker")) {
    if (heard?.event.startsWith("user:")) moves.push(heard);
  }
  assert.deepEqual(moves, []);
}

for (const [way, go] of Object.entries(WAYS)) {
  describe(`a client ${way}`, () => {
    for (const [how, transports] of Object.entries(TRANSPORTS)) {
      it(`recovers on another node ${how}, and is told each event once`, async () => {
        const cluster = await Cluster.start({ nodes: 3 });
        const here = await scene(cluster, { transports });
        const { board, watcher, client } = here;
        const before = identity(client);
        const made = [];
        await move(here, go, async () => made.push(...(await change(here))));
        assert.equal(client.socket.recovered, true);
        assert.deepEqual([client.id, client.socket._pid], [before.id, before.pid]);
        const heard = await replayed(client, { missed: made.length });
        assert.deepEqual(told(heard), expectedOf(made));
        assert.ok(heard.every(({ args }) => typeof args[1] === "string"));
        await client.connected();
        await board.silent(client);
        await board.chatSilent(client);
        await assertUnnoticed(here);
        // And once more, to the node that it did not come from.
        await client.next("task:created");
        here.cluster = { nodes: [cluster.nodes[2], null, cluster.nodes[1]] };
        const later = [];
        await move(here, async () => {}, async () => later.push(...(await change(here))));
        assert.equal(client.socket.recovered, true);
        assert.deepEqual(told(await replayed(client, { missed: later.length })), expectedOf(later));
      });
    }

    it("has its rooms back on another node without asking for recovery", async () => {
      const cluster = await Cluster.start({ nodes: 3 });
      const here = await scene(cluster, { recovers: false });
      const { board, watcher, client } = here;
      const before = identity(client);
      const made = [];
      await move(here, go, async () => made.push(...(await change(here))));
      assert.equal(client.socket.recovered, false);
      assert.notEqual(client.id, before.id);
      assert.notEqual(client.socket._pid, before.pid);
      const isKilled = go === WAYS["whose node was killed"];
      const heard = await replayed(client, { missed: isKilled ? 3 : made.length });
      if (isKilled) {
        // Nobody knows what it had read: it is told to reload.
        const rooms = heard.map(({ event, data }) => [event, data.room]).sort();
        const expected = [`chat:${board.channel._id}`, `project:${board.id}`, `workspace:${board.workspace._id}`];
        assert.deepEqual(
          rooms,
          expected.map((room) => ["room:resync", room]),
        );
      } else {
        assert.deepEqual(told(heard), expectedOf(made));
      }
      await board.silent(client);
      await board.chatSilent(client);
      await assertUnnoticed(here);
    });
  });
}

describe("who comes back to another node", () => {
  it("does not get a room back that it has lost, and nothing of what was told there", async () => {
    const cluster = await Cluster.start({ nodes: 3 });
    const here = await scene(cluster);
    const { board, client, owner, ben } = here;
    await move(here, WAYS["whose node was killed"], async (n) => {
      await board.task({ title: "not for Ben" });
      if (n === 0) await owner.delete(`/api/projects/${board.id}/members/${ben._id}`);
    });
    assert.equal(client.socket.recovered, true);
    const heard = await replayed(client, { rooms: 1 });
    assert.deepEqual(heard, []);
    await board.mark();
    await owner.patch(`/api/workspaces/${board.workspace._id}`, { name: "Another name" });
    await board.task();
    assert.equal((await client.refused("join:project", board.id)).code, "forbidden");
    assert.deepEqual(client.take(), []);
  });

  it("is not told to reload a quiet room that it has been in on both nodes", async () => {
    const cluster = await Cluster.start({ nodes: 3 });
    const here = await scene(cluster, { recovers: false });
    const { board, client } = here;
    const [first, second, third] = cluster.nodes;
    for (const [from, to] of [
      [first, third],
      [third, first],
    ]) {
      here.cluster = { nodes: [from, second, to] };
      await move(here, WAYS["whose node lives on"], () => board.say("the other room is quiet"));
      const heard = await replayed(client, { missed: 2 });
      assert.deepEqual(
        heard.map(({ event }) => event),
        ["chat:newMessage", "chat:newMessage"],
      );
    }
  });

  it("gets its rooms though it came a moment before, and went again without waiting", async () => {
    const cluster = await Cluster.start({ nodes: 3 });
    const here = await scene(cluster, { recovers: false });
    const { board, client, ben } = here;
    const { pid } = identity(client);
    client.drop();
    const auth = { token: ben.token, pid };
    const hasty = connect(cluster.nodes[2].url, ben, { auth });
    const patient = await connect(cluster.nodes[2].url, ben, { auth });
    (await hasty).drop();
    const left = { "room:users": 2 };
    while (left["room:users"] > 0) left[(await patient.any("its rooms")).event] -= 1;
    await board.silent(patient);
    await board.chatSilent(patient);
  });

  it("begins afresh with somebody else's secret, and does not take it away", async () => {
    const cluster = await Cluster.start({ nodes: 3 });
    const here = await scene(cluster);
    const { client, ada } = here;
    const before = identity(client);
    await move(here, WAYS["whose node was killed"], async (n) => {
      if (n === 0) return;
      const thief = await connect(cluster.nodes[2].url, ada, {
        auth: { token: ada.token, recovery: true, pid: before.pid, offset: before.offset },
      });
      assert.notEqual(thief.id, before.id);
      assert.equal((await thief.next("session")).userId, ada._id);
    });
    assert.equal(client.socket.recovered, true);
    assert.equal(client.id, before.id);
  });

  it("begins afresh when its time is over", async () => {
    const cluster = await Cluster.start({ nodes: 3, env: { COLLABFLOW_RECOVERY__WINDOW: "1s" } });
    const here = await scene(cluster);
    const { board, client } = here;
    const before = identity(client);
    const gone = Date.now();
    await move(here, WAYS["whose node lives on"], async () => {
      await board.task();
      const rest = Math.max(0, gone + 3_000 - Date.now());
      await new Promise((resolve) => setTimeout(resolve, rest));
    });
    await assertFresh({ board, client }, before);
  });
});
