// The seeded random script: three users, one of them with two tabs, work on one board of the old app at once, with
// several changes in flight on one task, while their TCP connections are cut. It knows nothing of the server behind,
// so that CollabFlow and the old backend are given the same. What is true afterwards is judged in `at-rest.mjs`.

import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../lib/eventually.mjs";
import { makeProject, makeUsers } from "../lib/fixture.mjs";
import { Random } from "../lib/random.mjs";
import { Operations } from "./operations.mjs";
import { Tab } from "./tab.mjs";

const TASKS_MIN = 6;
const IN_FLIGHT_MAX = 10;

export const ORIGIN = "http://localhost:3000";

/** The stage: a project of three members, with four tabs open on it (or one for each). `sign` are jsonwebtoken's options. */
export async function setStage(server, { sign, secondTab = true } = {}) {
  const users = makeUsers(server.url, ["Ada", "Ben", "Cyd"], { sign });
  const [ada, ben, cyd] = users;
  const { project } = await makeProject(ada, [ben, cyd]);
  const projectId = project._id;
  const open = (name, user) => Tab.open(name, user, { port: server.port, origin: ORIGIN, projectId });
  const tabs = [await open("Ada-1", ada)];
  if (secondTab) tabs.push(await open("Ada-2", ada));
  tabs.push(await open("Ben", ben), await open("Cyd", cyd));
  return { users, projectId, tabs, rest: cyd.rest, close: () => Promise.all(tabs.map((tab) => tab.close())) };
}

/**
 * Runs `operations` operations. `cuts` is false, or what to cut and how (see Proxy.cut): about one cut in fifteen
 * operations and two outages, the longer of which outlasts the presence grace. Returns what happened, for the report.
 */
export async function runScript({ tabs, users }, { seed, operations = 300, cuts = {} }) {
  const random = new Random(seed);
  const operation = new Operations(random, users);
  const inFlight = new Set();
  const outages = [];
  const begin = (promise) => {
    const done = promise.finally(() => inFlight.delete(done));
    inFlight.add(done);
  };

  const somebody = () => random.pick(tabs);
  for (let i = 0; i < TASKS_MIN; i++) await operation.create(somebody());

  const outageAt = new Map(cuts ? [[Math.floor(operations / 4), 2_000], [Math.floor(operations / 2), 6_500]] : []);
  for (let done = 0; done < operations; ) {
    const hot = pickTask(random, somebody());
    for (let burst = random.int(1, 5); burst > 0 && done < operations; burst--, done++) {
      begin(act(operation, random, somebody(), hot));
      if (cuts && random.chance(1 / 15)) somebody().proxy.cut(cuts);
      const outage = outageAt.get(done);
      if (outage) outages.push(breakFor(outage, somebody().proxy, cuts));
      if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight);
    }
    await pause(random.int(0, 250)); // long enough in sum for a dropped tab to come back and be dropped again
    if (random.chance(0.1)) await Promise.all(inFlight);
  }

  await Promise.all([...inFlight, ...outages]);
  for (const tab of tabs) {
    await eventually(`${tab.name} is connected again`, () => tab.socket.connected, { within: 30_000 });
  }
  const drops = tabs.map((tab) => tab.journal.filter(({ event }) => event.startsWith("disconnect")).length);
  return { outcomes: operation.outcomes, drops: drops.reduce((a, b) => a + b), ignored: ignoredCuts(tabs) };
}

/** One operation by the user of `tab`, on the hot task where their page shows it. */
function act(operation, random, tab, hot) {
  const { tasks } = tab.page;
  const task = tasks.find(({ _id }) => _id === hot?._id) ?? pickTask(random, tab);
  const enough = tasks.length > TASKS_MIN;
  const weights = task
    ? { create: 12, edit: 45, drag: 22, chat: 13, remove: enough ? 8 : 0 }
    : { create: 1 };
  return operation[random.weighted(weights)](tab, task);
}

function pickTask(random, tab) {
  const { tasks } = tab.page;
  return tasks.length ? random.pick(tasks) : undefined;
}

async function breakFor(duration, proxy, cuts) {
  proxy.down(cuts);
  await pause(duration);
  proxy.up();
}

const ignoredCuts = (tabs) => tabs.reduce((sum, tab) => sum + tab.proxy.ignored, 0);
