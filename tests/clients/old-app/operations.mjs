// The operations of the random script: what a user of the old app may do at a moment, on the tab in front of them.
// Each returns a promise that never rejects: what the user would see as an error is counted in `outcomes`.

const STATUSES = ["todo", "in-progress", "review", "done"];

export class Operations {
  #random;
  #members;
  #made = 0;
  /** How often each operation ended in each way, as in `{ "edit 200": 12, "edit 404": 1 }`. */
  outcomes = {};

  constructor(random, members) {
    this.#random = random;
    this.#members = members;
  }

  create(tab) {
    const random = this.#random;
    const fields = {
      title: this.#text(tab, "task"),
      ...(random.chance(0.5) && { description: this.#text(tab, "about") }),
      ...(random.chance(0.5) && { status: random.pick(STATUSES) }),
      ...(random.chance(0.3) && { assignee: random.pick(this.#members).userId }),
      ...(random.chance(0.3) && { labels: this.#labels() }),
    };
    return this.#do("create", tab.page.createTask(fields));
  }

  /** Saves one to three fields of a task; from an edit dialog, so the status may be among them. */
  edit(tab, task) {
    const random = this.#random;
    const patch = {};
    for (let left = random.int(1, 3); left > 0; left--) Object.assign(patch, this.#change(tab));
    return this.#do("edit", tab.page.editTask(task._id, patch, { announceWhole: random.chance(0.5) }));
  }

  /** Drags a card to another column; the guide's `task:move` is seen with and without the place. */
  drag(tab, task) {
    const random = this.#random;
    const toStatus = random.pick(STATUSES.filter((status) => status !== task.status));
    const newIndex = random.chance(0.6) ? random.int(0, 5) : undefined;
    return this.#do("drag", tab.page.dragTask(task._id, task.status, toStatus, newIndex));
  }

  remove(tab, task) {
    return this.#do("delete", tab.page.deleteTask(task._id));
  }

  chat(tab) {
    tab.page.sendMessage(this.#text(tab, "message"));
    return Promise.resolve();
  }

  #change(tab) {
    const random = this.#random;
    const field = random.weighted({ title: 3, description: 3, priority: 3, assignee: 3, labels: 2, dueDate: 2, status: 1 });
    switch (field) {
      case "title":
        return { title: this.#text(tab, "title") };
      case "description":
        return { description: random.chance(0.2) ? "" : this.#text(tab, "about") };
      case "priority":
        return { priority: random.pick(["low", "medium", "high"]) };
      case "assignee":
        return { assignee: random.chance(0.25) ? null : random.pick(this.#members).userId };
      case "labels":
        return { labels: this.#labels() };
      case "dueDate":
        return { dueDate: random.chance(0.25) ? null : `2027-0${random.int(1, 9)}-${random.int(10, 28)}` };
      case "status":
        return { status: random.pick(STATUSES) };
    }
  }

  #labels() {
    const count = this.#random.int(0, 2);
    return Array.from({ length: count }, () => ({ name: this.#random.pick(["bug", "idea", "soon"]), color: "#FF5733" }));
  }

  /** A text that tells in a failure who wrote it and when. */
  #text(tab, kind) {
    this.#made += 1;
    return `${kind} ${this.#made} by ${tab.name}`;
  }

  async #do(what, promise) {
    let outcome = "ok";
    try {
      await promise;
    } catch (error) {
      outcome = error.status ?? "cut off";
    }
    const key = `${what} ${outcome}`;
    this.outcomes[key] = (this.outcomes[key] ?? 0) + 1;
  }
}
