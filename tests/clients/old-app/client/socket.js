// The old client's socket, to the letter (its types left out): a module singleton, made with the token of the moment.

import { io } from "socket.io-client";
import { useAuthStore } from "./auth-store.js";

let socket = null;

export const getSocket = () => {
  if (!socket) {
    const token = useAuthStore.getState().token;

    socket = io(process.env.NEXT_PUBLIC_API_URL || "http://localhost:5000", {
      auth: {
        token,
      },
      autoConnect: false,
    });
  }
  return socket;
};

export const connectSocket = () => {
  const s = getSocket();
  if (!s.connected) {
    s.connect();
  }
  return s;
};

export const disconnectSocket = () => {
  if (socket?.connected) {
    socket.disconnect();
  }
};

// Reset socket (on logout)
export const resetSocket = () => {
  if (socket) {
    socket.disconnect();
    socket = null;
  }
};
