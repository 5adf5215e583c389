// The load balancers' examples in `config/`, each in front of two nodes of ours and a third that is not there: stock
// clients over every transport, a node that drains, and nodes that have lost their Redis.

import assert from "node:assert/strict";
import http from "node:http";
import { after, describe, it } from "node:test";
import { TRANSPORTS, connect } from "../contract/client.mjs";
import { Balancer } from "../lib/balancer.mjs";
import { eventually, inTime } from "../lib/eventually.mjs";
import { freePort } from "../lib/port.mjs";
import { Cluster, WITHIN, readiness } from "./support.mjs";

/** Connected at once, over each transport. */
const CLIENTS = 6;
/** Each says so many. */
const WORDS = 5;
/** Connected over each transport while a node drains: on one of two nodes, enough for all seven batches. */
const MANY = 44;

const cluster = await Cluster.start({
  env: {
    COLLABFLOW_TRUSTED_PROXIES: "127.0.0.1",
    COLLABFLOW_LIMITS__LOGIN_PER_MINUTE: "1",
    // The last batch comes when HAProxy has taken the node out.
    COLLABFLOW_SHUTDOWN__DRAIN: "6s",
  },
});
const [board, ada, ben] = await cluster.board("Ada", "Ben");
const ports = [...cluster.nodes.map(({ port }) => port), await freePort()];
const balancers = { haproxy: await Balancer.start("haproxy", ports), nginx: await Balancer.start("nginx", ports) };
after(() => Promise.all(Object.values(balancers).map((balancer) => balancer.stop())));

for (const [name, { url }] of Object.entries(balancers)) {
  describe(name, () => {
    for (const [way, transports] of Object.entries(TRANSPORTS)) {
      it(`carries clients ${way}`, async () => {
        const clients = await connected(url, CLIENTS, { transports, reconnection: false });
        await board.chat(...clients);
        for (let n = 0; n < WORDS; n++) {
          const words = clients.map(({ id }) => `${id} says ${n}`);
          const says = (client, at) => client.do("chat:message", { channelId: board.channel._id, content: words[at] });
          await Promise.all(clients.map(says));
          for (const client of clients) {
            const heard = [];
            for (const _ of words) heard.push((await client.next("chat:newMessage")).content);
            assert.deepEqual(heard.sort(), [...words].sort());
          }
        }
        for (const { socket } of clients) assert.equal(socket.io.engine.transport.name, transports.at(-1));
        // nginx goes by the address, and here all have the same.
        if (name === "haproxy") assert.ok((await sessions()).every((count) => count > 0), "each node has some");
        clients.forEach((client) => client.close());
      });
    }

    it("says who the client is, and keeps to itself what is said to it", async () => {
      // One each is allowed, and each node counts by itself.
      const net = name === "haproxy" ? 1 : 2;
      for (let n = 1; n <= 4; n++) assert.equal(await login(url, `127.0.${net}.${n}`), 401, "it is not the balancer's address that counts");
      const isRefused = async () => (await login(url, `127.0.${net}.1`)) === 429;
      await eventually("who tries once more is refused", isRefused);
      const handshake = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
      assert.equal(handshake.status, 200);
      assert.equal(handshake.headers.get("x-engine-sid"), null);
    });
  });
}

it("nodes that have lost their Redis go on serving, and new clients too", async () => {
  await cluster.redis.kill9();
  for (const node of cluster.nodes) {
    await eventually("the node says so", async () => (await readiness(node)).status === 503, { within: WITHIN });
  }
  const isSeen = () => balancers.haproxy.log().includes("backend 'ready' has no server available");
  await eventually("HAProxy has noticed", isSeen, { within: WITHIN });
  for (const { url } of Object.values(balancers)) {
    const clients = await connected(url, CLIENTS, { transports: ["polling"], reconnection: false });
    for (const client of clients) await client.do("join:project", board.id);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    clients.forEach((client) => client.close());
  }
  await cluster.redis.restart();
  await cluster.isWhole();
});

for (const [name, { url }] of Object.entries(balancers)) {
  it(`${name} brings the clients of a node that drains to another, and new ones too`, async () => {
    const all = Object.values(TRANSPORTS).map((transports) => connected(url, MANY, { transports }));
    const clients = (await Promise.all(all)).flat();
    await board.chat(...clients);
    const reasons = new Set();
    for (const { socket } of clients) socket.on("disconnect", (reason) => reasons.add(reason));
    const counts = await sessions();
    const node = cluster.nodes[counts.indexOf(Math.max(...counts))];
    node.signal("SIGTERM");
    await eventually("it drains", async () => (await readiness(node)).status === 503);
    // nginx may try one poll of whatever session at a node that has failed before.
    const ways = name === "haproxy" ? Object.values(TRANSPORTS) : [["websocket"]];
    let isDraining = true;
    node.exited.then(() => (isDraining = false));
    for (let n = 0; isDraining; n++) {
      const transports = ways[n % ways.length];
      const client = await connect(url, ada, { transports, reconnection: false });
      // Whoever polls has to poll again.
      await client.do("chat:message", { channelId: board.channel._id, content: `${n}` });
      client.close();
    }
    assert.equal(await inTime("it ends", node.exited, WITHIN), 0);
    // The polls of one who is still there go on to where it is.
    if (name === "haproxy") assert.deepEqual(reasons, new Set(["transport close"]));
    for (const client of clients) {
      await eventually("the client is back", () => client.socket.connected, { within: WITHIN });
      await client.do("chat:join", board.channel._id);
      client.close();
    }
    await node.restart();
    await cluster.isWhole();
  });
}

const connected = (url, count, options) =>
  Promise.all(Array.from({ length: count }, (_, n) => connect(url, n % 2 ? ada : ben, options)));

/** How many sessions each node has. */
const sessions = () =>
  Promise.all(
    cluster.nodes.map(async (node) => {
      const numbers = await (await fetch(`${node.url}/metrics`)).text();
      return Number(/^collabflow_sessions (\d+)/m.exec(numbers)?.[1] ?? 0);
    }),
  );

/** The status of a login with a wrong password, from an address of this machine. */
function login(url, localAddress) {
  const body = JSON.stringify({ email: "nobody@example.com", password: "wrong horse" });
  const headers = { "Content-Type": "application/json", "Content-Length": body.length };
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers, localAddress, agent: false };
    const request = http.request(`${url}/api/auth/login`, options, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject).end(body);
  });
}
