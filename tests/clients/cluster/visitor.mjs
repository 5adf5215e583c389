// A person with a page, behind a balancer of their own, who lives through whatever happens: what the page is told, it
// applies; where it is told to reload, or has lost an acknowledgement, or has begun afresh, it does. It notes what must not
// happen.

import { setTimeout as pause } from "node:timers/promises";
import { io } from "socket.io-client";
import { eventually } from "../lib/eventually.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { nameOf } from "../contract/page.mjs";

/** How long an acknowledgement may take until it counts as lost. */
const LOST_AFTER = 6_000;
/** What was on its way when a connection ended is done, or never, so long after the next one is there. */
const DONE_WITHIN = 2_000;
/** How long who comes back waits for its rooms before it counts as stranded. */
const STRANDED_AFTER = 4_000;

export class Visitor {
  /** Tasks by id, and the ids of messages, as the page has them. */
  tasks = new Map();
  messages = new Set();
  users = new Set();
  /** What it was told, by room, since it reloaded last. */
  segment = { project: [], chat: [] };
  /** All names that it was told since it was told to reload last: what was told while nodes were apart may come again. */
  told = new Set();
  /** What must not have happened. */
  faults = [];
  /** What is missing before what it was told since it reloaded last: while nodes are apart, that is so. */
  gaps = [];
  /** What it has lived through, a line each. */
  story = [];
  reloads = 0;
  resyncs = 0;
  stranded = 0;
  recovered = 0;
  #events = [];
  #isStale = false;
  #reloading;

  static async come(user, board, { node, rest, recovers, transports }) {
    const visitor = new Visitor();
    Object.assign(visitor, { user, board, rest, recovers, node });
    visitor.proxy = await Proxy.to(node.port);
    visitor.socket = io(visitor.proxy.url, {
      auth: { token: user.token, ...(recovers && { recovery: true }) },
      forceNew: true,
      transports,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
    });
    visitor.socket.onAny((event, data) => visitor.#hear(event, data));
    await new Promise((resolve) => visitor.socket.once("connect", resolve));
    await visitor.enter();
    visitor.socket.on("connect", () => visitor.#isBack());
    return visitor;
  }

  /** Joins its rooms, and loads what is there. */
  async enter() {
    this.told.clear();
    await eventually("the rooms are joined", () => this.#join(), { within: 60_000, every: 200 });
    await this.reload();
  }

  async #join() {
    const project = await this.socket.timeout(LOST_AFTER).emitWithAck("join:project", this.board.id);
    const chat = await this.socket.timeout(LOST_AFTER).emitWithAck("chat:join", this.board.channel._id);
    return project.ok && chat.ok;
  }

  /** Goes to another node, as soon as its connection is cut. */
  moveTo(node) {
    this.node = node;
    this.proxy.aim(node.port);
  }

  /** Sends a change; what it is acknowledged is the answer, `undefined` where it was refused or nobody knows. */
  async change(event, payload) {
    try {
      return await new Promise((resolve, reject) => {
        this.socket.timeout(LOST_AFTER).emit(event, payload, (late, ack) => {
          this.story.push(`${event} ${late ? "is not acknowledged" : `is acknowledged: ${ack.task?._id} v${ack.task?.version}`}`);
          if (late) return reject(late);
          // Its place is among the events: it is taken before what comes next.
          if (ack.task) this.#apply({ name: nameOf({ event, data: { task: ack.task } }), task: ack.task });
          resolve(ack.ok ? (ack.task ?? ack.message) : undefined);
        });
      });
    } catch {
      // It may have been done, or is being done, and nobody will tell its author.
      await eventually("it is connected again", () => this.socket.connected, { within: 60_000, every: 100 });
      await pause(DONE_WITHIN);
      await this.reload();
      return undefined;
    }
  }

  /** Takes everything anew, with what comes meanwhile on top of it; once more where it is told to while it does. */
  async reload() {
    this.#isStale = true;
    this.#reloading ??= this.#loadAll().finally(() => (this.#reloading = undefined));
    await this.#reloading;
  }

  async #loadAll() {
    while (this.#isStale) {
      this.#isStale = false;
      await this.#load();
    }
  }

  async #load() {
    let since;
    const load = async () => {
      since = this.#events.length;
      const rest = this.rest();
      const tasks = await rest.get(`/api/tasks/project/${this.board.id}`);
      return [tasks, await this.board.messages.call({ owner: { rest }, channel: this.board.channel })];
    };
    const [tasks, messages] = await eventually("everything is loaded", load, { within: 60_000, every: 100 });
    this.reloads += 1;
    this.story.push("loaded");
    this.segment = { project: [], chat: [] };
    this.gaps = [];
    this.tasks = new Map(tasks.map((task) => [task._id, task]));
    this.messages = new Set(messages.map(({ _id }) => _id));
    for (const event of this.#events.slice(since)) this.#apply(event, { again: true });
    this.#events = [];
  }

  #hear(event, data) {
    this.story.push(`${event} ${data.room ?? nameOf({ event, data })}`);
    if (event === "room:resync") {
      this.resyncs += 1;
      this.told.clear();
      return void this.reload();
    }
    if (event === "room:users" && data.projectId) this.users = new Set(data.users);
    if (event === "user:joined" && data.projectId) this.users.add(data.userId);
    if (event === "user:left" && data.projectId) this.users.delete(data.userId);
    if (!event.startsWith("task:") && event !== "chat:newMessage") return;
    const name = nameOf({ event, data });
    if (this.told.has(name)) this.faults.push(`${name} was told twice`);
    this.told.add(name);
    this.segment[event.startsWith("task:") ? "project" : "chat"].push(name);
    this.#apply({ name, event, data });
  }

  #apply(change, { again = false } = {}) {
    if (!again) this.#events.push(change);
    const { name, event, data, task } = change;
    if (event === "chat:newMessage") return void this.messages.add(data._id);
    if (event === "task:deleted") return void this.tasks.delete(data.taskId);
    const whole = task ?? data.task;
    const id = whole?._id ?? data.taskId;
    const known = this.tasks.get(id);
    const version = whole?.version ?? data.version;
    // A page that has loaded knows more than what is on its way.
    if (known && known.version >= version) return;
    const fields = whole ?? (event === "task:moved" ? { status: data.toStatus, position: data.position } : data.updates);
    const isWhole = whole || ["title", "description", "status", "position"].every((field) => field in fields);
    if (!isWhole && known?.version !== version - 1 && !this.#reloading && !again) {
      this.gaps.push(`${name} was told after version ${known?.version}`);
    }
    this.tasks.set(id, { ...known, ...fields, version });
  }

  /** It is connected again: the same session, or another one that is given its rooms back. */
  async #isBack() {
    this.story.push(`connected to ${this.node.port}, ${this.socket.recovered ? "recovered" : "another session"}`);
    if (this.socket.recovered) return void (this.recovered += 1);
    const id = this.socket.id;
    if (this.recovers) return void (await this.enter());
    const heard = new Promise((resolve) => this.socket.once("room:users", resolve));
    const late = new Promise((resolve) => setTimeout(resolve, STRANDED_AFTER, "late"));
    if ((await Promise.race([heard, late])) === "late" && this.socket.id === id) {
      this.stranded += 1;
      await this.enter();
    }
  }

  /** Whether it is connected, and has nothing under way. */
  get isQuiet() {
    return this.socket.connected && !this.#reloading;
  }

  close() {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    return this.proxy.close();
  }
}
