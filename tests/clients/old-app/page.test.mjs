// The old app's page, in React, in real Chromium: two users in two browser contexts, on an origin of its own. Proves
// that a browser's rules are met (CORS with its preflight, the upgrade from polling to WebSocket, the Origin of both)
// and that what each user sees is what REST says, also after a dropped connection.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../lib/eventually.mjs";
import { makeProject, makeUsers } from "../lib/fixture.mjs";
import { startServer } from "../lib/server.mjs";
import { BrowserUser, launchBrowser } from "./page/browser-user.mjs";
import { servePage } from "./page/serve.mjs";

const OLD_BACKEND = [process.execPath, fileURLToPath(new URL("backend/server.js", import.meta.url))];
const STATUSES = ["todo", "in-progress", "review", "done"];

let browser, site;
before(async () => {
  [browser, site] = await Promise.all([launchBrowser(), servePage()]);
});
after(async () => {
  await browser?.close();
  site?.close();
});

/** A server with two users before their browsers, for the tests of one `describe`. */
function twoUsers(command) {
  const it = {};
  before(async () => {
    it.server = await startServer({ command, env: { CLIENT_URL: site.origin } });
    const users = makeUsers(it.server.url, ["Ada", "Ben"]);
    const { project } = await makeProject(users[0], [users[1]]);
    it.projectId = project._id;
    it.rest = users[0].rest;
    const at = { port: it.server.port, origin: site.origin, projectId: it.projectId };
    it.ada = await BrowserUser.open(browser, users[0], at);
    it.ben = await BrowserUser.open(browser, users[1], at);
  });
  after(async () => {
    await it.ada?.close();
    await it.ben?.close();
    await it.server?.stop();
  });
  return it;
}

/** A test that leaves pictures of both pages where it fails. */
function pictured(name, it, body) {
  test(name, { timeout: 90_000 }, async (t) => {
    try {
      await body(t);
    } catch (error) {
      for (const user of [it.ada, it.ben].filter(Boolean)) t.diagnostic(`picture: ${await user.picture(user.user.name)}`);
      throw error;
    }
  });
}

const sees = (user, what, check) => eventually(`${user.user.name} sees ${what}`, check);

async function worksTogether({ ada, ben }) {
  for (const user of [ada, ben]) await sees(user, "both online", async () => (await user.online()) === "Online: 2 users");
  await ada.create("Write the guide");
  await ben.card("Write the guide").waitFor();
  await ada.create("Ship it");
  await ben.card("Ship it").waitFor();
  await ben.rename("Write the guide", "Write a short guide");
  await ada.card("Write a short guide").waitFor();
  await ada.drag("Write a short guide", "review");
  await ben.column("review").getByText("Write a short guide").waitFor();
  await ben.remove("Ship it");
  await ada.card("Ship it").waitFor({ state: "detached" });
  await ben.say("Well done");
  for (const user of [ada, ben]) await user.page.getByText("Ben: Well done").waitFor();
}

/** Both boards, column by column from top to bottom, against REST. */
async function bothEqualRest({ ada, ben, rest, projectId }) {
  const tasks = await rest.get(`/api/tasks/project/${projectId}`);
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const inOrder = tasks.sort((a, b) => compare(a.position, b.position) || compare(a._id, b._id));
  const cards = (status) => inOrder.filter((task) => task.status === status).map(({ _id, title }) => `${_id} ${title}`);
  const truth = Object.fromEntries(STATUSES.map((status) => [status, cards(status)]));
  for (const user of [ada, ben]) {
    await eventually(`${user.user.name}'s board is REST's`, async () => assert.deepEqual(await user.board(), truth) ?? true);
    assert.deepEqual(user.errors, []);
  }
}

/** What the browser's own network log says of CORS and of the upgrade. */
async function browserRulesWereMet({ ada, ben }) {
  for (const user of [ada, ben]) {
    const preflights = user.requests.filter(({ method }) => method === "OPTIONS");
    assert.ok(preflights.length > 0, "the browser asked for leave before its calls");
    const [first] = user.requests.filter(({ url }) => url.includes("/socket.io/"));
    assert.match(first.url, /transport=polling/, "Socket.IO begins with polling");
    await eventually("the upgrade to WebSocket is done", () => user.upgraded().length === 1);
    assert.equal(user.upgraded()[0].sent[0], "2probe");
    assert.ok(user.upgraded()[0].received.includes("3probe"));
  }
}

describe("the React page on CollabFlow", () => {
  const it = twoUsers();

  pictured("shows two users each other's work", it, () => worksTogether(it));
  pictured("is let in by the browser's rules, and upgrades to WebSocket", it, () => browserRulesWereMet(it));
  pictured("shows what REST says", it, () => bothEqualRest(it));

  pictured("is back in its room after its connection was cut", it, async () => {
    const { ada, ben } = it;
    for (let round = 1; round <= 3; round++) {
      const before = ada.upgraded().length;
      ada.proxy.down();
      await ben.create(`While Ada was away ${round}`);
      ada.proxy.up();
      await ada.card(`While Ada was away ${round}`).waitFor();
      await eventually("Ada is back on a WebSocket", () => ada.upgraded().length > before);
      await ben.create(`When Ada was back ${round}`);
      await ada.card(`When Ada was back ${round}`).waitFor();
      await ada.drag(`While Ada was away ${round}`, "in-progress");
      await ben.column("in-progress").getByText(`While Ada was away ${round}`).waitFor();
    }
    for (const user of [ada, ben]) assert.equal(await user.online(), "Online: 2 users");
    await bothEqualRest(it);
  });

  pictured("is refused under an origin that CLIENT_URL does not list", it, async () => {
    const { ada, server } = it;
    const page = await ada.context.newPage();
    await page.goto(site.stranger);
    const outcome = await page.evaluate(async (url) => {
      const { token } = JSON.parse(localStorage.getItem("auth"));
      const call = fetch(`${url}/api/workspaces`, { headers: { Authorization: `Bearer ${token}` } });
      const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
      const opening = new Promise((done) => {
        socket.onopen = () => done("opened");
        socket.onerror = () => done("refused");
      });
      return { rest: await call.then(() => "answered", () => "refused"), socket: await opening };
    }, server.url);
    assert.deepEqual(outcome, { rest: "refused", socket: "refused" });
    await page.close();
  });
});

describe("the React page on the old backend, for what that one promises", () => {
  const it = twoUsers(OLD_BACKEND);

  pictured("shows two users each other's work", it, () => worksTogether(it));
  pictured("is let in by the browser's rules, and upgrades to WebSocket", it, () => browserRulesWereMet(it));
});
