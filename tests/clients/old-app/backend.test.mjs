// The same clients and the same script on the old backend. Proves the harness itself: what the old backend does promise
// holds here too, and what it got wrong is found and counted, for the table in the README.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../lib/eventually.mjs";
import { chooseSeed } from "../lib/random.mjs";
import { startServer } from "../lib/server.mjs";
import { ORIGIN, runScript, setStage } from "./script.mjs";
import { assertNothingFound, countKinds, findingsAtRest, messagesByTabs, tabsWithoutRoom } from "./verdict.mjs";

const BACKEND = fileURLToPath(new URL("backend/server.js", import.meta.url));
const OPERATIONS = Number(process.env.OPERATIONS ?? 300);

let server;
before(async () => {
  server = await startServer({ command: [process.execPath, BACKEND], env: { CLIENT_URL: ORIGIN } });
});
after(() => server?.stop());

/** Until nobody is told anything more. */
async function quiet({ tabs }) {
  let length = -1;
  const settled = () => {
    const now = tabs.reduce((sum, tab) => sum + tab.journal.length, 0);
    const same = now === length;
    length = now;
    return same;
  };
  await eventually("all is quiet", settled, { every: 500 });
}

test("the old backend tells everybody of changes made one at a time", { timeout: 60_000 }, async () => {
  const stage = await setStage(server, { secondTab: false });
  const [ada, ben, cyd] = stage.tabs;
  const everybodyAgrees = () =>
    eventually("every tab is equal to REST", async () => {
      assertNothingFound(await findingsAtRest(stage, messagesByTabs));
      return true;
    });
  try {
    const task = await ada.page.createTask({ title: "First", labels: [{ name: "bug", color: "#FF5733" }] });
    await everybodyAgrees();
    await ben.page.editTask(task._id, { title: "Second", dueDate: "2027-03-01" }, { announceWhole: true });
    await everybodyAgrees();
    await cyd.page.dragTask(task._id, "todo", "review", 0);
    await everybodyAgrees();
    ben.page.sendMessage("done?");
    await eventually("everybody reads the message", () => stage.tabs.every((tab) => tab.page.messages.length === 1));
    await ada.page.deleteTask(task._id);
    await everybodyAgrees();
    assert.deepEqual(stage.tabs.map((tab) => tab.page.tasks), [[], [], []]);
  } finally {
    await stage.close();
  }
});

test("what the old backend gets wrong is found", { timeout: 240_000 }, async (t) => {
  const seed = chooseSeed();
  const table = [];
  for (const cuts of [false, { way: "orderly" }]) {
    const stage = await setStage(server);
    try {
      const { drops } = await runScript(stage, { seed, operations: OPERATIONS, cuts });
      await quiet(stage);
      const findings = await findingsAtRest(stage, messagesByTabs);
      const lost = await tabsWithoutRoom(stage, 2_000);
      table.push({ drops, lost: lost.length, lists: tabsThatDiffer(findings), ...countKinds(findings) });
    } finally {
      await stage.close();
    }
  }
  t.diagnostic(`SEED=${seed}`);
  for (const line of markdown(table)) t.diagnostic(line);

  const [, withCuts] = table;
  assert.ok(withCuts.lost > 0, "a tab whose connection dropped is no longer in its room, since it joins only once");
  assert.ok(withCuts.lists > 0, "and so its list is out of date");
});

const tabsThatDiffer = (findings) =>
  new Set(findings.filter(({ kind }) => /doubled|ghost|missing|stale/.test(kind)).map(({ tab }) => tab)).size;

function markdown([calm, cut]) {
  const rows = {
    "connections dropped": "drops",
    "tabs (of 4) whose list differs from REST": "lists",
    "cards out of date": "stale",
    "cards missing": "missing",
    "cards of deleted tasks": "ghost",
    "cards shown twice": "doubled",
    "tabs with a wrong online set": "online",
    "tabs that missed chat messages": "chat",
    "tabs told nothing any more": "lost",
  };
  const cells = Object.entries(rows).map(([text, key]) => `| ${text} | ${calm[key] ?? 0} | ${cut[key] ?? 0} |`);
  return [`| after ${OPERATIONS} operations on the old backend | without drops | with drops |`, "|---|---|---|", ...cells];
}
