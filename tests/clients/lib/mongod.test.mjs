// The harness itself: a MongoDB server that dies and comes back, and the databases that servers are given.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { it } from "node:test";
import { eventually } from "./eventually.mjs";
import { Mongod } from "./mongod.mjs";

for (const replicaSet of [false, true]) {
  it(`keeps what was acknowledged when it is killed (${replicaSet ? "a replica set" : "by itself"})`, async () => {
    const mongod = await Mongod.start({ replicaSet });
    try {
      const client = await mongod.client();
      const things = client.db("test").collection("things");
      await things.insertOne({ name: "kept" }, { writeConcern: { w: "majority", journal: true } });
      await mongod.kill9();
      await mongod.restart();
      assert.equal(await things.countDocuments({ name: "kept" }), 1);
    } finally {
      await mongod.stop();
    }
    assert.equal(existsSync(mongod.folder), false);
  });
}

/** A program that prints its server's process id and folder and then does as told. */
const owner = (then) => {
  const url = new URL("mongod.mjs", import.meta.url);
  const program = `
    const { Mongod } = await import("${url}");
    const { pid, folder } = await Mongod.start();
    console.log(pid, folder);
    ${then}`;
  return ["--input-type=module", "--eval", program];
};

const runs = (pid) => existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

it("ends with a process that ends", async () => {
  const [pid, folder] = execFileSync(process.execPath, owner(""), { encoding: "utf8" }).trim().split(" ");
  assert.match(pid, /^\d+$/);
  await eventually("it has ended", () => !runs(pid));
  assert.equal(existsSync(folder), false);
});

it("ends with a process that is killed", async () => {
  const child = spawn(process.execPath, owner("setInterval(() => {}, 1_000)"), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  const [pid, folder] = line.trim().split(" ");
  assert.ok(runs(pid));
  child.kill("SIGKILL");
  await eventually("it has ended", () => !runs(pid));
  await rm(folder, { recursive: true });
});
