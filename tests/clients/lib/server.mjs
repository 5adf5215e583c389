// The CollabFlow binary as a test sees it: started on a free port in an empty folder of its own, given nothing
// from this process's environment but what the test names; stopped, killed and restarted at will.
// `stop()` fails the test if the log holds a panic, so that no panic passes unseen.

import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inTime } from "./eventually.mjs";
import { freshStore } from "./store.mjs";
import { SECRET } from "./tokens.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const ANSI = /\x1b\[[0-9;]*m/g;
const PANIC = /panicked at|thread '.*' panicked/;

/** COLLABFLOW_BIN, else the newer one of cargo's two builds in this repository. */
export function binary() {
  if (process.env.COLLABFLOW_BIN) return resolve(process.env.COLLABFLOW_BIN);
  const builds = ["release", "debug"].map((profile) => join(ROOT, "target", profile, "collabflow")).filter(existsSync);
  if (builds.length === 0) throw new Error("no binary: run `cargo build`, or set COLLABFLOW_BIN");
  return builds.reduce((a, b) => (statSync(a).mtimeMs >= statSync(b).mtimeMs ? a : b));
}

/** Starts the binary, or another `command` that speaks the same language, on a free port; see `Server.start`. */
export const startServer = ({ env, command } = {}) => Server.start(env, command);

export class Server {
  #child;
  #exited;

  #log = "";
  port = 0;

  constructor(command, folder, env) {
    this.command = command;
    this.folder = folder;
    this.env = env;
  }

  /**
   * Starts the binary with `env` alone beside PORT, JWT_SECRET and CLIENT_URL, its data in a new temporary folder or in
   * whatever store COLLABFLOW_STORE names. Another `command` keeps its data where it likes.
   */
  static async start(env = {}, command) {
    const store = command || "MONGODB_URI" in env ? {} : await freshStore();
    const folder = await mkdtemp(join(tmpdir(), "collabflow-"));
    const settings = { JWT_SECRET: SECRET, CLIENT_URL: "http://localhost:3000", ...store, ...env };
    const server = new Server(command ?? [binary()], folder, settings);
    await server.#launch();
    return server;
  }

  /** All that the server has said so far, without colours. */
  log() {
    return this.#log;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  /** Starts again on the same port and data, after `stop` or `kill9`, or stopping first. */
  async restart(env = {}) {
    await this.#end("SIGTERM");
    Object.assign(this.env, env);
    await this.#launch();
  }

  /** Dies without a chance to tidy up. */
  async kill9() {
    await this.#end("SIGKILL");
  }

  /** Sends a signal, and waits for nothing. */
  signal(name) {
    this.#child.kill(name);
  }

  /** Resolves with the exit code, or the signal that killed the process. */
  get exited() {
    return this.#exited;
  }

  /** Ends the server (SIGTERM, SIGKILL after 15 s), removes its data, and throws if it ever panicked. */
  async stop() {
    const code = await this.#end("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
    const panic = this.#log.split("\n").find((line) => PANIC.test(line));
    if (panic) throw new Error(`the server panicked: ${panic}\n${this.tail()}`);
    return code;
  }

  /** The end of the log, for failure messages. */
  tail(lines = 40) {
    return this.#log.split("\n").slice(-lines).join("\n");
  }

  async #launch() {
    const [program, ...args] = this.command;
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...this.env, PORT: String(this.port) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#exited = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
    const start = this.#log.length;
    const listening = new Promise((done, fail) => {
      const read = (chunk) => {
        this.#log += chunk.toString().replace(ANSI, "");
        const found = /listening on http:\/\/\S+:(\d+)/.exec(this.#log.slice(start));
        if (found) done(Number(found[1]));
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", fail);
      this.#exited.then((code) => fail(new Error(`the server ended with ${code} before it listened:\n${this.tail()}`)));
    });
    this.port = await inTime("the server listens", listening, 30_000);
  }

  async #end(signal) {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return this.#exited;
    child.kill(signal);
    const stuck = setTimeout(() => child.kill("SIGKILL"), 15_000);
    try {
      return await this.#exited;
    } finally {
      clearTimeout(stuck);
    }
  }
}
