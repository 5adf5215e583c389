// A real MongoDB server for a test: owns its process and its temporary folder, and ends both with this process at the
// latest. Nothing is signalled but the process that was started here, by its handle.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { eventually } from "./eventually.mjs";
import { freePort } from "./port.mjs";

const SCRIPT = fileURLToPath(new URL("../../mongod", import.meta.url));
const SET = "rs0";
/** How long one may take to start, or a replica set to choose its primary, on a busy machine. */
const START_WITHIN = 60_000;
/** Another program may take the free port between our look and the server's: then there is another. */
const TRIES = 5;

let path;
/** The path of the program; the first call may fetch it. */
const program = () => (path ??= promisify(execFile)(SCRIPT).then(({ stdout }) => stdout.trimEnd()));

export class Mongod {
  #child;
  #exited;
  #clients = [];
  #atExit = () => this.#forget();

  constructor(folder, replicaSet) {
    Object.assign(this, { folder, replicaSet });
  }

  /** Starts one with an empty folder, by itself or as a replica set of one, and waits until it takes writes. */
  static async start({ replicaSet = false } = {}) {
    const server = new Mongod(await mkdtemp(join(tmpdir(), "collabflow-mongod-")), replicaSet);
    process.once("exit", server.#atExit);
    try {
      await server.#startOnFreePort();
      if (replicaSet) await server.#initiate();
      return server;
    } catch (error) {
      const log = await readFile(server.#logFile, "utf8").catch(() => "no log");
      await server.stop();
      throw new Error(`no MongoDB: ${error.message}\n${log.split("\n").slice(-20).join("\n")}`, { cause: error });
    }
  }

  get pid() {
    return this.#child.pid;
  }

  /** Where it is, with a `database` or without. */
  uri(database = "") {
    return `mongodb://127.0.0.1:${this.port}/${database}${this.replicaSet ? `?replicaSet=${SET}` : ""}`;
  }

  /** A client of the raw driver, closed by `stop`. */
  async client() {
    const client = await MongoClient.connect(this.uri(), { serverSelectionTimeoutMS: START_WITHIN });
    this.#clients.push(client);
    return client;
  }

  /** Sends a signal (SIGSTOP, SIGCONT), and waits for nothing. */
  signal(name) {
    this.#child.kill(name);
  }

  /** Ends it as a crash does. */
  async kill9() {
    this.#child?.ref(); // what is waited for keeps this process
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Starts it again on the same port and data, after `kill9` or killing it first, and waits until it takes writes. */
  async restart() {
    await this.kill9();
    await this.#launch();
    await this.#takesWrites();
  }

  /** Ends it and removes its data. */
  async stop() {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.kill9();
    process.off("exit", this.#atExit);
    await rm(this.folder, { recursive: true, force: true });
  }

  get #logFile() {
    return join(this.folder, "log");
  }

  async #startOnFreePort() {
    for (let tries = 1; ; tries++) {
      this.port = await freePort();
      try {
        return await this.#launch();
      } catch (error) {
        if (tries === TRIES) throw error;
      }
    }
  }

  async #launch() {
    const options = [
      ...["--bind_ip", "127.0.0.1", "--port", `${this.port}`, "--nounixsocket"],
      ...["--dbpath", this.folder, "--logpath", this.#logFile, "--logappend"],
      ...["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"],
      ...(this.replicaSet ? ["--replSet", SET, "--oplogSize", "50"] : []),
    ];
    // The kernel ends it where this process is killed: then nobody else would. It keeps the process id.
    const command = ["--pdeathsig", "KILL", "--", await program(), ...options];
    this.#child = spawn("setpriv", command, { stdio: "ignore" });
    // A test file that is done ends although its server runs.
    this.#child.unref();
    await once(this.#child, "spawn");
    this.#exited = once(this.#child, "exit");
    await this.#answers();
  }

  /** What answers is known by its process id: whoever took the port may be a server too. */
  async #answers() {
    const child = this.#child;
    const answers = async () => {
      if (ended(child)) return "ended";
      const { pid } = await this.#ask({ serverStatus: 1 });
      return Number(pid) === child.pid && "answers";
    };
    const outcome = await eventually("it answers", answers, { within: START_WITHIN, every: 50 });
    if (outcome === "ended") throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
  }

  async #initiate() {
    const members = [{ _id: 0, host: `127.0.0.1:${this.port}` }];
    await this.#ask({ replSetInitiate: { _id: SET, members } });
    await this.#takesWrites();
  }

  async #takesWrites() {
    const check = async () => (await this.#ask({ hello: 1 })).isWritablePrimary;
    await eventually("it takes writes", check, { within: START_WITHIN, every: 50 });
  }

  /** Asks this server alone, whatever its replica set is just now, and gives up soon, so that it can be asked again. */
  async #ask(command) {
    const options = { directConnection: true, serverSelectionTimeoutMS: 1_000 };
    const client = new MongoClient(`mongodb://127.0.0.1:${this.port}/`, options);
    try {
      return await client.db("admin").command(command);
    } finally {
      await client.close();
    }
  }

  #forget() {
    this.#child?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const ended = (child) => child.exitCode !== null || child.signalCode !== null;
