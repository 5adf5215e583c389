// Rule 1, persist then tell: a server that is killed (SIGKILL) amid writes has, after a restart on the same data folder,
// each change that it acknowledged or told of, once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RestError } from "../lib/rest.mjs";
import { connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";

/** Writes with `write(n)` until the server dies, four at a time; `done(answer, n)` notes each acknowledged one. */
async function writeUntilDead(write, done) {
  let n = 0;
  const one = async () => {
    for (;;) {
      const current = n++;
      let answer;
      try {
        answer = await write(current);
      } catch (error) {
        if (error instanceof assert.AssertionError || error instanceof RestError) throw error;
        return;
      }
      done(answer, current);
    }
  };
  await Promise.all([one(), one(), one(), one()]);
}

/** Rejects when the connection ends, so that an acknowledgement that will never come is not waited for. */
function untilCut(client, promise) {
  return Promise.race([promise, new Promise((_, reject) => client.socket.once("disconnect", reject))]);
}

describe("a server killed amid acknowledged writes", () => {
  for (const after of [40, 150, 400]) {
    it(`has all of them after a restart, once (killed after ${after} writes)`, async () => {
      const server = await serve({
        COLLABFLOW_LIMITS__REQUESTS_PER_SECOND: "10000",
        COLLABFLOW_LIMITS__REQUESTS_BURST: "10000",
      });
      const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");
      const board = await Board.of(ada, ben, cleo);
      const options = { reconnection: false };
      const [bens, cleos] = await Promise.all([ben, cleo].map((user) => connect(server.url, user, options)));
      const hot = await board.task({ title: "0" });
      await cleos.do("join:project", board.id);
      await board.chat(cleos);

      const tasks = new Map();
      const messages = new Map();
      const changed = { version: 1, title: "0" };
      let acknowledged = 0;
      let killed;
      const count = () => {
        acknowledged += 1;
        if (acknowledged === after) killed = server.kill9();
      };
      await Promise.all([
        writeUntilDead(
          (n) => board.task({ title: `REST ${n}` }),
          (task) => (tasks.set(task._id, task.title), count()),
        ),
        writeUntilDead(
          (n) =>
            untilCut(
              bens,
              bens.do("task:create", { projectId: board.id, task: { title: `Socket ${n}` }, clientId: `t${n}` }),
            ),
          ({ task }) => (tasks.set(task._id, task.title), count()),
        ),
        writeUntilDead(
          (n) =>
            untilCut(
              bens,
              bens.do("chat:message", { channelId: board.channel._id, content: `Word ${n}`, clientId: `m${n}` }),
            ),
          ({ message }) => (messages.set(message._id, message.content), count()),
        ),
        writeUntilDead(
          (n) =>
            untilCut(
              bens,
              bens.do("task:update", { projectId: board.id, taskId: hot._id, updates: { title: `Hot ${n}` } }),
            ),
          ({ task }) => (task.version > changed.version && Object.assign(changed, task), count()),
        ),
      ]);
      await killed;
      const told = cleos.take();
      await server.restart();

      const stored = await board.tasks();
      const byId = new Map(stored.map((task) => [task._id, task]));
      for (const [id, title] of tasks) assert.equal(byId.get(id)?.title, title);
      assert.equal(new Set(stored.map(({ title }) => title)).size, stored.length, "no task is there twice");
      const last = byId.get(hot._id);
      assert.ok(
        last.version >= changed.version,
        `version ${changed.version} was acknowledged, ${last.version} is stored`,
      );
      if (last.version === changed.version) assert.equal(last.title, changed.title);

      const page = await board.messages();
      const contents = new Map(page.map((message) => [message._id, message.content]));
      for (const [id, content] of messages) assert.equal(contents.get(id), content);
      assert.equal(new Set(page.map(({ content }) => content)).size, page.length, "no message is there twice");

      for (const { event, data } of told) {
        if (event === "task:created")
          assert.ok(byId.has(data.task._id), `told of ${data.task.title}, which is not stored`);
        if (event === "task:updated") assert.ok(last.version >= data.version, `told of version ${data.version}`);
        if (event === "chat:newMessage")
          assert.ok(contents.has(data._id), `told of ${data.content}, which is not stored`);
      }
    });
  }

  it("answers a repeated clientId with the first result after the restart as well", async () => {
    const server = await serve();
    const [ada] = await people(server, "Ada");
    const board = await Board.of(ada);
    const create = { projectId: board.id, task: { title: "Once" }, clientId: "same" };
    const say = { channelId: board.channel._id, content: "Once", clientId: "same" };
    const client = await connect(server.url, ada, { reconnection: false });
    const first = [await client.do("task:create", create), await client.do("chat:message", say)];
    await server.kill9();
    await server.restart();
    const again = await connect(server.url, ada);
    assert.deepEqual([await again.do("task:create", create), await again.do("chat:message", say)], first);
    assert.equal((await board.messages()).length, 1);
  });
});
