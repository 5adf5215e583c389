// The way of one node to its Redis, over a TCP proxy on loopback: slow, frozen, cut, refused, or such that what the node
// says is lost unseen.

import { once } from "node:events";
import net from "node:net";
import { address } from "./redis.mjs";

export class Gate {
  #server;
  #target;
  #links = new Set();
  #isRefusing = false;
  #isHolding = false;
  #isSwallowing = false;
  #delay = { up: 0, down: 0 };

  /** To a server on a port of loopback. */
  static async to(port) {
    const gate = new Gate();
    gate.#target = { port, host: "127.0.0.1" };
    gate.#server = net.createServer((node) => gate.#link(node));
    gate.#server.listen(0, "127.0.0.1");
    await once(gate.#server, "listening");
    return gate;
  }

  get url() {
    return address(this.#server.address().port);
  }

  /** What the node says reaches Redis, and what Redis says the node, so many milliseconds later. */
  delay({ up = 0, down = 0 }) {
    this.#delay = { up, down };
  }

  /** Nothing passes, in either direction, until `open()`; then all that has waited does. */
  hold() {
    this.#isHolding = true;
  }

  /** What the node says is lost, until `open()`, which ends the connections that have lost something. */
  swallow() {
    this.#isSwallowing = true;
  }

  /** Ends every connection at once; new ones are made. */
  cut() {
    for (const link of this.#links) link.reset();
  }

  /** Ends every connection, and refuses new ones until `open()`. */
  refuse() {
    this.#isRefusing = true;
    this.cut();
  }

  /** Ends every connection; new ones lead to another server. */
  lead(port) {
    this.#target = { port, host: "127.0.0.1" };
    this.cut();
  }

  /** All passes again. */
  open() {
    this.#isRefusing = this.#isHolding = this.#isSwallowing = false;
    for (const link of this.#links) {
      if (link.hasLost) link.reset();
      else link.flush();
    }
  }

  close() {
    this.#server.close();
    this.cut();
  }

  #link(node) {
    if (this.#isRefusing) return void node.resetAndDestroy();
    const redis = net.connect(this.#target);
    const link = { hasLost: false };
    const loses = () => this.#isSwallowing && (link.hasLost = true);
    const lanes = [
      this.#lane(node, redis, { delay: () => this.#delay.up, loses }),
      this.#lane(redis, node, { delay: () => this.#delay.down, loses: () => false }),
    ];
    Object.assign(link, {
      flush: () => lanes.forEach((lane) => lane()),
      reset: () => [node, redis].forEach((socket) => socket.resetAndDestroy()),
    });
    this.#links.add(link);
    for (const socket of [node, redis]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => {
        node.destroy();
        redis.destroy();
        this.#links.delete(link);
      });
    }
  }

  /** One direction: what comes waits its time, and keeps its order. Returns what looks again at who waits. */
  #lane(from, to, { delay, loses }) {
    const waiting = [];
    let timer;
    const flush = () => {
      clearTimeout(timer);
      while (waiting.length > 0 && !this.#isHolding) {
        const left = waiting[0].due - performance.now();
        if (left > 0) return void (timer = setTimeout(flush, left));
        to.write(waiting.shift().chunk);
      }
    };
    from.on("data", (chunk) => {
      if (loses()) return;
      waiting.push({ due: performance.now() + delay(), chunk });
      flush();
    });
    from.on("close", () => clearTimeout(timer));
    return flush;
  }
}
