// The guide's project page without its markup (that is in ../page/project-page.jsx): joins once when it is mounted,
// and keeps tasks and online users from events. The first effect is the guide's to the letter, but for `task:moved`,
// which the guide's event table lists and its sample page forgets.

import { useEffect, useState } from "react";
import { useSocket } from "./use-socket.js";
import { useTasks } from "./use-tasks.js";
import { useTaskActions } from "./use-task-actions.js";
import { useChat } from "./use-chat.js";

export const useProjectPage = (projectId) => {
  const { joinProject, leaveProject, on, emit } = useSocket();
  const { tasks, isLoading, addTask, updateTask, removeTask } = useTasks(projectId);
  const [onlineUsers, setOnlineUsers] = useState([]);

  useEffect(() => {
    // Join project room when page loads
    joinProject(projectId);

    // Listen for real-time events
    const unsubCreate = on("task:created", ({ task }) => {
      addTask(task);
    });

    const unsubUpdate = on("task:updated", ({ taskId, updates }) => {
      updateTask(taskId, updates);
    });

    const unsubMove = on("task:moved", ({ taskId, toStatus, position }) => {
      updateTask(taskId, position === undefined ? { status: toStatus } : { status: toStatus, position });
    });

    const unsubDelete = on("task:deleted", ({ taskId }) => {
      removeTask(taskId);
    });

    const unsubUsers = on("room:users", ({ users }) => {
      setOnlineUsers(users);
    });

    const unsubJoin = on("user:joined", ({ userId }) => {
      setOnlineUsers((prev) => [...prev, userId]);
    });

    const unsubLeave = on("user:left", ({ userId }) => {
      setOnlineUsers((prev) => prev.filter((id) => id !== userId));
    });

    // Cleanup on unmount
    return () => {
      leaveProject(projectId);
      unsubCreate();
      unsubUpdate();
      unsubMove();
      unsubDelete();
      unsubUsers();
      unsubJoin();
      unsubLeave();
    };
  }, [projectId]);

  const actions = useTaskActions(projectId, { emit, addTask, updateTask, removeTask });
  const chat = useChat(projectId, { emit, on });

  return { tasks, isLoading, onlineUsers, ...actions, ...chat };
};
