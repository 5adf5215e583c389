// Where the servers of a test keep their data. COLLABFLOW_STORE=mongodb gives each server a database of its own on one
// MongoDB server for each test file (each is a process); `mongodb-set` the same on a replica set of one member.

import { objectId } from "./tokens.mjs";

const STORES = ["embedded", "mongodb", "mongodb-set"];
const store = process.env.COLLABFLOW_STORE || "embedded";
if (!STORES.includes(store)) throw new Error(`COLLABFLOW_STORE must be one of ${STORES.join(", ")}, not ${store}`);

/** For `skip` of a test about the embedded store's files. */
export const notEmbedded = store !== "embedded" && `it is about the embedded store, and COLLABFLOW_STORE is ${store}`;

let mongod;

/** The settings that give a new server a store of its own; it keeps them, and so its data, over restarts. */
export async function freshStore() {
  if (store === "embedded") return {};
  // Loaded where it is used, since the driver takes a while.
  mongod ??= import("./mongod.mjs").then(({ Mongod }) => Mongod.start({ replicaSet: store === "mongodb-set" }));
  return { MONGODB_URI: (await mongod).uri(`test-${objectId()}`) };
}
