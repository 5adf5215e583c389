// A healthy pair of clients beside whatever a test does to the server: ten messages a second from one to the other.

import assert from "node:assert/strict";
import { eventually } from "../lib/eventually.mjs";
import { Client } from "./client.mjs";

export class Beacon {
  sent = 0;
  heard = [];
  /** Milliseconds on the way, of each that was heard. */
  delays = [];
  #sentAt = [];

  static async start(board, from, to) {
    const beacon = new Beacon();
    const options = { kept: true, reconnection: false };
    beacon.clients = [from, to].map((user) => new Client(user.server.url, user, options));
    const [sender, listener] = beacon.clients;
    for (const client of beacon.clients) await client.connected();
    await board.chat(sender, listener);
    listener.socket.on(
      "chat:newMessage",
      ({ sender: { _id }, content }) => _id === from._id && beacon.#hear(content),
    );
    const channelId = board.channel._id;
    beacon.timer = setInterval(() => {
      beacon.#sentAt.push(performance.now());
      sender.send("chat:message", { channelId, content: `beacon ${beacon.sent++}` });
    }, 100);
    return beacon;
  }

  #hear(content) {
    this.delays.push(performance.now() - this.#sentAt[this.heard.length]);
    this.heard.push(content);
  }

  /** Fails where one of its messages was lost, doubled or out of order, or one of its clients was disconnected. */
  async stop() {
    clearInterval(this.timer);
    const whole = Array.from({ length: this.sent }, (_, n) => `beacon ${n}`);
    await eventually("the last beacon is heard", () => this.heard.length >= this.sent);
    assert.deepEqual(this.heard, whole);
    for (const client of this.clients) {
      assert.ok(client.socket.connected, "a healthy client was disconnected");
      client.close();
    }
  }
}
