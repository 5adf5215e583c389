// Clients below Socket.IO: a bare WebSocket and bare polling requests, for what no stock client would send.

import WebSocket from "ws";
import { eventually, inTime } from "../lib/eventually.mjs";
import { Rest } from "../lib/rest.mjs";
import { PATIENCE } from "./client.mjs";

export const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";

/** A WebSocket that keeps its `frames`; `closed` resolves with the code when the server ends it. */
export class RawSocket {
  frames = [];

  constructor(url, options) {
    this.socket = new WebSocket(url.replace("http", "ws") + WEBSOCKET, options);
    this.socket.on("message", (frame) => this.frames.push(frame.toString()));
    this.socket.on("error", () => {});
    this.ended = new Promise((resolve) => this.socket.on("close", resolve));
  }

  /** Opens one and waits for the handshake; with a `token` for the CONNECT reply too. */
  static async open(url, { token } = {}) {
    const raw = new RawSocket(url);
    await raw.hears(/^0\{/);
    if (token) {
      raw.send(`40${JSON.stringify({ token })}`);
      await raw.hears(/^40\{/);
    }
    return raw;
  }

  get open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(...frame) {
    this.socket.send(...frame);
  }

  /** Writes bytes past the WebSocket's framing. */
  write(bytes) {
    this.socket._socket.write(Buffer.from(bytes));
  }

  hears(pattern) {
    return eventually(`a frame like ${pattern}`, () => this.frames.find((frame) => pattern.test(frame)));
  }

  closed(patience = PATIENCE) {
    return inTime("the server closes the connection", this.ended, patience);
  }

  end() {
    this.socket.terminate();
  }
}

/** One polling session. */
export class RawPolling {
  static async open(url) {
    const raw = new RawPolling();
    raw.rest = new Rest(url);
    const { body } = await raw.rest.raw("GET", POLLING);
    raw.handshake = JSON.parse(body.slice(1));
    raw.path = `${POLLING}&sid=${raw.handshake.sid}`;
    return raw;
  }

  get() {
    return this.rest.raw("GET", this.path);
  }

  post(body, type = "text/plain") {
    return this.rest.raw("POST", this.path, body, { "Content-Type": type });
  }
}
