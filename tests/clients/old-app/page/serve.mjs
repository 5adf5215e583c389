// Serves the bundled page on an origin of its own, as the old app's frontend server did.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { bundlePage } from "../build.mjs";

export async function servePage() {
  const script = await bundlePage();
  const html = await readFile(new URL("index.html", import.meta.url));
  const server = createServer((request, response) => {
    if (request.url === "/main.js") response.writeHead(200, { "Content-Type": "text/javascript; charset=utf-8" }).end(script);
    else response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(html);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  return {
    origin: `http://localhost:${port}`,
    /** The same page under another name: an origin that CLIENT_URL does not list. */
    stranger: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
