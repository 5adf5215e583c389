// The old backend's presence, to the letter (its types left out; the map of users is kept here).

// Track online users per room
export const onlineUsers = new Map();

export const registerPresenceHandlers = (io, socket) => {
  // User joins a project room
  socket.on("join:project", (projectId) => {
    const roomName = `project:${projectId}`;
    socket.join(roomName);

    // Track online users in this room
    if (!onlineUsers.has(roomName)) {
      onlineUsers.set(roomName, new Set());
    }
    onlineUsers.get(roomName).add(socket.userId);

    // Notify others in the room
    socket.to(roomName).emit("user:joined", {
      userId: socket.userId,
      user: socket.user,
    });

    // Send current online users to the joining user
    const usersInRoom = Array.from(onlineUsers.get(roomName) || []);
    socket.emit("room:users", { projectId, users: usersInRoom });
  });

  // User leaves a project room
  socket.on("leave:project", (projectId) => {
    const roomName = `project:${projectId}`;
    socket.leave(roomName);

    // Remove from online users
    onlineUsers.get(roomName)?.delete(socket.userId);

    // Notify others
    socket.to(roomName).emit("user:left", {
      userId: socket.userId,
    });
  });

  // Handle disconnect - clean up all rooms
  socket.on("disconnect", () => {
    // Remove user from all rooms they were in
    for (const [roomName, users] of onlineUsers.entries()) {
      if (users.has(socket.userId)) {
        users.delete(socket.userId);
        socket.to(roomName).emit("user:left", {
          userId: socket.userId,
        });
      }
    }
  });
};
