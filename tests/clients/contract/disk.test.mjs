// A disk without room: what cannot be stored is refused and told to nobody, reads go on, and all heals when there is room.
// The room is taken away by a limit on the size of the server's files, which is lifted while it runs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { binary, startServer } from "../lib/server.mjs";
import { Board, people, seated } from "./support.mjs";

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
