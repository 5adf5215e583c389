// A TCP proxy on loopback between one client and the server, so that a dropped connection is a real one.
//
// `cut()` has two ways, because what a dropped connection loses differs:
//  - "orderly": the client's connection is closed once the server has closed its own. Whatever the server wrote before
//    it noticed still arrives, as when a load balancer in between restarts; what the client was sending may be lost.
//  - "hard": both ends are reset at once, and what was on the way is lost in both directions, unseen by either.

import { once } from "node:events";
import net from "node:net";

const REALTIME = /^(GET|POST) \/(socket\.io|ws)\b/;

export class Proxy {
  #server;
  #target;
  #links = new Set();
  #refused = "none";
  #mute = false;
  /** How many connections have lost an answer to `mute()`. */
  muted = 0;
  /** How many connections `cut` has ended. */
  cuts = 0;
  /** How many orderly cuts the server did not answer by closing its side within 5 s. */
  ignored = 0;

  static async to(port, host = "127.0.0.1") {
    const proxy = new Proxy();
    proxy.#target = { port, host };
    proxy.#server = net.createServer((client) => proxy.#link(client));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port() {
    return this.#server.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends the connections that carry Socket.IO (by their first request line), or with `all` every one. Returns how many. */
  cut({ way = "orderly", all = false } = {}) {
    const links = [...this.#links].filter((link) => !link.cut && (all || link.realtime));
    for (const link of links) {
      link.cut = true;
      if (way === "orderly") link.endInOrder();
      else link.reset();
    }
    this.cuts += links.length;
    return links.length;
  }

  /** Cuts, and refuses what comes until `up()`: Socket.IO's connections, or with `all` every one. */
  down({ way = "orderly", all = false } = {}) {
    this.#refused = all ? "all" : "realtime";
    this.cut({ way, all });
  }

  up() {
    this.#refused = "none";
  }

  /** Leads what comes from now on to another port. */
  aim(port) {
    this.#target.port = port;
  }

  /** Lets WebSockets open from now on, and keeps from their clients all that the server says after their first message. */
  mute() {
    this.#mute = true;
  }

  unmute() {
    this.#mute = false;
  }

  async close() {
    this.#server.close();
    for (const link of this.#links) link.reset();
  }

  #link(client) {
    if (this.#refused === "all") return void client.resetAndDestroy();
    const upstream = net.connect(this.#target);
    const link = {
      realtime: false,
      cut: false,
      endInOrder: () => {
        client.unpipe(upstream);
        client.resume();
        upstream.end();
        const late = setTimeout(() => {
          this.ignored += 1;
          link.reset();
        }, 5_000);
        upstream.once("close", () => clearTimeout(late));
      },
      reset() {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      },
    };
    this.#links.add(link);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.once("data", (first) => {
      link.realtime = REALTIME.test(first.toString("latin1", 0, 32));
      if (link.realtime && this.#refused === "realtime") link.reset();
      if (link.realtime && this.#mute) client.once("data", () => this.#silence(client, upstream));
    });
    client.pipe(upstream);
    upstream.pipe(client);
    const end = () => {
      client.destroy();
      upstream.destroy();
      this.#links.delete(link);
    };
    client.on("error", end);
    client.on("close", end);
    upstream.on("error", () => {}); // "close" follows
    // The client's end follows once it has been given all that the server wrote.
    upstream.on("close", () => (client.writableFinished ? end() : client.end(() => client.destroy())));
  }

  #silence(client, upstream) {
    upstream.unpipe(client);
    upstream.once("data", () => {
      this.muted += 1;
    });
    upstream.resume();
  }
}
