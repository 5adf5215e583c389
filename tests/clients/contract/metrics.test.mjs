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
  assert.equal(grown('collabflow_events_told_total{event="task:created"}'), 1);
  assert.equal(grown("collabflow_deliveries_total"), 1);
  assert.equal(grown("collabflow_event_duration_seconds_count"), 3);
  assert.ok(grown('collabflow_store_duration_seconds_count{kind="write"}') >= 1);
  a.close();
  b.close();
});

/** The table of the README: the label of each metric, its `listed` values, and whether these are `all` of them. */
async function listed() {
  const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  const words = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word);
  const rows = [...readme.matchAll(/^\| `(collabflow_\w+)` \|([^|]*)\|/gm)];
  return new Map(
    rows.map(([, name, labels]) => {
      const [label, ...values] = words(labels);
      return [name, { label, values: values.sort(), all: labels.includes(":") }];
    }),
  );
}

it("what is shown after some traffic is what the README lists, with its labels, and nothing else", async () => {
  const a = await connect(server.url, ada);
  await a.do("join:project", board.id);
  await a.do("task:create", { projectId: board.id, task: { title: "Shown" } });
  await a.refused("made:up", 1);
  a.close();
  const gone = /^collabflow_connections_closed_total/;
  await eventually("one has closed", async () => Object.keys(await scrape()).some((name) => gone.test(name)));

  const shown = new Map();
  for (const sample of Object.keys(await scrape())) {
    const [, name, labels = ""] = /^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})?$/.exec(sample);
    const found = shown.get(name) ?? { keys: new Set(), values: new Set() };
    for (const [, key, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      if (key === "le") continue;
      found.keys.add(key);
      found.values.add(value);
    }
    shown.set(name, found);
  }
  const table = await listed();
  assert.ok(table.size >= 15, "the table is found");
  assert.deepEqual([...shown.keys()].sort(), [...table.keys()].sort());
  for (const [name, { label, values, all }] of table) {
    const { keys, values: seen } = shown.get(name);
    assert.deepEqual([...keys], label ? [label] : [], name);
    if (all) assert.deepEqual([...seen].sort(), values, name);
    else for (const value of values) assert.ok(seen.has(value), `${name} has ${value}`);
  }
});

it("only GET and HEAD are taken", async () => {
  const response = await fetch(`${server.url}/metrics`, { method: "POST" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD");
});
