// Store order is log order: two nodes change one task at once, and what the first of them says reaches Redis late.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { change, open, participant } from "../contract/crowd.mjs";
import { isMessage, shown } from "../contract/page.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Random, chooseSeed } from "../lib/random.mjs";
import { Cluster, WITHIN } from "./support.mjs";

const seed = chooseSeed();

/** Somebody who writes and somebody who watches on each of two nodes; the first has a long way to Redis. */
async function scene(delay) {
  const cluster = await Cluster.start({ gates: true, env: { COLLABFLOW_REDIS__TIMEOUT: "5s" } });
  const [board, , ...users] = await cluster.board("Owner", "Ada", "Ben", "Cyd", "Dan");
  const task = await board.task({ title: "Contended" });
  const everyone = [];
  for (const node of [...cluster.nodes, ...cluster.nodes]) {
    everyone.push(await participant(node.url, board, users.shift()));
  }
  await board.settle(...everyone.map(({ client }) => client));
  const start = await board.tasks();
  for (const one of everyone) open(one, start);
  cluster.nodes[0].gate.delay(delay);
  return { board, task, everyone };
}

/** Each writer makes so many changes of the task, a few at once. */
async function contend({ board, task, everyone }, rounds, atOnce) {
  await Promise.all(
    everyone.slice(0, 2).map(async (one, i) => {
      const random = new Random(seed + i);
      for (let round = 0; round < rounds; round++) {
        await Promise.all(Array.from({ length: atOnce }, () => change(one, board, [task], random)));
      }
    }),
  );
}

/** Everybody saw the task's versions ascend, and ends equal to REST. */
async function verify({ board, task, everyone }) {
  const { _id: last } = await board.say("last");
  const isLast = ({ _id }) => _id === last;
  await Promise.all(everyone.map(({ client }) => client.find("chat:newMessage", isLast, WITHIN)));
  const stored = await board.tasks();
  const { version } = stored.find(({ _id }) => _id === task._id);
  const equal = ({ page }) => page.versions.get(task._id).at(-1) === version;
  await Promise.all(
    everyone.map(async (one) => {
      const { client } = one;
      while (!equal(one)) await client.any(`version ${version}`, WITHIN);
      const told = one.heard.filter((name) => name.startsWith(task._id)).map((name) => Number(name.split(" v")[1]));
      told.forEach((next, n) => assert.ok(!n || next > told[n - 1], `${one.user.name} was told ${next} after ${told[n - 1]}`));
      assert.deepEqual(shown(one.page.tasks.values()), shown(stored), `${one.user.name} ends unequal to REST`);
    }),
  );
  const [, , { heard }, { heard: there }] = everyone;
  const tasks = (names) => names.filter((name) => !isMessage(name));
  assert.deepEqual(tasks(heard), tasks(there), "two orders were seen");
  return tasks(heard).filter((name) => name.startsWith(task._id)).length;
}

describe(`two nodes change one task at once (SEED=${seed})`, () => {
  it("and one of them is slow: each version is told, in order, and all end equal to REST", async () => {
    const stage = await scene({ up: 100 });
    await contend(stage, 8, 4);
    const told = await verify(stage);
    const { version } = await stage.board.stored(stage.task);
    assert.ok(told > 30, `only ${told} changes`);
    assert.equal(told, version - 1, "a version was left out");
  });

  it("and one of them is slower than anybody waits: the task is told whole, and all end equal to REST", async () => {
    const stage = await scene({ up: 1_400 });
    const { board, task, everyone } = stage;
    const update = ({ client, page }, updates) =>
      client.ask("task:update", { projectId: board.id, taskId: task._id, updates }).then((ack) => page.acknowledged(ack.task));
    const first = update(everyone[0], { title: "By the slow one" });
    await eventually("it is stored", async () => (await board.stored(task)).version === 2);
    await Promise.all([first, update(everyone[1], { priority: "high" }), update(everyone[1], { priority: "low" })]);
    await verify(stage);
    const [, , , { whole }] = stage.everyone;
    assert.ok(whole.size > 0, "the task was told whole");
  });
});
