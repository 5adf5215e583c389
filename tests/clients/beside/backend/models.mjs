// The Node backend's models, as they were: what its database holds and what its writes accept.

import mongoose, { Schema } from "mongoose";

const { ObjectId } = Schema.Types;
const refersTo = (ref) => ({ type: ObjectId, ref });
const mustReferTo = (ref) => ({ ...refersTo(ref), required: true });
const text = { type: String, required: true };
const trimmed = { ...text, trim: true };
const timestamps = { timestamps: true };
const members = [{ user: mustReferTo("User"), role: { type: String, default: "member" } }];

const task = new Schema(
  {
    title: { ...trimmed, maxlength: 200 },
    description: { type: String, trim: true },
    status: { type: String, enum: ["todo", "in-progress", "review", "done"], default: "todo" },
    priority: { type: String, enum: ["low", "medium", "high"], default: "medium" },
    assignee: refersTo("User"),
    project: mustReferTo("Project"),
    workspace: mustReferTo("Workspace"),
    dueDate: Date,
    subtasks: [{ title: text, completed: { type: Boolean, default: false } }],
    labels: [{ name: text, color: text }],
    createdBy: mustReferTo("User"),
  },
  timestamps,
);
task.index({ project: 1, status: 1 }).index({ assignee: 1 }).index({ workspace: 1 });

const schemas = {
  User: new Schema(
    { name: trimmed, email: { ...trimmed, unique: true, lowercase: true }, avatar: String, password: text },
    timestamps,
  ),
  Workspace: new Schema({ name: trimmed, owner: mustReferTo("User"), members }, timestamps),
  Project: new Schema(
    { name: trimmed, description: String, workspace: mustReferTo("Workspace"), members, createdBy: refersTo("User") },
    timestamps,
  ),
  Task: task,
  Channel: new Schema(
    {
      name: trimmed,
      project: mustReferTo("Project"),
      workspace: mustReferTo("Workspace"),
      createdBy: mustReferTo("User"),
    },
    timestamps,
  ),
  Message: new Schema({ channel: mustReferTo("Channel"), sender: mustReferTo("User"), content: trimmed }, timestamps),
};

/** Connects to a database; resolves with its models and the `connection`. */
export async function openModels(uri) {
  const connection = await mongoose.createConnection(uri).asPromise();
  const models = Object.entries(schemas).map(([name, schema]) => [name, connection.model(name, schema)]);
  return { connection, ...Object.fromEntries(models) };
}
