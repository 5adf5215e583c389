// Sessions that live by a token which ends soon, and what is seen of their end.

import assert from "node:assert/strict";
import { mintToken } from "../lib/tokens.mjs";
import { connect } from "./client.mjs";

export const second = () => Math.floor(Date.now() / 1000);
/** A token of `user` that ends after so many seconds, at a whole one as jsonwebtoken has it, and when that is. */
export function ending(seconds, user) {
  const exp = Math.ceil(Date.now() / 1000) + seconds;
  const { userId, name, email } = user;
  return { token: mintToken({ userId, name, email, exp }), expiresAt: new Date(exp * 1000).toISOString(), at: exp * 1000 };
}

/** A session that lives by a token of so many seconds. */
export async function shortLived(seconds, { user, url = user.server.url, ...options }) {
  const life = ending(seconds, user);
  const client = await connect(url, user, { auth: { token: life.token }, reconnection: false, ...options });
  return { client, ...life };
}

/** Sees the end of a session: nothing but `auth:expired`, and the close, both at their time. */
export async function expires({ client, expiresAt, at }) {
  const closed = client.happens("disconnect");
  assert.deepEqual(await client.next("auth:expired"), { expiresAt });
  const [reason] = await closed;
  const late = Date.now() - at;
  assert.ok(late >= 0 && late < 5_000, `it came ${late} ms after the end`);
  assert.ok(["transport close", "transport error"].includes(reason), `the client was told "${reason}"`);
}
