// The old backend's collections in memory, behind the small part of Mongoose that its controllers and handlers use:
// find/findOne/findById/create/save with casting and validation, `populate` and `sort`. As in Mongoose, `save` writes
// only the fields that were changed since the document was read, so that two writers lose nothing of each other's.
// Each call takes one turn of the event loop: a database that is as fast as can be.

import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";

const objectId = () => randomBytes(12).toString("hex");

class Query {
  #read;
  #populated = [];
  #newestFirst = false;

  constructor(read) {
    this.#read = read;
  }

  populate(path, fields) {
    this.#populated.push([path, fields]);
    return this;
  }

  sort({ createdAt }) {
    this.#newestFirst = createdAt === -1;
    return this;
  }

  async #run() {
    await turn();
    const found = this.#read();
    if (Array.isArray(found) && this.#newestFirst) found.reverse(); // they are kept in the order of creation
    for (const doc of [found].flat().filter(Boolean)) {
      for (const [path, fields] of this.#populated) doc.populateNow(path, fields);
    }
    return found;
  }

  then(done, failed) {
    return this.#run().then(done, failed);
  }
}

const model = (name, schema, refs = {}) => {
  const stored = new Map();

  const cast = (values) => {
    const fields = {};
    for (const [field, rule] of Object.entries(schema)) {
      if (values[field] === undefined) continue;
      fields[field] = values[field] === null ? null : rule.cast(values[field], field);
    }
    for (const [field, rule] of Object.entries(schema)) {
      if (fields[field] === undefined && rule.default) fields[field] = rule.default();
      if (rule.required && !fields[field]) throw new Error(`${name} validation failed: ${field} is required`);
    }
    return fields;
  };

  class Doc {
    #before;

    constructor(fields) {
      Object.assign(this, structuredClone(fields));
      this.#before = structuredClone(fields);
    }

    async save() {
      const fields = cast(this);
      await turn();
      const current = stored.get(this._id);
      if (!current) throw new Error(`No document found for query "{ _id: ${this._id} }" on model "${name}"`);
      for (const [field, value] of Object.entries(fields)) {
        if (JSON.stringify(value) !== JSON.stringify(this.#before[field])) current[field] = value;
      }
      current.updatedAt = new Date();
    }

    async populate(path, fields) {
      await turn();
      this.populateNow(path, fields);
      return this;
    }

    populateNow(path, fields) {
      if (!this[path]) return;
      const doc = models[refs[path]].stored.get(this[path]) ?? null;
      const wanted = fields && ["_id", ...fields.split(" ")];
      this[path] = doc && wanted ? Object.fromEntries(wanted.map((key) => [key, doc[key]])) : doc;
    }
  }

  const matches = (filter) => (doc) =>
    Object.entries(filter).every(([path, value]) => {
      if (path === "members.user") return doc.members.some((member) => member.user === value);
      return doc[path] === (value._id ?? value); // a populated reference stands for its id
    });
  const open = (fields) => (fields ? new Doc(fields) : null);

  return {
    stored,
    find: (filter) => new Query(() => [...stored.values()].filter(matches(filter)).map(open)),
    findOne: (filter) => new Query(() => open([...stored.values()].find(matches(filter)))),
    findById: (id) => new Query(() => open(stored.get(id))),
    async create(values) {
      const now = new Date();
      const fields = { _id: values._id ?? objectId(), ...cast(values), createdAt: now, updatedAt: now, __v: 0 };
      await turn();
      stored.set(fields._id, fields);
      return open(fields);
    },
    async findByIdAndDelete(id) {
      await turn();
      stored.delete(id);
    },
  };
};

const fail = (field, value) => {
  throw new Error(`Cast or validation failed for value "${value}" at path "${field}"`);
};
const text = (max = Infinity) => (value, field) => {
  const trimmed = String(value).trim();
  return trimmed.length > max ? fail(field, value) : trimmed;
};
const oneOf = (...allowed) => (value, field) => (allowed.includes(value) ? value : fail(field, value));
const id = (value, field) => {
  const hex = value?._id ?? value;
  return /^[0-9a-f]{24}$/.test(hex) ? hex : fail(field, value);
};
const date = (value, field) => (Number.isNaN(Date.parse(value)) ? fail(field, value) : new Date(value));
const list = (map) => (value, field) => (Array.isArray(value) ? value.map(map) : fail(field, value));

export const models = {
  User: model("User", { name: { cast: text() }, email: { cast: text() }, avatar: { cast: text() } }),
  Workspace: model("Workspace", { name: { cast: text(), required: true }, owner: { cast: id }, members: { cast: list((m) => m) } }),
  Project: model("Project", { name: { cast: text(), required: true }, workspace: { cast: id }, members: { cast: list((m) => m) } }),
  Task: model(
    "Task",
    {
      title: { cast: text(200), required: true },
      description: { cast: text() },
      status: { cast: oneOf("todo", "in-progress", "review", "done"), default: () => "todo" },
      priority: { cast: oneOf("low", "medium", "high"), default: () => "medium" },
      assignee: { cast: id },
      project: { cast: id, required: true },
      workspace: { cast: id, required: true },
      dueDate: { cast: date },
      subtasks: { cast: list(({ title, completed = false }) => ({ title, completed })), default: () => [] },
      labels: { cast: list(({ name, color }) => ({ name, color })), default: () => [] },
      createdBy: { cast: id, required: true },
    },
    { assignee: "User", createdBy: "User", project: "Project" },
  ),
  Message: model(
    "Message",
    { channel: { cast: id, required: true }, sender: { cast: id, required: true }, content: { cast: text(), required: true } },
    { sender: "User" },
  ),
};

export const { User, Workspace, Project, Task, Message } = models;
