// CollabFlow and the Node backend side by side on one database, and a look into it past both.

import { after } from "node:test";
import { fileURLToPath } from "node:url";
import mongoose from "mongoose";
import { Mongod } from "../lib/mongod.mjs";
import { Rest } from "../lib/rest.mjs";
import { Server, startServer } from "../lib/server.mjs";
import { objectId } from "../lib/tokens.mjs";
import { openModels } from "./backend/models.mjs";

const BACKEND = fileURLToPath(new URL("backend/server.mjs", import.meta.url));

export const { ObjectId } = mongoose.Types;

const ends = [];
// What was started last ends first: nothing outlives the database that it uses.
after(async () => {
  const failures = [];
  for (const end of ends.reverse()) await end().catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
});

/** A MongoDB that ends with this test file. */
export async function database(options) {
  const mongod = await Mongod.start(options);
  ends.push(() => mongod.stop());
  return mongod;
}

/** The Node backend alone on a new database of `mongod`. */
export async function backend(mongod) {
  const name = `beside-${objectId()}`;
  const uri = mongod.uri(name);
  const node = await Server.start({ MONGODB_URI: uri }, [process.execPath, BACKEND]);
  ends.push(() => node.stop());
  return { name, uri, node };
}

/**
 * Both of them: `server` is CollabFlow with the settings `env`, `node` the other; `models` are Mongoose's, as a third
 * program would use them, and `db` is the database by its own driver. They end with this test file.
 */
export async function sideBySide(mongod, env = {}) {
  const { name, uri, node } = await backend(mongod);
  // A file that fails at its top runs no hooks.
  const server = await startServer({ env: { MONGODB_URI: uri, ...env } }).catch(async (error) => {
    await node.stop();
    throw error;
  });
  ends.push(() => server.stop());
  const models = await openModels(uri);
  ends.push(() => models.connection.close());
  const db = (await mongod.client()).db(name);
  return new Pair({ server, node, models, db });
}

class Pair {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** `user` as a caller of the Node backend. */
  atNode({ token }) {
    return new Rest(this.node.url, { token });
  }

  /** The document as it is stored; `document` has its `_id`. */
  stored(collection, { _id }) {
    return this.db.collection(collection).findOne({ _id: new ObjectId(_id) });
  }

  /** Writes past both backends. */
  set(collection, { _id }, fields) {
    return this.db.collection(collection).updateOne({ _id: new ObjectId(_id) }, { $set: fields });
  }
}
