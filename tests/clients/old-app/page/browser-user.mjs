// One user in one browser context, looking at the project page through a proxy of their own.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Proxy } from "../../lib/proxy.mjs";

const PATIENCE = 10_000;

export const launchBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

export class BrowserUser {
  /** Web sockets of this page, each with the frames it sent: `{ sent: ["2probe", "5", …] }`. */
  webSockets = [];
  /** Requests to the server, CORS preflights (OPTIONS) among them: `{ method, url }`. */
  requests = [];
  /** Errors that the page did not catch. */
  errors = [];

  static async open(browser, user, { port, origin, projectId }) {
    const self = new BrowserUser();
    self.user = user;
    self.proxy = await Proxy.to(port);
    self.context = await browser.newContext();
    self.context.setDefaultTimeout(PATIENCE);
    const signedIn = { token: user.token, user: { _id: user.userId, name: user.name, email: user.email } };
    await self.context.addInitScript(
      ([apiUrl, auth]) => {
        window.NEXT_PUBLIC_API_URL = apiUrl;
        localStorage.setItem("auth", auth);
      },
      [self.proxy.url, JSON.stringify(signedIn)],
    );
    self.page = await self.context.newPage();
    self.page.on("pageerror", (error) => self.errors.push(error.message));
    await self.#watchNetwork();
    await self.page.goto(`${origin}/projects/${projectId}`);
    await self.page.getByTestId("online").waitFor();
    return self;
  }

  async #watchNetwork() {
    const network = await this.context.newCDPSession(this.page);
    const sockets = new Map();
    network.on("Network.requestWillBeSent", ({ request }) => {
      if (request.url.startsWith(this.proxy.url)) this.requests.push({ method: request.method, url: request.url });
    });
    network.on("Network.webSocketCreated", ({ requestId }) => {
      sockets.set(requestId, { sent: [], received: [] });
      this.webSockets.push(sockets.get(requestId));
    });
    network.on("Network.webSocketFrameSent", ({ requestId, response }) => sockets.get(requestId)?.sent.push(response.payloadData));
    network.on("Network.webSocketFrameReceived", ({ requestId, response }) =>
      sockets.get(requestId)?.received.push(response.payloadData),
    );
    await network.send("Network.enable");
  }

  online() {
    return this.page.getByTestId("online").textContent();
  }

  column(status) {
    return this.page.locator(`section[data-status="${status}"]`);
  }

  card(title) {
    return this.page.locator("article").filter({ has: this.page.getByText(title, { exact: true }) });
  }

  async create(title) {
    await this.page.getByLabel("New task").fill(title);
    await this.page.getByLabel("New task").press("Enter");
    await this.card(title).waitFor();
  }

  async rename(title, newTitle) {
    await this.card(title).getByRole("button", { name: "Edit" }).click();
    await this.page.getByLabel("Title").fill(newTitle);
    await this.page.getByLabel("Title").press("Enter");
    await this.card(newTitle).waitFor();
  }

  async drag(title, status) {
    await this.card(title).dragTo(this.column(status));
    await this.column(status).getByText(title, { exact: true }).waitFor();
  }

  async remove(title) {
    await this.card(title).getByRole("button", { name: "Delete" }).click();
    await this.card(title).waitFor({ state: "detached" });
  }

  async say(content) {
    await this.page.getByLabel("New message").fill(content);
    await this.page.getByLabel("New message").press("Enter");
  }

  /** The board as the user sees it: `{ todo: ["<id> <title>", …], … }`, from top to bottom. */
  board() {
    return this.page.evaluate(() =>
      Object.fromEntries(
        [...document.querySelectorAll("section")].map((section) => [
          section.dataset.status,
          [...section.querySelectorAll("article")].map((card) => `${card.dataset.task} ${card.querySelector("p")?.textContent}`),
        ]),
      ),
    );
  }

  /** The web sockets that have carried Socket.IO itself, past the probe. */
  upgraded() {
    return this.webSockets.filter(({ sent }) => sent.includes("5"));
  }

  /** Saves a picture for a failed test; returns where. */
  async picture(name) {
    const folder = await mkdtemp(join(tmpdir(), "collabflow-page-"));
    const path = join(folder, `${name}.png`);
    await this.page.screenshot({ path, fullPage: true });
    return path;
  }

  async close() {
    await this.context.close();
    await this.proxy.close();
  }
}
