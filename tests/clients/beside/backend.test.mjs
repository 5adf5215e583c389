// The Node backend alone: what these tests take for granted of it.

import assert from "node:assert/strict";
import { it } from "node:test";
import { Rest } from "../lib/rest.mjs";
import { backend, database } from "./support.mjs";

const { node } = await backend(await database());

async function registered(name) {
  const account = { name, email: `${name}@Example.com`, password: "correct horse" };
  const { token, user } = await new Rest(node.url).post("/api/auth/register", account);
  return { ...user, rest: new Rest(node.url, { token }) };
}

it("lets in who is registered and nobody else", async () => {
  const rest = new Rest(node.url);
  const dora = await registered("Dora");
  const login = { email: "dora@example.com", password: "correct horse" };
  assert.equal((await rest.post("/api/auth/login", login)).user._id, dora._id);
  assert.equal((await rest.raw("POST", "/api/auth/login", { ...login, password: "wrong" })).status, 401);
  assert.equal((await rest.raw("GET", "/api/tasks/project/64b7f3a2c9e77a0012000000")).status, 401);
});

it("keeps tasks for members alone, and says what it kept", async () => {
  const [ada, ben] = [await registered("Ada"), await registered("Ben")];
  const { _id: workspaceId } = await ada.rest.post("/api/workspaces", { name: "Acme" });
  const { _id: projectId } = await ada.rest.post("/api/projects", { name: "Site", workspaceId });
  const task = await ada.rest.post("/api/tasks", { projectId, title: "Write", assignee: ben._id });
  assert.equal(task.assignee.email, "ben@example.com");

  const path = `/api/tasks/${task._id}`;
  assert.equal((await ben.rest.raw("PATCH", path, { title: "No" })).status, 403);
  await ada.rest.post(`/api/projects/${projectId}/members`, { userId: ben._id });
  assert.equal((await ben.rest.patch(path, { title: "Ben's" })).title, "Ben's");
  await ada.rest.delete(`/api/projects/${projectId}/members/${ben._id}`);
  assert.equal((await ben.rest.raw("DELETE", path)).status, 403);
  assert.equal((await ada.rest.raw("PATCH", path, { title: "x".repeat(201) })).status, 400);

  const channel = await ada.rest.post("/api/channels", { name: "general", projectId });
  const message = await ada.rest.post(`/api/channels/${channel._id}/messages`, { content: "Hello" });
  assert.equal(message.sender.name, "Ada");
  assert.equal((await ada.rest.patch(`/api/projects/${projectId}`, { name: "New" })).name, "New");
  await ada.rest.delete(path);
  assert.deepEqual(await ada.rest.get(`/api/tasks/project/${projectId}`), []);
});
