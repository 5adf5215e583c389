// Rule 3, in order and true at rest: twenty clients change the same tasks at once and talk meanwhile.
// All see one sequence, each task's versions ascend by one, and whoever applies what it is told ends equal to REST.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random, chooseSeed } from "../lib/random.mjs";
import { TASKS, change, open, participant } from "./crowd.mjs";
import { isMessage, shown } from "./page.mjs";
import { Board, people, serve } from "./support.mjs";

const CLIENTS = 20;
const CHANGES_EACH = 20;

const seed = chooseSeed();
const server = await serve();
const [observer, ...authors] = await people(
  server,
  "Observer",
  ...Array.from({ length: CLIENTS }, (_, i) => `Author ${i}`),
);

describe(`twenty clients at once (SEED=${seed})`, () => {
  it("see one order, versions without a gap, and in the end what REST says", async () => {
    const board = await Board.of(observer, ...authors);
    const shared = [];
    for (let i = 0; i < TASKS; i++) shared.push(await board.task({ title: `Task ${i}` }));
    const watching = await participant(server.url, board, observer);
    const crowd = [];
    for (const author of authors) crowd.push(await participant(server.url, board, author));
    const everyone = [watching, ...crowd];
    await board.settle(...everyone.map(({ client }) => client));
    const start = await board.tasks();
    for (const one of everyone) open(one, start);

    await Promise.all(
      crowd.map(async (one, i) => {
        const random = new Random(seed + i);
        for (let n = 0; n < CHANGES_EACH; n += 4) {
          await Promise.all(Array.from({ length: 4 }, () => change(one, board, shared, random)));
        }
      }),
    );
    await board.settle(...everyone.map(({ client }) => client));
    const { _id } = await board.say("last");
    await Promise.all(everyone.map(({ client }) => client.find("chat:newMessage", (message) => message._id === _id)));

    const stored = await board.tasks();
    for (const { user, heard, own, page } of everyone) {
      for (const room of [isMessage, (name) => !isMessage(name)]) {
        const expected = watching.heard.filter((name) => room(name) && !own.has(name));
        assert.deepEqual(heard.filter(room), expected, `${user.name} saw another order`);
      }
      for (const { _id: id } of shared) {
        const versions = page.versions.get(id);
        assert.deepEqual(
          versions,
          versions.map((_, i) => i + 1),
          `${user.name} saw versions out of order`,
        );
      }
      assert.deepEqual(shown(page.tasks.values()), shown(stored), `${user.name} ends unequal to REST`);
    }
    assert.ok(watching.heard.length > 300, `only ${watching.heard.length} changes`);
    const messages = watching.heard.filter(isMessage).map((name) => name.split(" ")[0]);
    assert.deepEqual(
      (await board.messages()).map((message) => message._id),
      messages,
    );
  });
});
