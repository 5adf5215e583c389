// The chat rows of the event table, each over every transport: messages reach the sender too, joining and leaving
// is silent, and typing is told to the others and ends by itself.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TRANSPORTS, connect } from "./client.mjs";
import { Board, ISO_TIME, OBJECT_ID, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben, cleo] = await people(server, "Ada", "Ben", "Cleo");

/** Ada and Ben in the channel of a new board. */
async function channel(transports = ["websocket"]) {
  const board = await Board.of(ada, ben, [cleo, "viewer"]);
  const [author, other] = await Promise.all([ada, ben].map((person) => connect(server.url, person, { transports })));
  await board.chat(author, other);
  return { board, author, other, channelId: board.channel._id };
}

/** What Ben's client is told of Ada's typing. */
const typing = (channelId, isTyping) => ({ channelId, userId: ada._id, user: ada.face, isTyping });

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  describe(`the chat events ${way}`, () => {
    it("chat:message is told to everybody in the channel, the sender too", async () => {
      const { author, other, channelId } = await channel(transports);
      const { message } = await author.do("chat:message", { channelId, content: " Hello ", clientId: "one" });
      const { _id, createdAt, updatedAt, ...rest } = message;
      assert.match(_id, OBJECT_ID);
      assert.match(createdAt, ISO_TIME);
      assert.match(updatedAt, ISO_TIME);
      assert.deepEqual(rest, { channel: channelId, sender: ada.face, content: "Hello", clientId: "one" });
      for (const client of [author, other]) assert.deepEqual(await client.next("chat:newMessage"), message);
    });

    it("chat:join and chat:leave are told to nobody, and end what is heard", async () => {
      const { board, author, other, channelId } = await channel(transports);
      await board.chatSilent(author, other);
      await other.do("chat:leave", channelId);
      await author.do("chat:message", { channelId, content: "Gone?" });
      await author.next("chat:newMessage");
      await board.chatSilent(author);
      await other.do("chat:join", channelId);
      await board.chatSilent(author, other);
    });

    it("chat:typing is told to the others, not to the one who types", async () => {
      const { board, author, other, channelId } = await channel(transports);
      await author.do("chat:typing", { channelId, isTyping: true });
      assert.deepEqual(await other.next("chat:userTyping"), typing(channelId, true));
      await author.do("chat:typing", { channelId, isTyping: false });
      assert.deepEqual(await other.next("chat:userTyping"), typing(channelId, false));
      await board.chatSilent(author, other);
    });

    it("a failed message without an acknowledgement is answered with an error event", async () => {
      const { author, channelId } = await channel(transports);
      author.send("chat:message", { channelId, content: "   " });
      const { event, code } = await author.next("error");
      assert.deepEqual({ event, code }, { event: "chat:message", code: "validation_failed" });
    });
  });
}

describe("typing", () => {
  const starts = async ({ author, other, channelId }) => {
    await author.do("chat:typing", { channelId, isTyping: true });
    assert.deepEqual(await other.next("chat:userTyping"), typing(channelId, true));
  };

  it("ends by itself after 6 s", async () => {
    const room = await channel();
    await starts(room);
    const began = Date.now();
    assert.deepEqual(await room.other.next("chat:userTyping", 9_000), typing(room.channelId, false));
    const lasted = Date.now() - began;
    assert.ok(lasted > 5_000 && lasted < 8_000, `it lasted ${lasted} ms`);
  });

  it("ends when the one who types leaves the channel", async () => {
    const room = await channel();
    await starts(room);
    await room.author.do("chat:leave", room.channelId);
    assert.deepEqual(await room.other.next("chat:userTyping", 3_000), typing(room.channelId, false));
  });

  it("ends when the one who types disconnects", async () => {
    const room = await channel();
    await starts(room);
    room.author.close();
    assert.deepEqual(await room.other.next("chat:userTyping", 3_000), typing(room.channelId, false));
  });

  it("ends when the connection of the one who types drops", async () => {
    const room = await channel();
    await starts(room);
    room.author.drop();
    assert.deepEqual(await room.other.next("chat:userTyping", 3_000), typing(room.channelId, false));
  });

  it("is not for viewers, who read and join all the same", async () => {
    const { board, author, channelId } = await channel();
    const viewer = await connect(server.url, cleo);
    await viewer.do("chat:join", channelId);
    assert.equal((await viewer.refused("chat:typing", { channelId, isTyping: true })).code, "forbidden");
    assert.equal((await viewer.refused("chat:message", { channelId, content: "May I?" })).code, "forbidden");
    await board.chatSilent(author, viewer);
  });
});

describe("a clientId", () => {
  it("seen before from that sender answers the first message, which is not told again", async () => {
    const { board, author, other, channelId } = await channel();
    const say = (client, content) => client.do("chat:message", { channelId, content, clientId: "same" });
    const first = await say(author, "Once");
    const again = await say(author, "Twice");
    assert.deepEqual(again.message, first.message);
    for (const client of [author, other]) await client.next("chat:newMessage");
    await board.chatSilent(author, other);

    const others = await say(other, "Mine");
    assert.notEqual(others.message._id, first.message._id, "another sender may use the same one");
    assert.equal((await board.messages()).filter(({ clientId }) => clientId === "same").length, 2);
  });
});

describe("a channel that was never stored", () => {
  it("is there for each project and each workspace under its own id", async () => {
    const board = await Board.of(ada, ben);
    for (const channelId of [board.id, board.workspace._id]) {
      const [author, other] = await Promise.all([ada, ben].map((person) => connect(server.url, person)));
      for (const client of [author, other]) await client.do("chat:join", channelId);
      await author.do("chat:message", { channelId, content: "Here" });
      assert.equal((await other.next("chat:newMessage")).channel, channelId);
      assert.equal((await ben.rest.get(`/api/channels/${channelId}/messages`)).messages.length, 1);
    }
  });
});
