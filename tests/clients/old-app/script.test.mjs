// The old client, to the letter, on CollabFlow: the seeded random script with connections cut in between, against the
// binary that was given only PORT, JWT_SECRET and CLIENT_URL. Proves: at rest each tab's list, column order, chat and
// online set equal REST's; nothing was told twice or backwards; each tab is still in its rooms.
//
// SEED=n repeats a run (the schedule of the server still differs); OPERATIONS=n makes it longer or shorter.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { chooseSeed } from "../lib/random.mjs";
import { startServer } from "../lib/server.mjs";
import { ORIGIN, runScript, setStage } from "./script.mjs";
import {
  assertNothingFound,
  eventuallyNothingIsFound,
  findingsAtRest,
  findingsOfTelling,
  tabsWithoutRoom,
} from "./verdict.mjs";

const OPERATIONS = Number(process.env.OPERATIONS ?? 300);
/** Longer than the ten seconds in which the server waits for an announcement that may never come. */
const REST_WITHIN = 25_000;

/** A server and a stage for the tests of one `describe`; `sign` are jsonwebtoken's options. */
function onStage(sign) {
  const it = { seed: chooseSeed() };
  before(async () => {
    it.server = await startServer({ env: { CLIENT_URL: ORIGIN } });
    it.stage = await setStage(it.server, { sign });
  });
  after(async () => {
    await it.stage?.close();
    await it.server?.stop();
  });
  return it;
}

async function run(t, it, cuts) {
  const report = await runScript(it.stage, { seed: it.seed, operations: OPERATIONS, cuts });
  t.diagnostic(`SEED=${it.seed}, ${report.drops} connections dropped, ${JSON.stringify(report.outcomes)}`);
  assert.ok(report.drops >= 5, `only ${report.drops} connections were dropped`);
  assert.equal(report.ignored, 0, "the server kept a connection whose client had ended it");
  return report;
}

for (const [kind, sign] of Object.entries({ "that expire": { expiresIn: "7d" }, "without expiry": {} })) {
  describe(`the old client with tokens ${kind}`, () => {
    const it = onStage(sign);

    test("ends equal to REST after the random script", { timeout: 240_000 }, async (t) => {
      const { outcomes } = await run(t, it, { way: "orderly" });
      const unexpected = Object.keys(outcomes).filter((key) => !/ (ok|404)$/.test(key));
      assert.deepEqual(unexpected, [], "answers other than success, or 404 for a task that somebody deleted");
      await eventuallyNothingIsFound(it.stage, { within: REST_WITHIN, seed: it.seed });
    });

    test("is still in its rooms after the drops", { timeout: 60_000 }, async () => {
      const lost = await tabsWithoutRoom(it.stage);
      assert.deepEqual(lost.map(({ name }) => name), []);
      await eventuallyNothingIsFound(it.stage, { within: 5_000, seed: it.seed });
    });

    test("was told nothing twice and nothing backwards", () => {
      assertNothingFound(findingsOfTelling(it.stage), it.seed);
    });

    test("sees a user until the last tab of that user is gone", { timeout: 60_000 }, async () => {
      const [ada1, ada2, ben, cyd] = it.stage.tabs;
      const [ada, , cydUser] = it.stage.users;
      // Both drop for good, Ada's second tab first: when Cyd's grace is over, so is that tab's.
      ada2.proxy.down({ all: true });
      cyd.proxy.down({ all: true });
      for (const tab of [ada1, ben]) {
        await eventually(`${tab.name} sees Cyd leave`, () => !tab.page.onlineUsers.includes(cydUser.userId), { within: 20_000 });
        assert.ok(tab.page.onlineUsers.includes(ada.userId), "Ada, who has another tab, has left");
      }
      ben.client.disconnectSocket();
      const alone = () => assert.deepEqual(ada1.page.onlineUsers, [ada.userId]) ?? true;
      await eventually("Ada sees Ben log out, without a grace", alone, { within: 2_000 });
      assertNothingFound(findingsOfTelling(it.stage), it.seed);
    });
  });
}

describe("the old client when what is on the way is lost with the connection", () => {
  const it = onStage({ expiresIn: "7d" });

  // What a reset connection had swallowed nobody can know, and the old client cannot say what it has: its lists may
  // lack that. All else holds, and a reload mends the lists.
  test("keeps its rooms and its presence, and a reload makes it equal to REST", { timeout: 240_000 }, async (t) => {
    const { stage, seed } = it;
    await run(t, it, { way: "hard", all: true });
    const lost = await tabsWithoutRoom(stage);
    assert.deepEqual(lost.map(({ name }) => name), [], `SEED=${seed}: tabs that are not told of changes`);
    assertNothingFound(findingsOfTelling(stage), seed);

    const online = async () => {
      const findings = await findingsAtRest(stage);
      assertNothingFound(findings.filter(({ kind }) => kind === "online" || kind === "doubled"), seed);
      return true;
    };
    await eventually("every tab knows who is there, and shows no task twice", online, { within: REST_WITHIN });

    for (const tab of stage.tabs) await tab.reload();
    const lists = async () => {
      const findings = await findingsAtRest(stage);
      assertNothingFound(findings.filter(({ kind }) => kind !== "chat"), seed); // the page has no way to load its chat
      return true;
    };
    await eventually("every reloaded tab is equal to REST", lists, { within: REST_WITHIN });
  });
});
