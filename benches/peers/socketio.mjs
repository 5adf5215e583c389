// What the old backend stood on, at its best: Node's Socket.IO 4.8 with the two events of the fan-out bench and nothing
// else, neither a database nor a check of who may. Takes PORT and JWT_SECRET; `npm ci` in tests/clients installs it.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../tests/clients/package.json", import.meta.url));
const jwt = require("jsonwebtoken");
const { Server } = require("socket.io");

const httpServer = createServer();
const io = new Server(httpServer);

io.use((socket, next) => {
  try {
    const { userId, name, email } = jwt.verify(socket.handshake.auth.token, process.env.JWT_SECRET);
    socket.user = { _id: userId, name, email };
    next();
  } catch {
    next(new Error("Invalid or expired token"));
  }
});

io.on("connection", (socket) => {
  socket.on("chat:join", (channel, done) => {
    socket.join(`chat:${channel}`);
    done({ ok: true });
  });
  socket.on("chat:typing", ({ channelId, isTyping }) => {
    const { user } = socket;
    socket.to(`chat:${channelId}`).emit("chat:userTyping", { channelId, userId: user._id, user, isTyping });
  });
  let count = 0;
  socket.on("chat:message", ({ channelId, content, clientId }) => {
    const now = new Date();
    const _id = (count++).toString(16).padStart(24, "0");
    const message = { _id, channel: channelId, sender: socket.user, content, clientId, createdAt: now, updatedAt: now };
    io.to(`chat:${channelId}`).emit("chat:newMessage", message);
  });
});

httpServer.listen(process.env.PORT, "127.0.0.1", () => {
  console.error(`listening on http://127.0.0.1:${httpServer.address().port}`);
});
