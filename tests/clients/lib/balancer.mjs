// A real HAProxy or nginx for a test, with the example in `config/` as it is shipped, but for ports, users and places of
// files: owns its process and its temporary folder, and ends both with this process at the latest.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually } from "./eventually.mjs";
import { freePort } from "./port.mjs";

const CONFIG = fileURLToPath(new URL("../../../config/", import.meta.url));
const START_WITHIN = 30_000;
const run = promisify(execFile);
const isRoot = process.getuid() === 0;
/** Debian keeps servers where only root looks. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

/** How each is told its file; whether that file is right; and what of the example is different here. */
const BALANCERS = {
  haproxy: {
    file: "haproxy.cfg",
    run: (file) => ["haproxy", "-db", "-f", file],
    check: (file) => ["haproxy", "-c", "-f", file],
    adapt: async (text, port) =>
      replace(text, {
        "bind :80": `bind 127.0.0.1:${port}`,
        "bind 127.0.0.1:10000": `bind 127.0.0.1:${await freePort()}`,
        ...(!isRoot && { "    user haproxy\n    group haproxy\n": "" }),
      }),
  },
  nginx: {
    file: "nginx.conf",
    run: (file) => ["nginx", "-e", "stderr", "-c", file, "-g", "daemon off; master_process off;"],
    check: (file) => ["nginx", "-e", "stderr", "-t", "-c", file],
    adapt: async (text, port, folder) => {
      const kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((of) => `${of}_temp_path ${folder}/${of};`);
      return replace(text, {
        "listen 80;": `listen 127.0.0.1:${port};`,
        "user www-data;": "",
        "pid /run/nginx.pid;": `pid ${folder}/pid;`,
        "error_log /var/log/nginx/error.log warn;": "error_log stderr warn;",
        "http {": `http { ${kept.join(" ")}`,
      });
    },
  },
};

export class Balancer {
  #child;
  #log = "";
  #atExit = () => this.#forget();

  /** Starts the one of that name before these three ports. */
  static async start(name, ports) {
    const balancer = new Balancer();
    process.once("exit", balancer.#atExit);
    balancer.folder = await mkdtemp(join(tmpdir(), `collabflow-${name}-`));
    try {
      await balancer.#launch(BALANCERS[name], ports);
      return balancer;
    } catch (error) {
      const log = balancer.#log;
      await balancer.stop();
      throw new Error(`no ${name}: ${error.message}\n${log}`, { cause: error });
    }
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it has said so far. */
  log() {
    return this.#log;
  }

  /** Ends it and removes its files. */
  async stop() {
    process.off("exit", this.#atExit);
    const child = this.#child;
    if (child && !hasEnded(child)) {
      child.ref(); // what is waited for keeps this process
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #launch({ file, run: command, check, adapt }, ports) {
    this.port = await freePort();
    const shipped = await readFile(join(CONFIG, file), "utf8");
    const adapted = await adapt(toPorts(shipped, ports), this.port, this.folder);
    const path = join(this.folder, file);
    await writeFile(path, adapted);
    const [checker, ...checked] = check(path);
    await run(checker, checked, { env });

    // The kernel ends it where this process is killed: then nobody else would.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command(path)], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    await once(child, "spawn");
    for (const said of [child.stdout, child.stderr]) {
      said.on("data", (chunk) => (this.#log += chunk));
      said.unref();
    }
    child.unref();
    const answers = async () => {
      if (hasEnded(child)) return "ended";
      const socket = net.connect(this.port, "127.0.0.1");
      await once(socket, "connect");
      socket.destroy();
      return "answers";
    };
    const outcome = await eventually("it listens", answers, { within: START_WITHIN, every: 20 });
    if (outcome === "ended") throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
  }

  #forget() {
    this.#child?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;

/** The example's three nodes, on these ports of loopback. */
const toPorts = (text, ports) =>
  replace(text, Object.fromEntries(ports.map((port, n) => [`10.0.0.${n + 1}:5000`, `127.0.0.1:${port}`])));

/** Fails where the example does not have what is to be different. */
function replace(text, changes) {
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`the example has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}
