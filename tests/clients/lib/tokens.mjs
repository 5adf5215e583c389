// Tokens as the old backend mints them: Node's `jsonwebtoken`, HS256, a short string secret.

import { randomBytes } from "node:crypto";
import jwt from "jsonwebtoken";

export const SECRET = "dev-secret";

/** A new ObjectId as 24 hex characters. */
export const objectId = () =>
  Math.floor(Date.now() / 1000).toString(16).padStart(8, "0") + randomBytes(8).toString("hex");

/** A user who exists only as claims: `{ userId, name, email }`. */
export const makeUser = (name) => ({
  userId: objectId(),
  name,
  email: `${name.toLowerCase().replace(/\W+/g, ".")}@example.com`,
});

/** A token of any claims; `options` are jsonwebtoken's own. */
export const mintToken = (claims, secret = SECRET, options = {}) => jwt.sign({ ...claims }, secret, options);

/** The token of a user of `makeUser`, for seven days; with `{}` for options it never expires. */
export const mint = (user, options = { expiresIn: "7d" }) => mintToken(user, SECRET, options);
