// A random schedule of faults under traffic: nodes are killed and end in order, Redis freezes, is gone, is emptied, nodes
// lose their way to it, clients lose theirs. At rest, what was acknowledged is stored, was told once and in one order, or
// its room was told to reload; every page equals REST, and presence is what it really is.
//
// The test command runs the schedule of seed 1. `npm run faults` runs many more: ROUNDS of them (50), of so many FAULTS (8),
// from SEED on, or from a random one. Every failure names its seed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { shown } from "../contract/page.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Random, chooseSeed } from "../lib/random.mjs";
import { FAULTS, draw } from "./schedule.mjs";
import { Cluster, at } from "./support.mjs";
import { Visitor } from "./visitor.mjs";

const COUNT = Number(process.env.FAULTS ?? 8);
const ROUNDS = Number(process.env.ROUNDS ?? 1);
const NODES = 3;
const VISITORS = 9;
const TASKS = 6;
/** Within this, everything is at rest after the last fault. */
const RESTS_WITHIN = 45_000;
/** How much of what a visitor has lived through is shown where it does not come to rest. */
const STORY = 60;
const WAYS = [
  { recovers: false, transports: ["websocket"] },
  { recovers: true, transports: ["websocket"] },
  { recovers: true, transports: ["polling", "websocket"] },
];
const first = ROUNDS > 1 || process.env.SEED ? chooseSeed() : 1;

/** One random change by a visitor's socket or by REST; what it was acknowledged is noted. */
async function change(visitor, { board, shared, acknowledged, restOf }, random) {
  const taskId = random.pick(shared)._id;
  const title = `Title ${random.int(0, 1e9)}`;
  const kind = random.weighted({ update: 4, move: 2, create: 1, message: 3, rest: 2, say: 1 });
  const note = (made) => made && acknowledged.push(made);
  const same = { projectId: board.id, taskId };
  const messages = `/api/channels/${board.channel._id}/messages`;
  const ways = {
    update: () => visitor.change("task:update", { ...same, updates: { title } }),
    move: () => visitor.change("task:move", { ...same, fromStatus: "todo", toStatus: random.pick(["todo", "done"]) }),
    create: () => visitor.change("task:create", { projectId: board.id, task: { title } }),
    message: () => visitor.change("chat:message", { channelId: board.channel._id, content: title }),
    // A refusal, or a node that dies over it, is no acknowledgement.
    rest: () => restOf(visitor).patch(`/api/tasks/${taskId}`, { description: title }).catch(() => undefined),
    say: () => restOf(visitor).post(messages, { content: title }).catch(() => undefined),
  };
  note(await ways[kind]());
}

/** Whether two were told in one order what both were told. */
function assertOneOrder(one, other, room) {
  const [mine, theirs] = [one, other].map(({ segment }) => segment[room]);
  const common = new Set(mine.filter((name) => theirs.includes(name)));
  const names = [one, other].map(({ user }) => user.name).join(" and ");
  assert.deepEqual(
    mine.filter((name) => common.has(name)),
    theirs.filter((name) => common.has(name)),
    `${names} saw another order`,
  );
}

/** Lives through the schedule of this seed. */
async function liveThrough(seed, t) {
  const random = new Random(seed);
  const env = { COLLABFLOW_SHUTDOWN__DRAIN: "1s" };
  const cluster = await Cluster.start({ nodes: NODES, gates: true, env });
  const names = Array.from({ length: VISITORS }, (_, n) => `Visitor ${n}`);
  const [board, , ...users] = await cluster.board("Owner", ...names);
  const shared = [];
  for (let n = 0; n < TASKS; n++) shared.push(await board.task({ title: `Task ${n}` }));
  const restOf = ({ user, node }) => at(node, user);
  const visitors = await Promise.all(
    users.map((user, n) => {
      const node = cluster.nodes[n % NODES];
      const place = { node, ...WAYS[Math.floor(n / NODES) % WAYS.length] };
      let visitor;
      const rest = () => restOf(visitor ?? { user, node });
      const coming = Visitor.come(user, board, { ...place, rest });
      return coming.then((come) => (visitor = come));
    }),
  );
  t.after(() => Promise.all(visitors.map((visitor) => visitor.close())));

  const acknowledged = [];
  const scene = { board, shared, acknowledged, restOf };
  let isOver = false;
  const traffic = visitors.map(async (visitor, n) => {
    const own = new Random(seed + 1 + n);
    while (!isOver) {
      await change(visitor, scene, own);
      await pause(own.int(10, 60));
    }
  });
  const leave = (node) => {
    const others = cluster.nodes.filter((other) => other !== node);
    for (const visitor of visitors.filter((visitor) => visitor.node === node)) visitor.moveTo(random.pick(others));
  };
  const schedule = draw(random, COUNT);
  t.diagnostic(`SEED=${seed}: ${schedule.join(", ")}`);
  for (const name of schedule) {
    await pause(random.int(100, 1_000));
    for (const { story } of visitors) story.push(`-- ${name}`);
    await FAULTS[name]({ cluster, visitors, random, leave });
  }
  isOver = true;
  await Promise.all(traffic);
  await cluster.isWhole();

  const owner = at(cluster.nodes[0], board.owner);
  const stored = await owner.get(`/api/tasks/project/${board.id}`);
  const kept = (await board.messages.call({ ...board, owner: { rest: owner } })).map(({ _id }) => _id).sort();
  const everybody = users.map(({ _id }) => _id).sort();
  for (const visitor of visitors) {
    const { name } = visitor.user;
    const isAtRest = () => {
      assert.ok(visitor.isQuiet, "it is not quiet");
      assert.deepEqual(visitor.gaps, [], "gaps");
      assert.deepEqual(shown(visitor.tasks.values()), shown(stored), "tasks");
      assert.deepEqual([...visitor.messages].sort(), kept, "messages");
      assert.deepEqual([...visitor.users].sort(), everybody, "presence");
      return true;
    };
    const rested = eventually(`${name} is at rest`, isAtRest, { within: RESTS_WITHIN, every: 200 });
    await rested.catch((error) => assert.fail(`${error.message}\n${visitor.story.slice(-STORY).join("\n")}`));
    const [fault] = visitor.faults;
    const about = (line) => !/^(task|chat):/.test(line) || line.includes(fault.split(" ")[0]);
    if (fault) assert.fail(`${name}: ${fault}\n${visitor.story.filter(about).slice(-STORY).join("\n")}`);
  }
  const versions = new Map(stored.map((task) => [task._id, task.version]));
  for (const { _id, version } of acknowledged) {
    if (version === undefined) assert.ok(kept.includes(_id), `message ${_id} is not stored`);
    else assert.ok(versions.get(_id) >= version, `version ${version} of ${_id} is not stored`);
  }
  for (const room of ["project", "chat"]) {
    visitors.forEach((one, n) => visitors.slice(n + 1).forEach((other) => assertOneOrder(one, other, room)));
  }
  const sum = (what) => visitors.reduce((all, visitor) => all + visitor[what], 0);
  t.diagnostic(
    `${acknowledged.length} changes acknowledged, ${sum("resyncs")} calls to reload, ${sum("reloads") - VISITORS} reloads, ` +
      `${sum("recovered")} recoveries, ${sum("stranded")} begun afresh`,
  );
  const isForgotten = schedule.some((name) => /^Redis (starts|is gone)/.test(name));
  if (!isForgotten) assert.equal(sum("stranded"), 0, "somebody did not get its rooms back");
}

describe(`${COUNT} faults under traffic lose nothing that was acknowledged, and leave every page equal to REST`, () => {
  for (let seed = first; seed < first + ROUNDS; seed++) it(`SEED=${seed}`, (t) => liveThrough(seed, t));
});
