// A stock socket.io-client with a memory: every event it is told waits in a queue until the test takes it.
// `next` takes the very next event and fails on any other, which is how these tests prove silence:
// they send a marker and expect it next.
import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { io } from "socket.io-client";
import { inTime } from "../lib/eventually.mjs";

/** Longer than anything that is told at once, shorter than any timer that a test does not wait for. */
export const PATIENCE = 8_000;

/** The ways a reference client may go; the last begins with polling and changes over. */
export const TRANSPORTS = {
  "over WebSocket": ["websocket"],
  "over polling alone": ["polling"],
  "after the upgrade": ["polling", "websocket"],
};

const open = new Set();

/** Ends what a test left connected. */
export function closeClients() {
  for (const client of open) client.close();
}
afterEach(closeClients);

export class Client {
  #wake = () => {};
  queue = [];

  constructor(url, user, { auth, awaitUpgrade, kept, ...options } = {}) {
    this.user = user;
    this.awaitUpgrade = awaitUpgrade ?? options.transports?.join() === "polling,websocket";
    this.socket = io(url, {
      auth: auth ?? { token: user?.token },
      forceNew: true,
      transports: ["websocket"],
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ...options,
    });
    this.socket.onAny((event, ...args) => {
      this.queue.push({ event, data: args[0], args });
      this.#wake();
    });
    if (!kept) open.add(this);
  }

  get id() {
    return this.socket.id;
  }

  /** Resolves with the arguments of the next `event` of the socket itself (`connect`, `disconnect`, `connect_error`). */
  happens(event, emitter = this.socket) {
    return inTime(
      `"${event}" of a socket`,
      new Promise((resolve) => emitter.once(event, (...args) => resolve(args))),
      PATIENCE,
    );
  }

  /** Waits for CONNECT, and for the end of the upgrade where one is to come. */
  async connected() {
    if (!this.socket.connected) {
      const answered = new Promise((resolve, reject) => {
        this.socket.once("connect", resolve).once("connect_error", reject);
      });
      await inTime("CONNECT is answered", answered, PATIENCE);
    }
    const { engine } = this.socket.io;
    if (this.awaitUpgrade && engine.transport.name === "polling") await this.happens("upgrade", engine);
    return this;
  }

  send(event, ...args) {
    this.socket.emit(event, ...args);
  }

  /** Sends and returns the acknowledgement. */
  ask(event, ...args) {
    return this.socket.timeout(PATIENCE).emitWithAck(event, ...args);
  }

  /** Sends and returns the acknowledgement of a success. */
  async do(event, ...args) {
    const ack = await this.ask(event, ...args);
    assert.equal(ack?.ok, true, `${event} was refused: ${JSON.stringify(ack)}`);
    return ack;
  }

  /** Sends and returns the error of a failure. */
  async refused(event, ...args) {
    const ack = await this.ask(event, ...args);
    assert.equal(ack?.ok, false, `${event} was not refused: ${JSON.stringify(ack)}`);
    assert.equal(typeof ack.error.message, "string");
    return ack.error;
  }

  /** The next event, whatever it is. */
  async any(what = "an event", patience = PATIENCE) {
    if (this.queue.length === 0) {
      await inTime(`${what} for ${this.user?.name}`, new Promise((resolve) => (this.#wake = resolve)), patience);
    }
    return this.queue.shift();
  }

  /** The data of the next event, which must be `event`. */
  async next(event, patience = PATIENCE) {
    const heard = await this.any(event, patience);
    assert.equal(heard.event, event, `instead of ${event} ${this.user?.name} heard ${JSON.stringify(heard)}`);
    return heard.data;
  }

  /** The data of the first `event` that fits; what comes before it is dropped. */
  async find(event, fits = () => true, patience = PATIENCE) {
    const deadline = Date.now() + patience;
    for (;;) {
      const heard = await this.any(event, Math.max(0, deadline - Date.now()));
      if (heard.event === event && fits(heard.data)) return heard.data;
    }
  }

  /** Takes what has been heard so far. */
  take() {
    return this.queue.splice(0);
  }

  /** Drops the connection as a lost network or a closed page does: no DISCONNECT packet. */
  drop() {
    this.socket.io.reconnection(false);
    this.socket.io.engine.close();
  }

  close() {
    open.delete(this);
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.socket.io._close?.();
  }
}

/** Connects `user`; the promise fails with the `connect_error`. */
export function connect(url, user, options) {
  return new Client(url, user, options).connected();
}
