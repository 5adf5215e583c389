// MongoDB away: not there at the start, killed or frozen under traffic, and back again.

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { connect } from "../contract/client.mjs";
import { Board, people, seated } from "../contract/support.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Mongod } from "../lib/mongod.mjs";
import { startServer } from "../lib/server.mjs";
import { Traffic } from "./traffic.mjs";

/** Less patient than by default, so that the tests are. */
const TIMES = {
  COLLABFLOW_MONGODB__CONNECT_TIMEOUT: "2s",
  COLLABFLOW_MONGODB__SERVER_SELECTION_TIMEOUT: "500ms",
  COLLABFLOW_MONGODB__TIMEOUT: "1s",
};
/** Until a frozen server is missed, or one that is back is found, on a busy machine. */
const NOTICED_WITHIN = 30_000;

async function scene(replicaSet) {
  const mongod = await Mongod.start({ replicaSet });
  const limits = { COLLABFLOW_LIMITS__REQUESTS_PER_SECOND: "10000", COLLABFLOW_LIMITS__REQUESTS_BURST: "10000" };
  const server = await startServer({ env: { MONGODB_URI: mongod.uri("away"), ...TIMES, ...limits } });
  after(async () => {
    await server.stop();
    await mongod.stop();
  });
  const [ada, ben] = await people(server, "Ada", "Ben");
  return { mongod, server, ada, ben, board: await Board.of(ada, ben) };
}

const AWAY = {
  killed: { goes: (mongod) => mongod.kill9(), returns: (mongod) => mongod.restart() },
  frozen: { goes: (mongod) => mongod.signal("SIGSTOP"), returns: (mongod) => mongod.signal("SIGCONT") },
};

const readiness = async (server) => {
  const response = await fetch(`${server.url}/readyz`);
  return [response.status, await response.text()];
};

for (const replicaSet of [false, true]) {
  describe(replicaSet ? "a replica set" : "a server by itself", () => {
    for (const [how, { goes, returns }] of Object.entries(AWAY)) {
      it(`${how} under traffic, and back, twice: what was acknowledged is there and was told, once`, async () => {
        const { mongod, board, ada, ben } = await scene(replicaSet);
        const traffic = await Traffic.start(board, ada, ben);
        for (let time = 0; time < 2; time++) {
          await traffic.flows();
          await goes(mongod);
          await traffic.stops();
          await returns(mongod);
        }
        await traffic.flows();
        await traffic.end();
        await traffic.verify();
      });
    }
  });
}

for (const [how, { goes, returns }] of Object.entries(AWAY)) {
  it(`while MongoDB is ${how}, writes and reads are refused, presence and typing go on, and all heals`, async () => {
    const { mongod, server, board, ada, ben } = await scene(false);
    const task = await board.task({ title: "Kept" });
    const [adas, bens] = await seated(board, [ada, ben]);
    await board.chat(adas, bens);
    assert.equal((await readiness(server))[0], 200);
    await goes(mongod);

    const typing = { channelId: board.channel._id, isTyping: true };
    await adas.do("chat:typing", typing);
    assert.equal((await bens.next("chat:userTyping")).userId, ada._id);

    const at = { projectId: board.id, taskId: task._id };
    for (const [event, payload] of [
      ["task:create", { projectId: board.id, task: { title: "Lost" } }],
      ["task:update", { ...at, updates: { title: "Lost" } }],
      ["task:move", { ...at, fromStatus: "todo", toStatus: "done" }],
      ["task:delete", at],
      ["chat:message", { channelId: board.channel._id, content: "Lost" }],
    ]) {
      assert.equal((await adas.refused(event, payload)).code, "unavailable", event);
    }
    for (const [method, path, body] of [
      ["GET", `/api/tasks/project/${board.id}`],
      ["GET", "/api/workspaces"],
      ["POST", "/api/tasks", { title: "Lost", projectId: board.id }],
      ["PATCH", `/api/tasks/${task._id}`, { title: "Lost" }],
      ["POST", `/api/channels/${board.channel._id}/messages`, { content: "Lost" }],
      ["POST", "/api/auth/login", { email: "ada@example.com", password: "correct horse" }],
    ]) {
      const { status, body: answer, headers } = await ada.rest.raw(method, path, body);
      assert.deepEqual([status, answer.code], [503, "unavailable"], `${method} ${path}`);
      assert.match(headers.get("retry-after"), /^\d+$/);
    }
    const unready = async () => {
      const [status, body] = await readiness(server);
      return status === 503 && /store/.test(body);
    };
    await eventually("the server is unready, and says of what", unready, { within: NOTICED_WITHIN });
    await bens.do("leave:project", board.id);
    await adas.find("user:left", ({ userId }) => userId === ben._id);

    await returns(mongod);
    const ready = async () => (await readiness(server))[0] === 200;
    await eventually("the server is ready", ready, { within: NOTICED_WITHIN });
    const { task: changed } = await adas.do("task:update", { ...at, updates: { title: "Healed" } });
    assert.deepEqual([changed.title, changed.status, changed.version], ["Healed", "todo", task.version + 1]);
    assert.deepEqual(await board.messages(), []);
    const late = await connect(server.url, ben);
    await late.do("join:project", board.id);
  });
}

describe("the start", () => {
  const start = (uri) => startServer({ env: { MONGODB_URI: uri, ...TIMES } });
  const line = /mongodb\.connect_timeout/;

  it("without a MongoDB fails in time with one line that says where it looked, and no password", async () => {
    const mongod = await Mongod.start();
    await mongod.stop();
    const uri = mongod.uri("away").replace("//", "//ada:s3cret-word@");
    await assert.rejects(start(uri), (error) => {
      assert.match(error.message, /ended with [1-9]/);
      assert.match(error.message, line);
      assert.ok(error.message.includes(`127.0.0.1:${mongod.port}`));
      assert.ok(!error.message.includes("s3cret-word"));
      return true;
    });
  });

  it("before a frozen MongoDB fails in time as well", async () => {
    const mongod = await Mongod.start();
    after(() => mongod.stop());
    mongod.signal("SIGSTOP");
    await assert.rejects(start(mongod.uri("away")), line);
  });
});
