// What becomes of projects, channels and workspaces, over nodes: told once to each member on every node, also by a node
// where nobody is in their rooms, and before the rooms are closed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cluster, at, seatedAt } from "./support.mjs";

/** Ada on both nodes, in the rooms of the project, its workspace and its own channel. */
async function seats(cluster) {
  const [board, owner, ada] = await cluster.board("Owner", "Ada");
  const clients = [];
  for (const node of cluster.nodes) {
    const client = await seatedAt(node, board, ada);
    await client.do("join:workspace", board.workspace._id);
    await client.do("chat:join", board.id);
    clients.push(client);
  }
  clients.forEach((client) => client.take());
  return { board, owner, clients };
}

/** What each is told up to the marker, by name. */
async function heard({ board, owner, clients }, marker) {
  await at(board.owner.server, owner).post(`/api/channels`, { name: marker, projectId: board.id });
  const all = [];
  for (const client of clients) {
    const names = [];
    for (let told; told?.data.channel?.name !== marker; names.push(told.event)) told = await client.any(marker);
    all.push(names.slice(0, -1));
  }
  return all;
}

describe("projects, channels and workspaces of a cluster", () => {
  it("are told of once to each member, whatever rooms it is in and wherever the change was made", async () => {
    const cluster = await Cluster.start();
    const stage = await seats(cluster);
    const { board, owner } = stage;
    for (const node of cluster.nodes) {
      const rest = at(node, owner);
      await rest.patch(`/api/projects/${board.id}`, { name: `By ${node.port}` });
      const made = await rest.post("/api/channels", { name: `By ${node.port}`, projectId: board.id });
      await rest.delete(`/api/channels/${made._id}`);
    }
    const each = ["project:updated", "channel:created", "channel:deleted"];
    assert.deepEqual(await heard(stage, "marker"), [[...each, ...each], [...each, ...each]]);
  });

  it("are told of by a node where nobody is in their rooms, before these are closed", async () => {
    const cluster = await Cluster.start();
    const [board, owner, ada] = await cluster.board("Owner", "Ada");
    const client = await seatedAt(cluster.nodes[1], board, ada);
    await client.do("join:workspace", board.workspace._id);
    client.take();
    await at(cluster.nodes[0], owner).delete(`/api/projects/${board.id}`);
    const told = await client.next("project:deleted");
    assert.equal(told.projectId, board.id);
    await at(cluster.nodes[0], owner).delete(`/api/workspaces/${board.workspace._id}`);
    await client.next("workspace:deleted");
    assert.equal((await client.refused("join:project", board.id)).code, "not_found");
  });
});
