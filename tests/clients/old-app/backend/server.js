// The old backend: socket.io 4.8 with its own handlers over collections in memory. Run with PORT, JWT_SECRET and
// CLIENT_URL, as the real one was; it says where it listens in the words of CollabFlow, so that one harness starts both.

import { createServer } from "node:http";
import { initializeSocket } from "./sockets/index.js";
import { handleRequest } from "./routes.js";

const PORT = process.env.PORT || 5000;

const httpServer = createServer();
await initializeSocket(httpServer);
// Socket.IO answers what is under its path; the rest is REST.
const socketIo = httpServer.listeners("request");
httpServer.removeAllListeners("request");
httpServer.on("request", (request, response) => {
  if (request.url.startsWith("/socket.io/")) {
    for (const listener of socketIo) listener.call(httpServer, request, response);
  } else {
    handleRequest(request, response);
  }
});
httpServer.listen(PORT, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${httpServer.address().port}`);
});
process.on("SIGTERM", () => process.exit(0));
