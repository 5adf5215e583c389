// The Node backend beside CollabFlow on one database: its REST alone, since the sockets are CollabFlow's. Run with
// MONGODB_URI, JWT_SECRET and PORT; it says where it listens in CollabFlow's words, so that one harness starts both.

import express from "express";
import jwt from "jsonwebtoken";
import { authRoutes } from "./auth.mjs";
import { openModels } from "./models.mjs";
import { placeRoutes } from "./places.mjs";
import { taskRoutes } from "./tasks.mjs";

const { MONGODB_URI, JWT_SECRET, PORT } = process.env;
const models = await openModels(MONGODB_URI);

function signedIn(req, res, next) {
  try {
    req.user = jwt.verify(req.get("authorization")?.replace(/^Bearer /, "") ?? "", JWT_SECRET);
  } catch {
    return void res.status(401).json({ message: "Invalid or expired token" });
  }
  next();
}

// Express knows an error handler by its four parameters.
const failed = (error, req, res, _next) => res.status(400).json({ message: error.message });

const listener = express()
  .use(express.json())
  .use("/api/auth", authRoutes(models, JWT_SECRET))
  .use("/api", signedIn, placeRoutes(models))
  .use("/api/tasks", signedIn, taskRoutes(models))
  .use(failed)
  .listen(Number(PORT ?? 0), "127.0.0.1", () => {
    console.log(`listening on http://127.0.0.1:${listener.address().port}`);
  });
process.on("SIGTERM", () => process.exit(0));
