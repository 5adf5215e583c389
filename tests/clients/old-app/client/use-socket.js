// The old client's hook, to the letter (its types left out). Note that `emit` drops what it is given while not connected.

import { useEffect, useCallback } from "react";
import { getSocket, connectSocket } from "./socket.js";
import { useAuthStore } from "./auth-store.js";

export const useSocket = () => {
  const { isAuthenticated } = useAuthStore();

  useEffect(() => {
    if (isAuthenticated) {
      connectSocket();
    }

    return () => {
      // Don't disconnect on unmount - keep connection alive
    };
  }, [isAuthenticated]);

  const emit = useCallback((event, data) => {
    const socket = getSocket();
    if (socket.connected) {
      socket.emit(event, data);
    }
  }, []);

  const on = useCallback((event, callback) => {
    const socket = getSocket();
    socket.on(event, callback);

    // Return cleanup function
    return () => {
      socket.off(event, callback);
    };
  }, []);

  const joinProject = useCallback((projectId) => {
    emit("join:project", projectId);
  }, [emit]);

  const leaveProject = useCallback((projectId) => {
    emit("leave:project", projectId);
  }, [emit]);

  return {
    emit,
    on,
    joinProject,
    leaveProject,
    socket: getSocket(),
  };
};
