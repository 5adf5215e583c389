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

/** `options` are jsonwebtoken's own; without `expiresIn` the token never expires. */
export const mint = (user, options = { expiresIn: "7d" }, secret = SECRET) => jwt.sign({ ...user }, secret, options);
