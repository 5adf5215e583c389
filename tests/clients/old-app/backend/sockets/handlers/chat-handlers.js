// The old backend's chat, to the letter (its types left out).

import { Message } from "../../models.js";

export const registerChatHandlers = (io, socket) => {
  // Join a chat channel
  socket.on("chat:join", (channelId) => {
    socket.join(`chat:${channelId}`);
  });

  // Leave a chat channel
  socket.on("chat:leave", (channelId) => {
    socket.leave(`chat:${channelId}`);
  });

  // Send message
  socket.on("chat:message", async (data) => {
    // Save to database
    const message = await Message.create({
      channel: data.channelId,
      sender: socket.userId,
      content: data.content,
    });

    // Populate sender info
    await message.populate("sender", "name email avatar");

    // Broadcast to channel
    io.to(`chat:${data.channelId}`).emit("chat:newMessage", message);
  });

  // Typing indicator
  socket.on("chat:typing", (data) => {
    socket.to(`chat:${data.channelId}`).emit("chat:userTyping", {
      userId: socket.userId,
      user: socket.user,
      isTyping: data.isTyping,
    });
  });
};
