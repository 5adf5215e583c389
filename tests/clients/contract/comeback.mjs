// What the tests of recovery share: a client in several rooms behind a proxy, and the ways it goes and comes back.

import assert from "node:assert/strict";
import { after } from "node:test";
import { Proxy } from "../lib/proxy.mjs";
import { objectId } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";
import { Board } from "./support.mjs";

/** Events that are told once and then gone: they carry no offset, and nobody who was away hears of them. */
export const EPHEMERAL = ["user:joined", "user:left", "room:users", "room:resync", "chat:userTyping", "error"];

/** `owner` beside the proxy and `member` behind it, who asks for recovery; both in the project, its workspace and chat. */
export async function scene(owner, member, { transports = ["websocket"], auth, asks = true } = {}) {
  const proxy = await Proxy.to(owner.server.port);
  after(() => proxy.close());
  const board = await Board.of(owner, member);
  const watcher = await connect(owner.server.url, owner);
  const client = await connect(proxy.url, member, {
    transports,
    auth: auth ?? { token: member.token, ...(asks && { recovery: true }) },
  });
  const session = asks ? await client.any("session") : undefined;
  await enter(board, watcher, client);
  return { proxy, board, watcher, client, session, owner, member };
}

/** Joins `clients` to the project, its workspace and its chat, and drops what they have heard of it. */
export async function enter(board, ...clients) {
  for (const client of clients) await client.do("join:workspace", board.workspace._id);
  await board.chat(...clients);
  await board.gather(...clients);
}

/** Runs `meanwhile` while `client` is away, and waits until it has been let in again. */
export async function away({ proxy, client }, meanwhile = async () => {}) {
  // Over polling what came last counts as read once the next poll is there, as it is before this is answered.
  await client.ask("leave:project", objectId());
  const gone = client.happens("disconnect");
  proxy.down({ way: "hard", all: true });
  await gone;
  await meanwhile();
  const back = client.happens("connect");
  proxy.up();
  await back;
}

/** What `client` hears up to the `room:users` of all its rooms, and `missed` events at least: first what it missed. */
export async function replayed(client, { rooms = 2, missed = 0 } = {}) {
  const heard = [];
  for (let told = 0; told < rooms || heard.length < missed; ) {
    const next = await client.any("what was missed, and room:users");
    if (next.event === "room:users") told += 1;
    else heard.push(next);
  }
  return heard;
}

/** The names of the events that `client` hears up to a marker in the project. */
export async function heardSince(board, client) {
  const title = await board.mark();
  const names = new Set();
  for (;;) {
    const { event, data } = await client.any("the marker");
    if (data.task?.title === title) return names;
    names.add(event);
  }
}

/** Fails unless `client` has begun afresh: another session than `before`, in no room. */
export async function assertFresh({ board, client }, before) {
  assert.equal(client.socket.recovered, false);
  assert.notEqual(client.id, before.id);
  assert.notEqual(client.socket._pid, before.pid);
  assert.equal((await client.next("session")).userId, client.user._id);
  await board.mark();
  await board.say("for those in the room");
  await client.do("chat:join", board.channel._id);
  await board.chatSilent(client);
}

/** The session as it is now. */
export const identity = ({ id, socket }) => ({ id, pid: socket._pid, offset: socket._lastOffset });
