// Prints a database of the Node backend, made by Mongoose itself, in canonical extended JSON: {collection: [document]},
// with all the oddities that years of use leave behind. `npm run dump -- URI > ../fixture.json` makes the fixture anew.
// Ids and times are fixed, so that only a new Mongoose can change it.
import bcrypt from "bcryptjs";
import mongoose from "mongoose";

import { models } from "./models.mjs";

const { EJSON } = mongoose.mongo.BSON;
const id = (n) => new mongoose.Types.ObjectId(n.toString(16).padStart(24, "64b7f3a2c9e77a0012000000"));
const at = (day) => new Date(Date.UTC(2025, 0, day, 9, 30, 15, 250));
const times = (day) => ({ createdAt: at(day), updatedAt: at(day + 1) });

const uri = process.argv[2];
if (!uri) throw new Error("usage: npm run dump -- mongodb://HOST:PORT/");
const connection = await mongoose.createConnection(uri, { dbName: `fixture-${process.pid}` }).asPromise();
const { User, Workspace, Project, Task, Channel, Message } = models(connection);
const save = (Model, document) => new Model(document).save({ timestamps: false });
// What the schema would refuse or leave out: written past it, as scripts and older versions did.
const raw = (Model, document) => Model.collection.insertOne(document);

const [ada, ben, cleo, ghost] = [id(1), id(2), id(3), id(0xdead)];
// Password: "correct horse". The salt is fixed.
const password = bcrypt.hashSync("correct horse", "$2b$10$abcdefghijklmnopqrstuu");
await save(User, { _id: ada, name: "Ada", email: "Ada@Example.com", avatar: "https://example.com/a.png", password, ...times(1) });
await save(User, { _id: ben, name: "Ben", email: "ben@example.com", password, ...times(1) });
// Of an older version: no dates, fields that no model knows, an email in mixed case.
await raw(User, { _id: cleo, name: "Cleo", email: "Cleo@Example.com", password, theme: "dark", settings: { lang: "el" } });

const [space, bare] = [id(0x10), id(0x11)];
await save(Workspace, { _id: space, name: "Acme", owner: ada, members: [{ _id: id(0x12), user: ada, role: "owner" }, { _id: id(0x13), user: ben }], ...times(2) });
// No members at all: not even an empty list.
await raw(Workspace, { _id: bare, name: "Bare", owner: ada, plan: "free", __v: 0 });

const [project, odd, memberless] = [id(0x20), id(0x21), id(0x22)];
await save(Project, { _id: project, name: "Site", description: "The new site", workspace: space, createdBy: ada, members: [{ _id: id(0x23), user: ada, role: "owner" }, { _id: id(0x24), user: ben, role: "viewer" }], ...times(3) });
// A member without a role, one with a role nobody knows, one who is gone; no creator; a workspace that is gone.
await raw(Project, {
    _id: odd, name: "Odd", workspace: id(0xbeef), archived: false, __v: 3, ...times(3),
    members: [{ user: ada }, { user: ben, role: "superhero" }, { user: ghost, role: "admin" }, { role: "member" }],
});
await raw(Project, { _id: memberless, name: "Nobody's", workspace: space, ...times(3) });

const common = { project, workspace: space, createdBy: ada };
await save(Task, {
    _id: id(0x30), ...common, title: "Plain", ...times(4), assignee: ben, dueDate: at(20), description: "As Mongoose makes it",
    subtasks: [{ _id: id(0x31), title: "First" }, { _id: id(0x32), title: "Second", completed: true }],
    labels: [{ _id: id(0x33), name: "bug", color: "#FF5733" }],
});
await save(Task, { _id: id(0x34), ...common, title: "Bare", ...times(5) });
// The same millisecond as the one before: only the id tells them apart.
await save(Task, { _id: id(0x35), ...common, title: "Twin", ...times(5), status: "done", priority: "high" });
// An unknown status and priority, an odd colour, subtasks without ids, references to nobody, fields of a plugin.
await raw(Task, {
    _id: id(0x36), ...common, title: "Odd", status: "blocked", priority: "urgent", assignee: ghost, createdBy: ghost,
    labels: [{ name: "x", color: "not a colour".repeat(10) }, { name: "colourless" }], subtasks: [{ title: "No id" }],
    estimate: { hours: 3 }, watchers: [ada, ben], __v: 7, ...times(6),
});
// Nulls where there is nothing, lists missing, a title over today's limit, and no dates.
await raw(Task, { _id: id(0x37), ...common, title: "L".repeat(250), description: null, assignee: null, dueDate: null });

const channel = id(0x40);
await save(Channel, { _id: channel, name: "general", project, workspace: space, createdBy: ada, ...times(7) });
await save(Message, { _id: id(0x50), channel, sender: ada, content: "Hello", ...times(8) });
await save(Message, { _id: id(0x51), channel, sender: ghost, content: "From somebody who is gone", ...times(8) });
// In a project's own channel, which has no document; over today's limit, and with a field of a plugin.
await raw(Message, { _id: id(0x52), channel: project, sender: ben, content: "x".repeat(5000), reactions: ["+1"], ...times(9) });

const dump = {};
for (const Model of [User, Workspace, Project, Task, Channel, Message]) {
    dump[Model.collection.name] = await Model.collection.find().sort({ _id: 1 }).toArray();
}
console.log(EJSON.stringify(dump, null, 1, { relaxed: false }));
await connection.dropDatabase();
await connection.close();
