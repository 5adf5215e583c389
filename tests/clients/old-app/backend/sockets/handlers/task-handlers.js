// The old backend's task events, to the letter (its types left out): whatever is announced is passed on.

export const registerTaskHandlers = (io, socket) => {
  // Task created
  socket.on("task:create", (data) => {
    const roomName = `project:${data.projectId}`;

    // Broadcast to all users in the project room (except sender)
    socket.to(roomName).emit("task:created", {
      task: data.task,
      createdBy: socket.user,
    });
  });

  // Task updated (status, assignee, etc.)
  socket.on("task:update", (data) => {
    const roomName = `project:${data.projectId}`;

    socket.to(roomName).emit("task:updated", {
      taskId: data.taskId,
      updates: data.updates,
      updatedBy: socket.user,
    });
  });

  // Task deleted
  socket.on("task:delete", (data) => {
    const roomName = `project:${data.projectId}`;

    socket.to(roomName).emit("task:deleted", {
      taskId: data.taskId,
      deletedBy: socket.user,
    });
  });

  // Task moved (Kanban drag-drop)
  socket.on("task:move", (data) => {
    const roomName = `project:${data.projectId}`;

    socket.to(roomName).emit("task:moved", {
      ...data,
      movedBy: socket.user,
    });
  });
};
