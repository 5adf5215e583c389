// The old backend's Express app in little: its routes, its CORS and its token check, over Node's own http.

import jwt from "jsonwebtoken";
import { models } from "./models.js";
import * as projects from "./controllers/project-controller.js";
import * as tasks from "./controllers/task-controller.js";

const ROUTES = [
  ["GET", "/api/workspaces", projects.listWorkspaces],
  ["POST", "/api/workspaces", projects.createWorkspace],
  ["POST", "/api/workspaces/:id/members", projects.addWorkspaceMember],
  ["POST", "/api/projects", projects.createProject],
  ["POST", "/api/projects/:id/members", projects.addProjectMember],
  ["GET", "/api/tasks/project/:projectId", tasks.getProjectTasks],
  ["GET", "/api/tasks/:taskId", tasks.getTask],
  ["POST", "/api/tasks", tasks.createTask],
  ["PATCH", "/api/tasks/:taskId", tasks.updateTask],
  ["DELETE", "/api/tasks/:taskId", tasks.deleteTask],
].map(([method, path, handler]) => {
  const pattern = new RegExp(`^${path.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
  return { method, pattern, handler };
});

/** A user is taken from the token where the database has none: this stand-in has no registration. */
const signedIn = (header) => {
  const decoded = jwt.verify(header?.replace(/^Bearer /, "") ?? "", process.env.JWT_SECRET);
  const { userId, name, email } = decoded;
  if (!models.User.stored.has(userId)) models.User.stored.set(userId, { _id: userId, name, email });
  return decoded;
};

const bodyOf = async (req) => {
  let text = "";
  for await (const chunk of req) text += chunk;
  return text ? JSON.parse(text) : {};
};

const answerer = (response) => ({
  code: 200,
  status(code) {
    this.code = code;
    return this;
  },
  json(body) {
    response.writeHead(this.code, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  },
});

export const handleRequest = async (request, response) => {
  response.setHeader("Access-Control-Allow-Origin", process.env.CLIENT_URL || "http://localhost:3000");
  response.setHeader("Access-Control-Allow-Credentials", "true");
  response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type");
  response.setHeader("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE");
  if (request.method === "OPTIONS") return response.writeHead(204).end();

  const res = answerer(response);
  const { pathname } = new URL(request.url, "http://localhost");
  const route = ROUTES.find(({ method, pattern }) => method === request.method && pattern.test(pathname));
  if (!route) return res.status(404).json({ message: "Not found" });
  try {
    const user = signedIn(request.headers.authorization);
    const params = { ...route.pattern.exec(pathname).groups };
    const body = await bodyOf(request);
    await route.handler({ user, params, body }, res);
  } catch (error) {
    const code = error instanceof jwt.JsonWebTokenError ? 401 : 500;
    if (!response.headersSent) res.status(code).json({ message: error.message });
  }
};
