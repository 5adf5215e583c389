// A client of plain WebSocket, as anybody could write one with the `ws` package, with the memory of `client.mjs`.

import assert from "node:assert/strict";
import { afterEach } from "node:test";
import WebSocket from "ws";
import { inTime } from "../lib/eventually.mjs";
import { PATIENCE } from "./client.mjs";

const open = new Set();
afterEach(() => {
  for (const client of open) client.socket.terminate();
  open.clear();
});

export class PlainClient {
  #wake = () => {};
  #acks = new Map();
  #last = 0;
  queue = [];
  /** Pings that the server sent. */
  pings = 0;

  constructor(url, { user, query = "", ...options } = {}) {
    this.user = user;
    this.socket = new WebSocket(`${url.replace("http", "ws")}/ws${query}`, options);
    this.opened = new Promise((resolve) => {
      this.socket.on("open", () => resolve("open"));
      this.socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
    });
    this.ended = new Promise((resolve) => this.socket.on("close", resolve));
    this.socket.on("error", () => {});
    this.socket.on("ping", () => (this.pings += 1));
    this.socket.on("message", (frame, isBinary) => {
      assert.equal(isBinary, false, "the server sends text alone");
      const message = JSON.parse(frame.toString());
      if (message.event === "ack" && this.#acks.has(message.id)) return this.#acks.get(message.id)(message.data);
      this.queue.push(message);
      this.#wake();
    });
    open.add(this);
  }

  /** Connects by `?token=` and waits for the session, whose data is `session`. */
  static async of(user, { token = user.token, url = user.server.url, ...options } = {}) {
    const client = new PlainClient(url, { user, query: `?token=${token}`, ...options });
    client.session = await client.next("session");
    return client;
  }

  get id() {
    return this.session.id;
  }

  send(event, data, id) {
    this.socket.send(JSON.stringify({ event, data, id }));
  }

  ask(event, data, id = ++this.#last) {
    const answer = new Promise((resolve) => this.#acks.set(id, resolve));
    this.send(event, data, id);
    return inTime(`the answer to ${event}`, answer, PATIENCE);
  }

  async do(event, data) {
    const ack = await this.ask(event, data);
    assert.equal(ack.ok, true, `${event} was refused: ${JSON.stringify(ack)}`);
    return ack;
  }

  async refused(event, data) {
    const ack = await this.ask(event, data);
    assert.equal(ack.ok, false, `${event} was not refused: ${JSON.stringify(ack)}`);
    return ack.error;
  }

  async any(what = "an event", patience = PATIENCE) {
    if (this.queue.length === 0) {
      await inTime(`${what} for ${this.user?.name}`, new Promise((resolve) => (this.#wake = resolve)), patience);
    }
    return this.queue.shift();
  }

  async next(event) {
    const heard = await this.any(event);
    assert.equal(heard.event, event, `instead of ${event} ${this.user?.name} heard ${JSON.stringify(heard)}`);
    return heard.data;
  }

  async find(event, fits = () => true) {
    for (;;) {
      const heard = await this.any(event);
      if (heard.event === event && fits(heard.data)) return heard.data;
    }
  }

  /** The code with which the server ends the connection. */
  closed(patience = PATIENCE) {
    return inTime("the server closes the connection", this.ended, patience);
  }
}
