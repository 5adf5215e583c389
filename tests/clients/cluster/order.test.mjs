// Rule 3 over nodes: writers on three nodes change the same tasks at once and talk meanwhile, by sockets and by REST.
// Every client on every node is told the same, in one order, and whoever applies what it is told ends equal to REST.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TASKS, change, open, participant } from "../contract/crowd.mjs";
import { isMessage, shown } from "../contract/page.mjs";
import { Random, chooseSeed } from "../lib/random.mjs";
import { Cluster, WITHIN, at } from "./support.mjs";

const NODES = 3;
const SOCKETS_EACH = 4;
const CHANGES_EACH = 68;
const CALLS_EACH = 64;
/** How many changes one author has under way. */
const AT_ONCE = 4;

const seed = chooseSeed();

/** One random change by REST; returns the name of the event that tells it. */
async function call(rest, board, shared, random) {
  const task = `/api/tasks/${random.pick(shared)._id}`;
  const kind = random.weighted({ update: 4, move: 3, create: 1, message: 2 });
  const [method, path, body] = {
    update: ["patch", task, { description: `Text ${random.int(0, 1e9)}` }],
    move: ["post", `${task}/move`, { toStatus: random.pick(["todo", "review"]), newIndex: random.int(0, TASKS) }],
    create: ["post", "/api/tasks", { projectId: board.id, title: `New ${random.int(0, 1e9)}` }],
    message: ["post", `/api/channels/${board.channel._id}/messages`, { content: `Word ${random.int(0, 1e9)}` }],
  }[kind];
  const { _id, version = 0 } = await rest[method](path, body);
  return `${_id} v${version}`;
}

/** Makes `count` changes, a few at once. */
async function repeat(count, make) {
  for (let made = 0; made < count; made += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, make));
  }
}

/** Versions ascend, and none is left out, unless what was told next has told the task whole. */
function checkVersions({ page, whole }, { _id }) {
  page.versions.get(_id).forEach((version, n, all) => {
    if (n === 0) return assert.equal(version, 1);
    assert.ok(version > all[n - 1], `version ${version} was told after ${all[n - 1]}`);
    const isNext = version === all[n - 1] + 1 || whole.has(`${_id} v${version}`);
    assert.ok(isNext, `nothing was told between version ${all[n - 1]} and ${version}`);
  });
}

/**
 * What `one` is to have been told: all but its own changes. What its acknowledgements say may also be somebody else's
 * change, where its own has changed nothing: that is told besides.
 */
function expected(told, { own, heard }) {
  const besides = new Set(heard);
  return told.filter((name) => !own.has(name) || besides.has(name));
}

describe(`a thousand changes by writers on three nodes (SEED=${seed})`, () => {
  it("are told in one order everywhere, once and all, and every page ends equal to REST", async () => {
    // So many writers of so few tasks get into each other's way, and a busy machine may take its time.
    const cluster = await Cluster.start({ nodes: NODES, env: { COLLABFLOW_MONGODB__TIMEOUT: "60s" } });
    const names = Array.from({ length: NODES * (SOCKETS_EACH + 2) }, (_, i) => `Author ${i}`);
    const [board, , ...users] = await cluster.board("Owner", ...names);
    const shared = [];
    for (let i = 0; i < TASKS; i++) shared.push(await board.task({ title: `Task ${i}` }));
    const watching = [];
    const crowd = [];
    const callers = [];
    for (const node of cluster.nodes) {
      watching.push(await participant(node.url, board, users.pop()));
      callers.push(at(node, users.pop()));
      for (let i = 0; i < SOCKETS_EACH; i++) crowd.push(await participant(node.url, board, users.pop()));
    }
    const everyone = [...watching, ...crowd];
    await board.settle(...everyone.map(({ client }) => client));
    const start = await board.tasks();
    for (const one of everyone) open(one, start);

    const acknowledged = new Set();
    await Promise.all([
      ...crowd.map((one, i) => {
        const random = new Random(seed + i);
        return repeat(CHANGES_EACH, () => change(one, board, shared, random));
      }),
      ...callers.map((rest, i) => {
        const random = new Random(seed - 1 - i);
        return repeat(CALLS_EACH, async () => acknowledged.add(await call(rest, board, shared, random)));
      }),
    ]);
    await board.settle(...everyone.map(({ client }) => client));
    const { _id } = await board.say("last");
    const isLast = (message) => message._id === _id;
    await Promise.all(everyone.map(({ client }) => client.find("chat:newMessage", isLast, WITHIN)));

    crowd.forEach(({ own }) => own.forEach((name) => acknowledged.add(name)));
    const { heard: told, page, whole } = watching[0];
    assert.ok(told.length > 900, `only ${told.length} changes`);
    assert.equal(new Set(told).size, told.length, "something was told twice");
    const stored = await board.tasks();
    for (const task of shared) checkVersions(watching[0], task);
    for (const one of everyone) {
      for (const room of [isMessage, (name) => !isMessage(name)]) {
        const order = expected(told.filter(room), one);
        assert.deepEqual(one.heard.filter(room), order, `${one.user.name} saw another order`);
      }
      assert.deepEqual(one.echoes, [], `${one.user.name} was told its own`);
      assert.deepEqual(shown(one.page.tasks.values()), shown(stored), `${one.user.name} ends unequal to REST`);
    }
    const known = new Set([...told, ...start.map((task) => `${task._id} v${task.version}`)]);
    const isTold = (name) => {
      const [id, version] = name.split(" v");
      const next = page.versions.get(id)?.find((later) => later >= version);
      return known.has(name) || whole.has(`${id} v${next}`);
    };
    const untold = [...acknowledged].filter((name) => !isTold(name));
    assert.deepEqual(untold, [], "what was acknowledged and not told");
    const messages = told.filter(isMessage).map((name) => name.split(" ")[0]);
    const kept = (await board.messages()).map((message) => message._id);
    assert.deepEqual(messages.sort(), kept.sort(), "what is stored and what was told");
  });
});
