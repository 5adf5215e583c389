// What the tests of several nodes share: nodes of our binary on one Redis and one database, each with its own way to
// that Redis where a test needs one, and people who meet on all of them.

import { after } from "node:test";
import { connect } from "../contract/client.mjs";
import { Board, people } from "../contract/support.mjs";
import { eventually } from "../lib/eventually.mjs";
import { Gate } from "../lib/gate.mjs";
import { Mongod } from "../lib/mongod.mjs";
import { Redis } from "../lib/redis.mjs";
import { Rest } from "../lib/rest.mjs";
import { startServer } from "../lib/server.mjs";
import { objectId } from "../lib/tokens.mjs";

/** Longer than anything takes on a busy machine. */
export const WITHIN = 30_000;

/** One for the whole file; it ends with this process. */
let mongod;

export class Cluster {
  nodes = [];

  /** So many nodes, on a Redis and a database of their own; with `gates` each reaches Redis through a gate. */
  static async start({ nodes = 2, gates = false, env = {} } = {}) {
    mongod ??= Mongod.start();
    const cluster = new Cluster();
    after(() => cluster.stop());
    const limits = { COLLABFLOW_LIMITS__REQUESTS_PER_SECOND: "10000", COLLABFLOW_LIMITS__REQUESTS_BURST: "10000" };
    cluster.env = { MONGODB_URI: (await mongod).uri(`cluster-${objectId()}`), ...limits, ...env };
    cluster.redis = await Redis.start();
    await Promise.all(Array.from({ length: nodes }, () => cluster.add({ gate: gates })));
    await cluster.isWhole();
    return cluster;
  }

  /** One more node. */
  async add({ gate: isGated = false } = {}) {
    const gate = isGated ? await Gate.to(this.redis.port) : undefined;
    const node = await startServer({ env: { ...this.env, REDIS_URL: (gate ?? this.redis).url } });
    node.gate = gate;
    this.nodes.push(node);
    return node;
  }

  /** Waits until each of `nodes` says that it is ready. */
  async isWhole(nodes = this.nodes) {
    for (const node of nodes) {
      const ready = async () => (await readiness(node)).status === 200;
      await eventually(`${node.url} is ready`, ready, { within: WITHIN });
    }
  }

  /** People with a board, whom all nodes know by their tokens; the first owns it. */
  async board(...names) {
    const all = await people(this.nodes[0], ...names);
    return [await Board.of(...all), ...all];
  }

  async stop() {
    const ends = await Promise.allSettled(this.nodes.map((node) => node.stop()));
    this.nodes.forEach(({ gate }) => gate?.close());
    await this.redis?.kill9();
    const failed = ends.find(({ status }) => status === "rejected");
    if (failed) throw failed.reason;
  }
}

/** What a node says of itself: `{ status, body }`. */
export const readiness = (node) => new Rest(node.url).raw("GET", "/readyz");

/** `user` as a caller of this node. */
export const at = (node, user) => new Rest(node.url, { token: user.token });

/** `user` connected to this node, in the board's project. */
export async function seatedAt(node, board, user, options) {
  const client = await connect(node.url, user, options);
  await client.do("join:project", board.id);
  return client;
}
