// Rule 6 for junk below events: malformed packets, oversized frames and bodies, polling requests that no client makes.
// Each ends in a close or a clear error, never a panic, and a healthy client's beacon beside it loses nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { Beacon } from "./beacon.mjs";
import { connect } from "./client.mjs";
import { RawPolling, RawSocket } from "./raw.mjs";
import { Board, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");
const board = await Board.of(ada, ben, cleo);
const beacon = await Beacon.start(board, ben, cleo);
const letIn = () => RawSocket.open(server.url, { token: ada.token });

// What Node's decoder ends the connection for.
const FATAL = {
  "no packet at all": "",
  "an unknown Engine.IO packet": "9",
  "a ping, which is the server's to send": "2",
  "a message without a packet": "4",
  "an unknown Socket.IO packet": "47",
  "an event with an empty payload": "42[]",
  "an event whose payload is an object": "42{}",
  "an event whose name is an object": "42[{}]",
  "an event with a reserved name": '42["connect"]',
  "broken JSON": '42["join:project"',
  "an event for a namespace that was not joined": '42/admin,["x"]',
  "a second CONNECT": "40{}",
  "a CONNECT with a payload that is no object": "40[1]",
  "an acknowledgement that is no array": "431{}",
  "attachments without a count": "45-[]",
  "too many attachments": '4511-["x"]',
  "text where an attachment is due": ['451-["x",{"_placeholder":true,"num":0}]', '42["x"]'],
  "an attachment that was not announced": Buffer.from("bytes"),
};

// What may end it or not, but never the server.
const STRANGE = {
  "an event without a payload": "42",
  "a pong that nobody asked for": "3",
  "an upgrade of what is WebSocket already": "5",
  "a probe of what is WebSocket already": "2probe",
  "a noop": "6",
  "an acknowledgement that nobody waits for": '4377["x"]',
  "an endless acknowledgement id": `42${"9".repeat(400)}["join:project",1]`,
  "deep nesting": `42["join:project",${"[".repeat(100_000)}${"]".repeat(100_000)}]`,
  "a hundred thousand arguments": `42["join:project"${",1".repeat(100_000)}]`,
  "a number beyond numbers": '421["task:move",{"newIndex":1e999}]',
  "half a surrogate": '421["join:project","\\ud800"]',
  "a field twice": '421["chat:typing",{"isTyping":true,"isTyping":false}]',
  "a placeholder without an attachment": '421["join:project",{"_placeholder":true,"num":0}]',
};

describe("malformed packets", () => {
  for (const [what, frames] of Object.entries(FATAL)) {
    it(`${what}: the connection is closed`, async () => {
      const raw = await letIn();
      for (const frame of [frames].flat()) raw.send(frame);
      await raw.closed();
    });
  }

  for (const [what, frame] of Object.entries(STRANGE)) {
    it(`${what}: an answer or a close`, async () => {
      const raw = await letIn();
      raw.send(frame);
      if (raw.open) raw.send(`42999["leave:project","${board.id}"]`);
      await eventually("an answer or a close", () => !raw.open || raw.frames.some((text) => text.startsWith("43999")));
      raw.end();
    });
  }

  it("an event before CONNECT: the connection is closed", async () => {
    const raw = await RawSocket.open(server.url);
    raw.send('42["join:project","x"]');
    await raw.closed();
  });

  it("bytes that are no WebSocket frame: the connection is closed", async () => {
    const raw = await letIn();
    raw.write([0xff, 0xff, 0xff, 0xff, 0x00, 0x01]);
    await raw.closed();
  });

  it("text that is no UTF-8: the connection is closed", async () => {
    const raw = await letIn();
    raw.write([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]);
    await raw.closed();
  });
});

describe("oversized input", () => {
  it("a frame over limits.max_payload closes the connection with 1009", async () => {
    const raw = await letIn();
    raw.send("4".repeat(1_000_001));
    assert.equal(await raw.closed(), 1009);
  });

  it("a frame in many pieces that is too large in sum closes it as well", async () => {
    const raw = await letIn();
    for (let i = 0; i < 12; i++) raw.send("4".repeat(100_000), { fin: i === 11 });
    assert.equal(await raw.closed(), 1009);
  });

  it("a frame just below the limit is answered", async () => {
    const client = await connect(server.url, ada);
    const error = await client.refused("chat:message", { channelId: board.channel._id, content: "x".repeat(999_000) });
    assert.equal(error.code, "validation_failed");
  });

  it("a polling body over it is a 413", async () => {
    const raw = await RawPolling.open(server.url);
    assert.equal((await raw.post(`4${"x".repeat(1_000_000)}`)).status, 413);
  });
});

describe("a polling session", () => {
  it("that asks twice at once is closed", async () => {
    const raw = await RawPolling.open(server.url);
    const answers = await Promise.all([raw.get(), raw.get()]);
    assert.ok(answers.some(({ status }) => status === 400));
    assert.equal((await raw.get()).status, 400);
  });

  it("that posts junk is closed", async () => {
    for (const body of ["junk", "4\u001e\u001e", "x".repeat(1_000), "4b!!!"]) {
      const raw = await RawPolling.open(server.url);
      await raw.post(body);
      assert.equal((await raw.post("40")).status, 400, body.slice(0, 10));
    }
  });

  it("that posts bytes is refused", async () => {
    const raw = await RawPolling.open(server.url);
    assert.equal((await raw.post("4", "application/octet-stream")).status, 400);
  });

  it("that closes itself gets a noop on its hanging request", async () => {
    let polled;
    // The close may overtake the request, which is then one of a session that is gone: that proves nothing.
    for (let attempt = 0; attempt < 10 && polled?.status !== 200; attempt++) {
      const raw = await RawPolling.open(server.url);
      const hanging = raw.get();
      assert.equal((await raw.post("1")).body, "ok");
      polled = await hanging;
      assert.equal((await raw.get()).status, 400);
    }
    assert.equal(polled.body, "6");
  });

  it("that sends two packets in one body gets both answered", async () => {
    const raw = await RawPolling.open(server.url);
    const connected = `40${JSON.stringify({ token: ada.token })}`;
    const post = await raw.post(`${connected}\u001e421["leave:project","${board.id}"]`);
    assert.equal(post.body, "ok");
    let heard = "";
    for (let i = 0; i < 3 && !heard.includes("431"); i++) heard += (await raw.get()).body;
    assert.match(heard, /40\{"sid":/);
    assert.match(heard, /431\[\{"ok":true/);
  });
});

it("the healthy client's beacon has lost nothing beside all that", () => beacon.stop());
