// What the conformance cases speak with: bare polls and a bare WebSocket that keep every frame in its order, and the
// two servers that the cases run against.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { inTime } from "../lib/eventually.mjs";
import { serve } from "../contract/support.mjs";

/** Longer than anything that a case waits for. */
const PATIENCE = 8_000;
export const PING = "2";

/** A server with the official suites' times. */
export const quickServer = () =>
  serve({
    COLLABFLOW_ENGINE__PING_INTERVAL: "300ms",
    COLLABFLOW_ENGINE__PING_TIMEOUT: "200ms",
    COLLABFLOW_LIMITS__CONNECT_TIMEOUT: "1s",
  });

/** A server whose timers are far off: where a case ends with a close, it was no heartbeat that closed. */
export const calmServer = () => serve();

/** The path of Engine.IO with these parameters; `undefined` leaves one out. */
export function path(parameters = {}) {
  const query = { EIO: "4", transport: "polling", ...parameters };
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return `/socket.io/?${new URLSearchParams(given)}`;
}

/** One polling session. */
export class Polls {
  static async open({ url }) {
    const response = await fetch(url + path());
    assert.equal(response.status, 200);
    const polls = new Polls();
    polls.handshake = JSON.parse((await response.text()).slice(1));
    polls.sid = polls.handshake.sid;
    polls.url = url + path({ sid: polls.sid });
    return polls;
  }

  /** A poll: its status and body. */
  async get(options = {}) {
    const response = await fetch(this.url, { signal: AbortSignal.timeout(PATIENCE), ...options });
    return { status: response.status, body: await response.text() };
  }

  post(body) {
    return this.get({ method: "POST", body });
  }

  /** The next `count` packets that are no heartbeats; answers those. */
  async packets(count) {
    const packets = [];
    while (packets.length < count) {
      const { status, body } = await this.get();
      assert.equal(status, 200, body);
      for (const packet of body.split("\x1e")) {
        if (packet === PING) await this.post("3");
        else packets.push(packet);
      }
    }
    return packets;
  }
}

/** One WebSocket. `beats: false` leaves the heartbeat to the test. */
export class Wire {
  #frames = [];
  #wake = () => {};

  constructor({ url }, parameters = {}, { beats = true } = {}) {
    const address = url.replace("http", "ws") + path({ transport: "websocket", ...parameters });
    this.socket = new WebSocket(address);
    this.socket.on("message", (data, isBinary) => {
      const frame = isBinary ? data : data.toString();
      if (beats && frame === PING) return this.socket.send("3");
      this.#frames.push(frame);
      this.#wake();
    });
    this.opened = new Promise((done, fail) => {
      this.socket.on("open", done);
      this.socket.on("error", fail);
    });
    this.opened.catch(() => {});
    this.ended = new Promise((done) => this.socket.on("close", done));
  }

  /** Opens one, and takes the handshake. */
  static async open(server, options) {
    const wire = new Wire(server, {}, options);
    wire.handshake = JSON.parse((await wire.next()).slice(1));
    return wire;
  }

  /** Opens one and joins the namespace. */
  static async join(server, token, options) {
    const wire = await Wire.open(server, options);
    await wire.join(token);
    return wire;
  }

  async join(token) {
    this.send(`40${JSON.stringify({ token })}`);
    const reply = await this.next();
    assert.match(reply, /^40\{"sid":/);
    return JSON.parse(reply.slice(2));
  }

  send(...frames) {
    for (const frame of frames) this.socket.send(frame);
  }

  /** The very next frame. */
  next() {
    const taken = async () => {
      while (this.#frames.length === 0) await new Promise((wake) => (this.#wake = wake));
      return this.#frames.shift();
    };
    return inTime("a frame", taken(), PATIENCE);
  }

  /** Waits until the server has closed it; gives the frames that came before. */
  async closed() {
    await inTime("the server closes the connection", this.ended, PATIENCE);
    return this.#frames;
  }

  end() {
    this.socket.terminate();
  }
}

/** Fails unless `packet` acknowledges the event `id` with a refusal of this code; gives its message. */
export function assertRefusal(packet, id, code) {
  assert.ok(packet.startsWith(`43${id}[`), packet);
  const [answer] = JSON.parse(packet.slice(`43${id}`.length));
  assert.deepEqual([answer.ok, answer.error.code], [false, code]);
  return answer.error.message;
}

/** Sends an event and expects its acknowledgement next: whatever is proven by an echo in the suites. */
export async function assertAlive(wire, id = 99) {
  wire.send(`42${id}["no:such",{}]`);
  assertRefusal(await wire.next(), id, "not_found");
}
