// The old backend's socket server, to the letter but for its types and its Redis adapter (one node needs none).

import { Server } from "socket.io";
import { socketAuthMiddleware } from "./socket-auth.js";
import { registerTaskHandlers } from "./handlers/task-handlers.js";
import { registerChatHandlers } from "./handlers/chat-handlers.js";
import { registerPresenceHandlers } from "./handlers/presence-handlers.js";

export const initializeSocket = async (httpServer) => {
  const io = new Server(httpServer, {
    cors: {
      origin: process.env.CLIENT_URL || "http://localhost:3000",
      methods: ["GET", "POST"],
      credentials: true,
    },
  });

  // Apply JWT authentication middleware
  io.use(socketAuthMiddleware);

  io.on("connection", (socket) => {
    console.log(`User connected: ${socket.user.name} (${socket.userId})`);

    // Register all event handlers
    registerPresenceHandlers(io, socket);
    registerTaskHandlers(io, socket);
    registerChatHandlers(io, socket);

    socket.on("disconnect", (reason) => {
      console.log(`User disconnected: ${socket.user.name} - ${reason}`);
    });
  });

  return io;
};
