// A page that believes what it is told, in the order in which it is told, its own acknowledgements among it.

export class Page {
  tasks = new Map();
  /** Of each task the versions, as they came. */
  versions = new Map();

  constructor(tasks) {
    for (const task of tasks) this.#put(task);
  }

  acknowledged(task) {
    this.#put(task);
  }

  deleted(taskId) {
    this.tasks.delete(taskId);
  }

  told({ event, data }) {
    if (event === "task:created") this.#put(data.task);
    if (event === "task:updated") this.#merge(data.taskId, data.updates, data.version);
    if (event === "task:moved")
      this.#merge(data.taskId, { status: data.toStatus, position: data.position }, data.version);
    if (event === "task:deleted") this.deleted(data.taskId);
  }

  #put(task) {
    this.tasks.set(task._id, task);
    this.#note(task._id, task.version);
  }

  #merge(id, updates, version) {
    this.tasks.set(id, { ...this.tasks.get(id), ...updates, version });
    this.#note(id, version);
  }

  #note(id, version) {
    this.versions.set(id, [...(this.versions.get(id) ?? []), version]);
  }
}

/** What of a task events tell (not the time of the last change); a field that is cleared is as one that is not there. */
export const shown = (tasks) =>
  [...tasks]
    .map(({ updatedAt, ...task }) => Object.fromEntries(Object.entries(task).filter(([, value]) => value !== null)))
    .sort((a, b) => a._id.localeCompare(b._id));

/** A name that all clients share for a task or message event. */
export const nameOf = ({ event, data }) => {
  const id = data.taskId ?? data.task?._id ?? data._id;
  return event === "task:deleted" ? `${id} deleted` : `${id} v${data.version ?? data.task?.version ?? 0}`;
};

/** Whether a name is that of a message. */
export const isMessage = (name) => name.endsWith(" v0");
