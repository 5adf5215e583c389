// The Node backend's models: the shapes that its database has. Roles, colours and the like are as loose as its data is.
import mongoose from "mongoose";

const { Schema } = mongoose;
const { ObjectId } = Schema.Types;
const reference = (ref, required = true) => ({ type: ObjectId, ref, required });
const members = [{ user: reference("User"), role: { type: String, default: "member" } }];
const timestamps = { timestamps: true };

const text = { type: String, required: true, trim: true };

export function models(connection) {
    const task = new Schema(
        {
            title: { ...text, maxlength: 200 },
            description: { type: String, trim: true },
            status: { type: String, enum: ["todo", "in-progress", "review", "done"], default: "todo" },
            priority: { type: String, enum: ["low", "medium", "high"], default: "medium" },
            assignee: reference("User", false),
            project: reference("Project"),
            workspace: reference("Workspace"),
            dueDate: Date,
            subtasks: [{ title: text, completed: { type: Boolean, default: false } }],
            labels: [{ name: text, color: text }],
            createdBy: reference("User"),
        },
        timestamps,
    );
    task.index({ project: 1, status: 1 });
    task.index({ assignee: 1 });
    task.index({ workspace: 1 });
    const make = (name, schema) => connection.model(name, schema);
    return {
        User: make("User", new Schema(
            { name: text, email: { ...text, unique: true, lowercase: true }, avatar: String, password: text },
            timestamps,
        )),
        Workspace: make("Workspace", new Schema({ name: text, owner: reference("User"), members }, timestamps)),
        Project: make("Project", new Schema(
            { name: text, description: String, workspace: reference("Workspace"), members, createdBy: reference("User", false) },
            timestamps,
        )),
        Task: make("Task", task),
        Channel: make("Channel", new Schema(
            { name: text, project: reference("Project"), workspace: reference("Workspace"), createdBy: reference("User") },
            timestamps,
        )),
        Message: make("Message", new Schema(
            { channel: reference("Channel"), sender: reference("User"), content: text },
            timestamps,
        )),
    };
}
