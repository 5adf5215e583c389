// The entry of the bundle that is one tab: importing it again (with another query) is another tab, with its own
// socket singleton and its own store.

import { browser } from "./browser.js";
import { mount } from "./hooks.js";
import { useAuthStore } from "../client/auth-store.js";
import { connectSocket, disconnectSocket, getSocket } from "../client/socket.js";
import { useProjectPage } from "../client/use-project-page.js";

export { browser, connectSocket, disconnectSocket, getSocket, useAuthStore };

export const mountProjectPage = (projectId) => mount(() => useProjectPage(projectId));
