// Writes of every kind that go on over an outage, and a listener; afterwards what was acknowledged, told and stored must
// fit together. What was refused may have been stored: then it was told like all else.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "../contract/client.mjs";
import { eventually } from "../lib/eventually.mjs";
import { RestError } from "../lib/rest.mjs";

/** A write whose outcome is unknown is answered when that is known. */
const PATIENCE = 60_000;
/** After a refusal, as a client would. */
const RETRY_AFTER = 50;

export class Traffic {
  #going = true;
  #loops = [];
  /** What was written, by what became of it. */
  acknowledged = new Set();
  refused = new Set();
  /** The acknowledged versions of the one task whose title and description are changed in turn. */
  versions = [];

  /** `board` is that of two people who are in its project; the second of them listens too. */
  static async start(board, ada, ben) {
    const traffic = new Traffic();
    traffic.board = board;
    traffic.hot = await board.task({ title: "hot" });
    const options = { kept: true, reconnection: false };
    [traffic.writer, traffic.listener] = await Promise.all(
      [ada, ben].map((user) => connect(user.server.url, user, options)),
    );
    await board.gather(traffic.writer, traffic.listener);
    await board.chat(traffic.listener);
    const { writer, hot } = traffic;
    const projectId = board.id;
    const channelId = board.channel._id;
    const ask = (event, payload) => writer.socket.timeout(PATIENCE).emitWithAck(event, payload);
    traffic.#loops = [
      (title) => byRest(() => ada.rest.post("/api/tasks", { projectId, title })),
      (title) => ask("task:create", { projectId, task: { title }, clientId: title }),
      (content) => byRest(() => ben.rest.post(`/api/channels/${channelId}/messages`, { content })),
      (content) => ask("chat:message", { channelId, content, clientId: content }),
    ].map((write, kind) => traffic.#writeOn(write, kind));
    traffic.#loops.push(traffic.#changeOn((updates) => ask("task:update", { projectId, taskId: hot._id, updates })));
    return traffic;
  }

  async #writeOn(write, kind) {
    for (let n = 0; this.#going; n++) {
      const name = `${kind}.${n}`;
      if (accepted(await write(name))) this.acknowledged.add(name);
      else await this.#wait(name);
    }
  }

  async #changeOn(write) {
    for (let n = 0; this.#going; n++) {
      const ack = await write({ [n % 2 ? "title" : "description"]: `hot ${n}` });
      if (accepted(ack)) this.versions.push(ack.task.version);
      else await this.#wait(`hot ${n}`);
    }
  }

  #wait(name) {
    this.refused.add(name);
    return pause(RETRY_AFTER);
  }

  /** Waits until `count` more of the writes have been acknowledged. */
  async flows(count = 40) {
    const enough = this.acknowledged.size + count;
    await eventually(`${count} more writes`, () => this.acknowledged.size >= enough, { within: PATIENCE });
  }

  /** Waits until something has been refused. */
  async stops() {
    const before = this.refused.size;
    await eventually("a write is refused", () => this.refused.size > before, { within: PATIENCE });
  }

  async end() {
    this.#going = false;
    await Promise.all(this.#loops);
  }

  /** Fails where something acknowledged is lost, anything is there twice, or what is told is not what is stored. */
  async verify() {
    const { board, listener, hot } = this;
    const { _id: last } = await board.say("the last");
    const told = [];
    do {
      told.push(await listener.any("the last message"));
    } while (told.at(-1).data._id !== last);
    this.writer.close();
    listener.close();

    const isOurs = (name) => /^\d\.\d+$/.test(name);
    const tasks = await board.tasks();
    const names = [...tasks.map(({ title }) => title), ...(await board.messages()).map(({ content }) => content)];
    const stored = names.filter(isOurs).sort();
    const twice = stored.filter((name, n) => name === stored[n - 1]);
    assert.deepEqual(twice, [], "what is there twice");
    const lost = [...this.acknowledged].filter((name) => !stored.includes(name));
    assert.deepEqual(lost, [], "what was acknowledged and is lost");
    const heard = told.map(({ event, data }) => (event === "task:created" ? data.task.title : data.content));
    assert.deepEqual(heard.filter(isOurs).sort(), stored, "what is there was told, once, and nothing else was");

    const changes = told.filter(({ event, data }) => event === "task:updated" && data.taskId === hot._id);
    const versions = changes.map(({ data }) => data.version);
    versions.forEach((version, n) => assert.ok(version > (versions[n - 1] ?? hot.version), `${version} is told late`));
    assert.deepEqual(
      this.versions.filter((version) => !versions.includes(version)),
      [],
      "versions that were acknowledged and not told",
    );
    const shown = Object.assign({}, ...changes.map(({ data }) => data.updates));
    const { title, description, version } = tasks.find(({ _id }) => _id === hot._id);
    assert.deepEqual(
      { ...shown, version: versions.at(-1) },
      { title, description, version },
      "who was told all knows it",
    );
  }
}

/** A REST answer in the shape of an acknowledgement. */
async function byRest(call) {
  try {
    await call();
    return { ok: true };
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
    return { ok: false, error: error.body };
  }
}

function accepted({ ok, error }) {
  if (!ok) assert.equal(error.code, "unavailable", JSON.stringify(error));
  return ok;
}
