// The judges themselves: what they must find and what they must forgive, on journals written by hand; and the proxy's
// orderly cut, on which the strict script rests. A judge that finds nothing proves nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, test } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { listFindings, onlineFindings, orderFindings } from "./at-rest.mjs";
import { toldFindings } from "./told.mjs";

const tab = (name, journal, page = {}) => ({
  name,
  page,
  journal: journal.map((entry, at) => ({ at, what: "told", ...entry })),
  history: () => [],
});
const updated = (version, updates = {}) => ({ event: "task:updated", data: { taskId: "t1", version, updates } });
const created = (version = 1) => ({ event: "task:created", data: { task: { _id: "t1", version } } });
const deleted = { event: "task:deleted", data: { taskId: "t1" } };
const announced = { what: "sent", event: "task:update", data: { taskId: "t1", updates: {} } };
const kinds = (findings) => findings.map(({ kind }) => kind);

describe("the judge of what was told", () => {
  const judge = (journal, siblings = []) => kinds(toldFindings(tab("Ada-1", journal), siblings));

  test("is content with each version once and in order", () => {
    assert.deepEqual(judge([created(), updated(2), updated(3), deleted]), []);
  });
  test("finds an event told twice", () => {
    assert.deepEqual(judge([created(), created()]), ["twice"]);
    assert.deepEqual(judge([updated(2), updated(2)]), ["twice"]);
    assert.deepEqual(judge([deleted, deleted]), ["twice"]);
    const message = { event: "chat:newMessage", data: { _id: "m1" } };
    assert.deepEqual(judge([message, message]), ["twice"]);
  });
  test("finds a task told backwards, or after its end", () => {
    assert.deepEqual(judge([updated(3), updated(2)]), ["backwards"]);
    assert.deepEqual(judge([deleted, updated(3)]), ["backwards"]);
  });
  test("forgives one repeat for each announcement of one's own, and no more", () => {
    assert.deepEqual(judge([updated(2), announced, updated(2)]), []);
    assert.deepEqual(judge([updated(2), announced, updated(2), updated(2)]), ["twice"]);
    assert.deepEqual(judge([updated(2), updated(2), announced]), ["twice"]);
  });
  test("forgives a sibling's change only where it says something else", () => {
    const sibling = tab("Ada-2", [announced]);
    assert.deepEqual(judge([updated(2, { title: "a" }), updated(2, { priority: "low" })], [sibling]), []);
    assert.deepEqual(judge([updated(2, { title: "a" }), updated(2, { title: "a" })], [sibling]), ["twice"]);
    assert.deepEqual(judge([updated(2, { title: "a" }), updated(2, { priority: "low" })]), ["twice"]);
  });
  test("finds who joins twice, or leaves twice", () => {
    const users = { event: "room:users", data: { users: ["a"] } };
    const joined = { event: "user:joined", data: { userId: "b" } };
    const left = { event: "user:left", data: { userId: "b" } };
    assert.deepEqual(judge([users, joined, left, joined]), []);
    assert.deepEqual(judge([users, joined, joined]), ["presence"]);
    assert.deepEqual(judge([users, left]), ["presence"]);
  });
});

describe("the judge of what is shown", () => {
  const task = { _id: "t1", title: "a", status: "todo", priority: "low", position: "a1", assignee: null };
  const showing = (tasks, onlineUsers = []) => [tab("Ben", [], { tasks, onlineUsers })];

  test("is content with REST's own list, cleared fields absent or null", () => {
    const { assignee, ...absent } = task;
    assert.deepEqual(listFindings(showing([absent]), [task]), []);
  });
  test("finds cards that are missing, doubled, out of date, or of no task", () => {
    assert.deepEqual(kinds(listFindings(showing([]), [task])), ["missing"]);
    assert.deepEqual(kinds(listFindings(showing([task, task]), [task])), ["doubled"]);
    assert.deepEqual(kinds(listFindings(showing([{ ...task, title: "b" }]), [task])), ["stale"]);
    assert.deepEqual(kinds(listFindings(showing([{ ...task, assignee: "u1" }]), [task])), ["stale"]);
    assert.deepEqual(kinds(listFindings(showing([task]), [])), ["ghost"]);
  });
  test("finds a column in another order", () => {
    const second = { ...task, _id: "t2", position: "a2" };
    assert.deepEqual(orderFindings(showing([second, task]), [task, second]), []);
    assert.deepEqual(kinds(orderFindings(showing([{ ...second, position: "a0" }, task]), [task, second])), ["order"]);
  });
  test("finds an online set that is wrong or holds somebody twice", () => {
    const present = [{ userId: "a" }, { userId: "b" }];
    assert.deepEqual(onlineFindings(showing([], ["b", "a"]), present), []);
    assert.deepEqual(kinds(onlineFindings(showing([], ["a"]), present)), ["online"]);
    assert.deepEqual(kinds(onlineFindings(showing([], ["a", "b", "b"]), present)), ["online"]);
  });
});

describe("an orderly cut", () => {
  test("delivers all that the server wrote before it noticed", { timeout: 20_000 }, async (t) => {
    let written = 0;
    const server = net.createServer((socket) => {
      const timer = setInterval(() => socket.write(`${(written += 1)}\n`), 1);
      for (const end of ["end", "error", "close"]) socket.on(end, () => clearInterval(timer));
      socket.resume();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = await Proxy.to(server.address().port);
    const client = net.connect(proxy.port, "127.0.0.1");
    t.after(async () => {
      client.destroy();
      await proxy.close();
      server.close();
    });
    client.write("GET /socket.io/ HTTP/1.1\r\n");
    let read = "";
    client.on("data", (chunk) => (read += chunk));
    client.on("error", () => {}); // "close" follows
    await eventually("the stream runs", () => read.length > 100);

    const closed = once(client, "close");
    assert.equal(proxy.cut(), 1);
    await closed;
    assert.equal(read.trim().split("\n").at(-1), String(written));
    assert.equal(proxy.ignored, 0);
  });
});
