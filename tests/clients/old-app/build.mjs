// Bundles the old client: once for Node (a tab is one import of the bundle), once for the browser.
// The client's files are the same in both; only what a browser gives them differs.

import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The bundle of a tab for Node, as a URL to import. It lies where `socket.io-client` can be found from. */
export async function bundleTab() {
  const outfile = here(`../node_modules/.cache/old-app/tab-${process.pid}.mjs`);
  await build({
    entryPoints: [here("host/tab.js")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    alias: { react: here("host/hooks.js") },
    inject: [here("host/browser.js")],
    define: { "process.env.NEXT_PUBLIC_API_URL": "browser.apiUrl" },
    sourcemap: "inline",
    logLevel: "warning",
  });
  process.once("exit", () => rmSync(outfile, { force: true }));
  return new URL(`../node_modules/.cache/old-app/tab-${process.pid}.mjs`, import.meta.url).href;
}

/** The script of the page for a real browser, with React itself; `window.NEXT_PUBLIC_API_URL` says where the server is. */
export async function bundlePage() {
  const { outputFiles } = await build({
    entryPoints: [here("page/main.jsx")],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NEXT_PUBLIC_API_URL": "window.NEXT_PUBLIC_API_URL", "process.env.NODE_ENV": '"production"' },
    logLevel: "warning",
  });
  return outputFiles[0].text;
}
