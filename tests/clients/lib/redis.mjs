// A real redis-server for a test, which keeps nothing on disk: owns its process, and ends it with this process at the
// latest. Nothing is signalled but the process that was started here, by its handle.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually } from "./eventually.mjs";
import { freePort } from "./port.mjs";

const START_WITHIN = 30_000;
/** Another program may take the free port between our look and the server's: then there is another. */
const TRIES = 5;
const run = promisify(execFile);
/** The example of a user for nodes. */
const USERS = fileURLToPath(new URL("../../../config/redis.acl", import.meta.url));

/** Where a node finds a Redis on this port of loopback, and as whom. */
export const address = (port) => `redis://collabflow:change-me@127.0.0.1:${port}`;

export class Redis {
  #child;
  #exited;

  /** Starts an empty one, with more options than those of all. */
  static async start(options = []) {
    const redis = new Redis();
    redis.options = options;
    for (let tries = 1; ; tries++) {
      redis.port = await freePort();
      try {
        await redis.#launch();
        return redis;
      } catch (error) {
        if (tries === TRIES) throw error;
      }
    }
  }

  /** Its address for a node, which may do what our user in `config/redis.acl` may, and no more. */
  get url() {
    return address(this.port);
  }

  /** What it answers to a command, as JSON has it; fails where that is an error. */
  async ask(...command) {
    const { stdout } = await run("redis-cli", ["-p", `${this.port}`, "-e", "--json", ...command.map(String)]);
    return JSON.parse(stdout);
  }

  /** How often each command was called, those that scripts call among them, since the start or `CONFIG RESETSTAT`. */
  async calls() {
    const { stdout } = await run("redis-cli", ["-p", `${this.port}`, "INFO", "commandstats"]);
    return Object.fromEntries([...stdout.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, name, n]) => [name, Number(n)]));
  }

  /** Sends a signal (SIGSTOP, SIGCONT), and waits for nothing. */
  signal(name) {
    this.#child.kill(name);
  }

  /** Ends it at once. */
  async kill9() {
    this.#child?.ref(); // what is waited for keeps this process
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Starts it again on the same port, empty, after `kill9` or killing it first. */
  async restart() {
    await this.kill9();
    await this.#launch();
  }

  async #launch() {
    const options = [
      ...["--bind", "127.0.0.1", "--port", `${this.port}`, "--aclfile", USERS],
      ...["--save", "", "--appendonly", "no", ...this.options],
      // A replica gets its copy at once, and leaves no file.
      ...["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-diskless-load", "swapdb"],
    ];
    // The kernel ends it where this process is killed: then nobody else would. It keeps the process id.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "redis-server", ...options], { stdio: "ignore" });
    this.#child = child;
    child.unref();
    this.#exited = once(child, "exit");
    await once(child, "spawn");
    // What answers is known by its process id: whoever took the port may be a server too.
    const answers = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return "ended";
      const { stdout } = await run("redis-cli", ["-p", `${this.port}`, "INFO", "server"]);
      return stdout.includes(`process_id:${child.pid}\r`) && "answers";
    };
    const outcome = await eventually("redis-server answers", answers, { within: START_WITHIN, every: 20 });
    if (outcome === "ended") throw new Error(`redis-server ended with ${child.exitCode ?? child.signalCode}`);
  }
}
