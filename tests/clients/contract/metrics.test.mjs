// What /metrics says, against what was really done: the numbers of a server on which nobody else is.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { eventually } from "../lib/eventually.mjs";
import { connect } from "./client.mjs";
import { Board, people, serve } from "./support.mjs";

const server = await serve();
const [ada, ben] = await people(server, "Ada", "Ben");
const board = await Board.of(ada, ben);

/** All samples by name and labels, as Prometheus reads them. */
async function scrape() {
  const response = await fetch(`${server.url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const samples = {};
  for (const line of (await response.text()).split("\n")) {
    const found = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (found) samples[found[1]] = Number(found[2]);
    else assert.match(line, /^(#.*)?$/, "a line is a sample or a comment");
  }
  return samples;
}

it("connections are counted by transport, sessions and rooms as long as they are there", async () => {
  const a = await connect(server.url, ada);
  const b = await connect(server.url, ben, { transports: ["polling"] });
  await board.gather(a, b);
  await board.chat(a);
  const full = await scrape();
  assert.equal(full['collabflow_connections{transport="websocket"}'], 1);
  assert.equal(full['collabflow_connections{transport="polling"}'], 1);
  assert.equal(full.collabflow_sessions, 2);
  assert.equal(full['collabflow_rooms{kind="project"}'], 1);
  assert.equal(full['collabflow_rooms{kind="chat"}'], 1);
  assert.equal(full['collabflow_rooms{kind="workspace"}'], 0);
  assert.equal(full.collabflow_queue_bytes, 0);
  a.close();
  b.close();
  await eventually("both are gone", async () => {
    const empty = await scrape();
    return (
      empty['collabflow_connections{transport="websocket"}'] === 0 &&
      empty['collabflow_connections{transport="polling"}'] === 0 &&
      empty.collabflow_sessions === 0 &&
      empty['collabflow_connections_closed_total{reason="peer_closed"}'] >= 2
    );
  });
});

it("an upgrade moves a connection from one transport to the other", async () => {
  const a = await connect(server.url, ada, { transports: ["polling", "websocket"] });
  await eventually("the upgrade is done", async () => {
    const now = await scrape();
    return (
      now['collabflow_connections{transport="websocket"}'] === 1 &&
      now['collabflow_connections{transport="polling"}'] === 0
    );
  });
  a.close();
});

it("events are counted by name, those that clients make up under one, and failures by code", async () => {
  const a = await connect(server.url, ada);
  const b = await connect(server.url, ben);
  await board.gather(a, b);
  const before = await scrape();
  await a.do("task:create", { projectId: board.id, task: { title: "Counted" } });
  assert.equal((await a.refused("made:up", 1)).code, "not_found");
  assert.equal((await a.refused("made:up:too", 1)).code, "not_found");
  await b.next("task:created");
  const after = await scrape();
  const grown = (name) => (after[name] ?? 0) - (before[name] ?? 0);
  assert.equal(grown('collabflow_events_received_total{event="task:create"}'), 1);
  assert.equal(grown('collabflow_events_received_total{event="other"}'), 2);
  assert.ok(Object.keys(after).every((name) => !name.includes("made:up")));
  assert.equal(grown('collabflow_events_refused_total{code="not_found"}'), 2);
  assert.equal(grown("collabflow_deliveries_total"), 1);
  assert.equal(grown("collabflow_event_duration_seconds_count"), 3);
  assert.ok(grown('collabflow_store_duration_seconds_count{kind="write"}') >= 1);
  a.close();
  b.close();
});

it("everything that is shown is in the README", async () => {
  const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  const names = new Set(Object.keys(await scrape()).map((name) => name.replace(/\{.*/, "").replace(/_(bucket|sum|count)$/, "")));
  assert.ok(names.size >= 9);
  for (const name of names) assert.ok(readme.includes(`\`${name}\``), name);
  assert.match(Object.keys(await scrape()).join("\n"), /collabflow_build_info\{version="\d/);
});

it("only GET and HEAD are taken", async () => {
  const response = await fetch(`${server.url}/metrics`, { method: "POST" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD");
});
