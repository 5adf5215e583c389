// A disk without room: what cannot be stored is refused and told to nobody, reads go on, and all heals when there is room.
// The room is taken away by a limit on the size of the server's files, which is lifted while it runs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it as test } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { binary, startServer } from "../lib/server.mjs";
import { notEmbedded } from "../lib/store.mjs";
import { connect } from "./client.mjs";
import { Board, people, seated } from "./support.mjs";

const it = (name, body) => test(name, { skip: notEmbedded }, body);

/** Kilobytes that a file of the server may have: little more than an empty store takes. */
const ROOM = 1_000;

it("writes are refused while the disk is full, and go on when there is room", async () => {
  const script = `trap '' XFSZ; ulimit -S -f ${ROOM}; exec ${binary()}`;
  const server = await startServer({ command: ["bash", "-c", script] });
  after(() => server.stop());
  const [ada, ben] = await people(server, "Ada", "Ben");
  const board = await Board.of(ada, ben);
  const [author, listener] = await seated(board, [ada, ben], { reconnection: false });
  const stored = new Set();
  const task = (title) => ({ projectId: board.id, task: { title, description: "x".repeat(20_000) } });
  let refusal;
  for (let n = 0; n < 200 && !refusal; n++) {
    const { ok, error } = await author.ask("task:create", task(`${n}`));
    if (ok) stored.add(`${n}`);
    else refusal = error;
  }
  assert.equal(refusal?.code, "unavailable");
  assert.ok(stored.size > 5, `${stored.size} were stored`);
  const body = { title: "by REST", projectId: board.id, description: "x".repeat(20_000) };
  const answer = await ada.rest.raw("POST", "/api/tasks", JSON.stringify(body), { "Content-Type": "application/json" });
  assert.equal(answer.status, 503);

  const titles = async () => {
    const all = (await board.tasks()).map(({ title }) => title);
    return new Set(all.filter((title) => !title.startsWith("marker")));
  };
  assert.deepEqual(await titles(), stored, "reads go on, of what was acknowledged");

  execFileSync("prlimit", ["--pid", `${server.pid}`, "--fsize=unlimited"]);
  await eventually("writes go on", async () => (await author.ask("task:create", task("healed"))).ok);
  stored.add("healed");
  assert.deepEqual(await titles(), stored);
  await listener.find("task:created", ({ task: { title } }) => {
    assert.ok(stored.has(title), `told of ${title}, which is not stored`);
    return title === "healed";
  });
  await server.kill9();
  server.command = [binary()];
  await server.restart();
  assert.deepEqual(await titles(), stored, "what was acknowledged survives");
});

it("a damaged file stops the start with one line that names it", async () => {
  const server = await startServer();
  after(() => server.stop());
  await server.kill9();
  const file = join(server.folder, "data", "collabflow.db");
  // Else the log would mend it.
  await Promise.all(["-wal", "-shm"].map((end) => rm(file + end, { force: true })));
  await writeFile(file, "what somebody wrote over it. ".repeat(1_000));
  await assert.rejects(server.restart(), /ended with [1-9]/);
  const lines = server.log().split("\n").filter((line) => /damaged/.test(line));
  assert.equal(lines.length, 1, server.tail());
  assert.match(lines[0], /collabflow\.db/);
});

it("a data folder that may not be written stops the start with one line that names it, and loses nothing", async () => {
  const server = await startServer();
  after(() => server.stop());
  const [ada] = await people(server, "Ada");
  const board = await Board.of(ada);
  const task = await board.task({ title: "Kept" });
  await server.kill9();
  const [data, program] = ["data", "program"].map((name) => join(server.folder, name));
  // Nobody is kept from writing as root, so that the server runs as somebody else then.
  await copyFile(binary(), program);
  await Promise.all([chmod(server.folder, 0o755), chmod(program, 0o755), chmod(data, 0o555)]);
  const isRoot = process.getuid() === 0;
  server.command = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program] : [program];
  await assert.rejects(server.restart(), /ended with [1-9]/);
  const lines = server.log().split("\n").filter((line) => /cannot write/.test(line));
  assert.equal(lines.length, 1, server.tail());
  assert.match(lines[0], /collabflow\.db/);

  await chmod(data, 0o755);
  server.command = [binary()];
  await server.restart();
  assert.equal((await board.stored(task)).title, "Kept");
});

for (const [what, spoil, line] of [
  ["a file in the place of the data folder", (data) => writeFile(data, "a file"), /cannot make the data folder \S*data: /],
  ["a folder in the place of the database", (data) => mkdir(join(data, "collabflow.db"), { recursive: true }), /collabflow\.db: /],
]) {
  it(`${what} stops the start with one line that names it, for root too`, async () => {
    const server = await startServer();
    after(() => server.stop());
    await server.kill9();
    const data = join(server.folder, "data");
    await rm(data, { recursive: true });
    await spoil(data);
    const before = server.log().length;
    await assert.rejects(server.restart({ RUST_LOG: "error" }), /ended with 1 /);
    const lines = server.log().slice(before).trim().split("\n");
    assert.match(lines[0], line);
    assert.equal(lines.length, 1, lines.join("\n"));
  });
}

it("files that may not be written any more: every write is refused, reads and arrivals go on, and all heals", async () => {
  const server = await startServer({ command: ["bash", "-c", `trap '' XFSZ; exec ${binary()}`] });
  after(() => server.stop());
  const [ada, ben] = await people(server, "Ada", "Ben");
  const board = await Board.of(ada, ben);
  const task = await board.task({ title: "Kept" });
  const [author, listener] = await seated(board, [ada, ben], { reconnection: false });
  await board.chat(author, listener);
  // No write to a file succeeds, at whatever place in it, and not for root either.
  const permit = (bytes) => execFileSync("prlimit", ["--pid", `${server.pid}`, `--fsize=${bytes}:unlimited`]);
  permit(0);

  const at = { projectId: board.id, taskId: task._id };
  const says = { channelId: board.channel._id, content: "lost" };
  for (const [event, data] of [
    ["task:create", { projectId: board.id, task: { title: "Lost" } }],
    ["task:update", { ...at, updates: { title: "Lost" } }],
    ["task:move", { ...at, fromStatus: "todo", toStatus: "done" }],
    ["task:delete", at],
    ["chat:message", says],
  ]) {
    assert.equal((await author.refused(event, data)).code, "unavailable", event);
  }
  for (const [method, path, body] of [
    ["POST", "/api/tasks", { title: "Lost", projectId: board.id }],
    ["PATCH", `/api/tasks/${task._id}`, { title: "Lost" }],
    ["DELETE", `/api/tasks/${task._id}`],
    ["POST", `/api/channels/${board.channel._id}/messages`, { content: "lost" }],
    ["POST", "/api/workspaces", { name: "Lost" }],
  ]) {
    const type = { "Content-Type": "application/json" };
    const answer = await ada.rest.raw(method, path, body && JSON.stringify(body), type);
    assert.equal(answer.status, 503, `${method} ${path}`);
    assert.equal(answer.body.code, "unavailable");
    assert.match(answer.headers.get("retry-after"), /^\d+$/);
  }

  const kept = async () => {
    const tasks = (await board.tasks()).filter(({ title }) => !title.startsWith("marker"));
    return [tasks.map(({ title, status }) => `${title} ${status}`), await board.messages()];
  };
  assert.deepEqual(await kept(), [["Kept todo"], []], "reads go on");
  const late = await connect(server.url, ben, { reconnection: false });
  assert.equal((await late.do("join:project", board.id)).users.length, 2, "who is known comes in");

  permit("unlimited");
  await eventually("writes go on", async () => (await author.ask("chat:message", { ...says, content: "healed" })).ok);
  const { task: moved } = await author.do("task:move", { ...at, fromStatus: "todo", toStatus: "done" });
  assert.equal(moved.version, task.version + 1, "nothing was written in between");
  const told = [await listener.any(), await listener.any()];
  assert.deepEqual(told.map(({ event }) => event), ["chat:newMessage", "task:moved"], "nothing was told in between");
  assert.equal(told[0].data.content, "healed");
  await server.kill9();
  server.command = [binary()];
  await server.restart();
  const [tasks, messages] = await kept();
  assert.deepEqual([tasks, messages.map(({ content }) => content)], [["Kept done"], ["healed"]]);
});
