// One browser tab of the old app, hosted in Node behind its own proxy, with a journal of all that it was told, was
// answered and sent. The journal only listens (`onAny`, `onAnyOutgoing`): the client does not know of it.

import { eventually } from "../lib/eventually.mjs";
import { Proxy } from "../lib/proxy.mjs";
import { bundleTab } from "./build.mjs";

let bundle;
let opened = 0;

export class Tab {
  journal = [];

  /** Signs `user` in, connects, and only then mounts the page of the project (an unconnected page would never join). */
  static async open(name, user, { port, origin, projectId }) {
    bundle ??= bundleTab();
    const tab = new Tab();
    Object.assign(tab, { name, user, projectId, proxy: await Proxy.to(port) });
    tab.client = await import(`${await bundle}?tab=${opened++}`);
    Object.assign(tab.client.browser, {
      apiUrl: tab.proxy.url,
      origin,
      onAnswer: (method, path, status, body) => tab.#note("answered", `${method} ${path}`, { status, body }),
    });
    tab.client.useAuthStore.signIn(user.token, { _id: user.userId, name: user.name, email: user.email });
    await tab.connect();
    await tab.mount();
    return tab;
  }

  async connect() {
    const socket = this.client.connectSocket();
    socket.onAny((event, data) => this.#note("told", event, data));
    socket.onAnyOutgoing((event, data) => this.#note("sent", event, data));
    socket.on("disconnect", (reason) => this.#note("socket", `disconnect: ${reason}`));
    socket.on("connect", () => this.#note("socket", `connect (recovered: ${socket.recovered})`));
    socket.on("connect_error", (error) => this.#note("socket", `connect_error: ${error.message}`));
    this.socket = socket;
    await eventually(`${this.name} connects`, () => this.socket.connected);
  }

  /** Mounts the page, as a visit or a reload does, and waits until it has loaded and knows who is there. */
  async mount() {
    this.mounted = this.client.mountProjectPage(this.projectId);
    await eventually(`${this.name} shows its page`, () => !this.page.isLoading && this.page.onlineUsers.length > 0);
  }

  /** Leaves the page and visits it again, over the same connection. */
  async reload() {
    this.mounted.unmount();
    await this.mount();
  }

  /** What the page shows and offers at this moment. */
  get page() {
    return this.mounted.current();
  }

  /** The user closes the tab: a browser gives the page no time to say good-bye by more than the close. */
  async close() {
    this.client.disconnectSocket();
    // The old client lets be what is just away, and would go on trying to come back when the test is over.
    this.socket.disconnect();
    await this.proxy.close();
  }

  /** The journal's last lines about `taskId`, for a failure message. */
  history(taskId, lines = 15) {
    const about = this.journal.filter(({ what, data }) => what === "socket" || JSON.stringify(data ?? null).includes(taskId));
    return about.slice(-lines).map(({ at, what, event, data }) => {
      const body = JSON.stringify(data?.body ?? data) ?? "";
      return `    ${String(at).padStart(6)} ms ${what.padEnd(8)} ${event} ${body.slice(0, 400)}`;
    });
  }

  #note(what, event, data) {
    this.journal.push({ at: Math.round(performance.now()), what, event, data });
  }
}
