// What the contract tests share: people, a board for them to work on, and markers that prove silence.

import assert from "node:assert/strict";
import { after } from "node:test";
import { makeProject, makeUsers } from "../lib/fixture.mjs";
import { Rest } from "../lib/rest.mjs";
import { startServer } from "../lib/server.mjs";
import { objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";

/** The page that `CLIENT_URL` allows. */
export const PAGE = "http://localhost:3000";
export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const OBJECT_ID = /^[0-9a-f]{24}$/;

/** A server that ends with this test file (or with the test that asks for it). */
export async function serve(env = {}) {
  const server = await startServer({ env });
  after(() => server.stop());
  return server;
}

/** Users known from their tokens' claims, whom the server has met, so that they can be made members. */
export async function people(server, ...names) {
  const all = makeUsers(server.url, names).map((user) => person(server, user));
  await Promise.all(all.map(({ rest }) => rest.get("/api/auth/me")));
  return all;
}

/** A user with `face`, the `{_id,name,email}` that events carry. */
export function person(server, user) {
  const { userId: _id, name, email } = user;
  return { ...user, _id, server, face: { _id, name, email } };
}

/** A user with an account of the server's own. */
export async function registered(server, name, password = "correct horse") {
  const { token, user } = await new Rest(server.url).post("/api/auth/register", {
    name,
    email: `${name.toLowerCase()}-${objectId().slice(-8)}@example.com`,
    password,
  });
  const rest = new Rest(server.url, { token });
  return { ...person(server, { ...user, userId: user._id }), token, rest, password };
}

/** A workspace with a project and a channel, and those in it. */
export class Board {
  static #markers = 0;

  constructor(owner, { workspace, project }, channel) {
    Object.assign(this, { owner, workspace, project, channel });
  }

  /** `others` are members, or `[person, role]`. */
  static async of(owner, ...others) {
    const seats = others.map((other) => [other].flat());
    const roles = Object.fromEntries(seats.map(([{ name }, role = "member"]) => [name, role]));
    const users = seats.map(([user]) => user);
    const made = await makeProject(owner, users, { roles });
    const channel = await owner.rest.post("/api/channels", { name: "general", projectId: made.project._id });
    return new Board(owner, made, channel);
  }

  /** Makes `user` a member of the workspace and the project, or gives it another role there. */
  async add(user, role = "member") {
    for (const place of [`workspaces/${this.workspace._id}`, `projects/${this.id}`]) {
      await this.owner.rest.post(`/api/${place}/members`, { userId: user._id, role });
    }
  }

  /** The id of the project. */
  get id() {
    return this.project._id;
  }

  task(fields = {}, headers = {}) {
    return this.owner.rest.post("/api/tasks", { title: "Write", projectId: this.id, ...fields }, headers);
  }

  tasks() {
    return this.owner.rest.get(`/api/tasks/project/${this.id}`);
  }

  /** The task as it is stored. */
  async stored({ _id }) {
    return (await this.tasks()).find((task) => task._id === _id);
  }

  /** All messages of the channel, oldest first, page by page. */
  async messages() {
    const all = [];
    let before = "";
    do {
      const page = await this.owner.rest.get(`/api/channels/${this.channel._id}/messages?limit=200${before}`);
      all.unshift(...page.messages);
      before = page.nextBefore && `&before=${page.nextBefore}`;
    } while (before);
    return all;
  }

  say(content) {
    return this.owner.rest.post(`/api/channels/${this.channel._id}/messages`, { content });
  }

  /** Joins `clients` to the project, one after the other, and waits until the last echo of it has passed. */
  async gather(...clients) {
    for (const client of clients) await client.do("join:project", this.id);
    await this.settle(...clients);
  }

  /** Joins `clients` to the channel. */
  async chat(...clients) {
    for (const client of clients) await client.do("chat:join", this.channel._id);
  }

  /** A marker to all in the project, in the column that no test uses; made by a script, so nobody is left out. */
  async mark() {
    const title = `marker ${++Board.#markers}`;
    await this.task({ title, status: "in-progress" });
    return title;
  }

  /** Drops whatever `clients`, all in the project, have heard up to now. */
  async settle(...clients) {
    const title = await this.mark();
    await Promise.all(clients.map((client) => client.find("task:created", ({ task }) => task.title === title)));
  }

  /** Fails where one of `clients`, all in the project, has heard anything more. */
  async silent(...clients) {
    const title = await this.mark();
    for (const client of clients) assert.equal((await client.next("task:created")).task.title, title);
  }

  /** The same for those in the channel. */
  async chatSilent(...clients) {
    const { _id } = await this.say("marker");
    for (const client of clients) assert.equal((await client.next("chat:newMessage"))._id, _id);
  }

  /** The same for those in the workspace. */
  async workspaceSilent(...clients) {
    const description = `marker ${++Board.#markers}`;
    await this.owner.rest.patch(`/api/projects/${this.id}`, { description });
    for (const client of clients) {
      assert.equal((await client.next("project:updated")).updates.description, description);
    }
  }
}

/** Connects each of `users` and joins them to the board's project. */
export async function seated(board, users, options) {
  const clients = await Promise.all(users.map((user) => connect(user.server.url, user, options)));
  await board.gather(...clients);
  return clients;
}
