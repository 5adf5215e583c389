// What must be true at rest, as findings: an empty list is a pass. A finding has a kind (for the table of what the old
// backend got wrong), the tab, and a text with what that tab was told about the task, so that a failure can be followed.

const FIELDS = ["title", "description", "status", "priority", "assignee", "labels", "dueDate", "position"];

const plain = (field, value) => {
  if (value === undefined || value === null || value === "") return null;
  if (field === "assignee") return typeof value === "object" ? value._id + value.name : `the bare id ${value}`;
  if (field === "labels") return value.map(({ name, color }) => `${name} ${color}`).join(", ");
  if (field === "dueDate") return new Date(value).toISOString();
  return value;
};

/** Each tab's list against REST's, task by task and field by field. */
export function listFindings(tabs, stored) {
  const findings = [];
  const truth = new Map(stored.map((task) => [task._id, task]));
  for (const tab of tabs) {
    const shown = new Map();
    const find = (kind, taskId, text) => {
      const now = JSON.stringify(truth.get(taskId)) ?? "nothing";
      const histories = tabs
        .filter(({ user }) => user === tab.user)
        .map((of) => `  what ${of.name} knew:\n${of.history(taskId, 30).join("\n")}`);
      findings.push({ kind, tab: tab.name, text: [text, `  REST has ${now}`, ...histories].join("\n") });
    };
    for (const task of tab.page.tasks) {
      if (shown.has(task._id)) find("doubled", task._id, `task ${task._id} is shown twice`);
      shown.set(task._id, task);
      if (!truth.has(task._id)) find("ghost", task._id, `task ${task._id} is shown and does not exist`);
    }
    for (const [taskId, task] of truth) {
      const card = shown.get(taskId);
      if (!card) {
        find("missing", taskId, `task ${taskId} is not shown`);
        continue;
      }
      const wrong = FIELDS.filter((field) => plain(field, card[field]) !== plain(field, task[field]));
      if (wrong.length > 0) {
        const values = wrong.map((field) => `${field} is ${JSON.stringify(card[field])}`).join(", ");
        find("stale", taskId, `task ${taskId} is shown out of date: ${values}`);
      }
    }
  }
  return findings;
}

/** The order of each column by what the tab knows, (`position`, `_id`), against the same by REST. */
export function orderFindings(tabs, stored) {
  const truth = columns(stored);
  return tabs
    .filter((tab) => columns(tab.page.tasks) !== truth)
    .map((tab) => ({ kind: "order", tab: tab.name, text: `columns are\n${columns(tab.page.tasks)}\n  and by REST\n${truth}` }));
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function columns(tasks) {
  const byPlace = [...tasks].sort((a, b) => compare(a.position, b.position) || compare(a._id, b._id));
  return ["todo", "in-progress", "review", "done"]
    .map((status) => `    ${status}: ${byPlace.filter((task) => task.status === status).map(({ _id }) => _id)}`)
    .join("\n");
}

/** Who each tab believes to be there, against who is. */
export function onlineFindings(tabs, present) {
  const truth = present.map(({ userId }) => userId).sort();
  return tabs
    .filter((tab) => String([...tab.page.onlineUsers].sort()) !== String(truth))
    .map((tab) => {
      const told = tab.journal.filter(({ event }) => /^(room:users|user:|connect|disconnect)/.test(event)).slice(-12);
      const history = told.map(({ at, event, data }) => `    ${at} ms ${event} ${JSON.stringify(data ?? "")}`).join("\n");
      return { kind: "online", tab: tab.name, text: `online are ${tab.page.onlineUsers}, not ${truth}\n${history}` };
    });
}

/** Each tab's chat against `stored`, oldest first. */
export function chatFindings(tabs, stored) {
  const truth = stored.map(({ _id }) => _id);
  const findings = [];
  for (const tab of tabs) {
    const shown = tab.page.messages.map(({ _id }) => _id);
    if (String(shown) === String(truth)) continue;
    const missing = stored.filter(({ _id }) => !shown.includes(_id)).map(({ content }) => content);
    const text = missing.length ? `messages are missing: ${missing.join("; ")}` : `messages are doubled or out of order: ${shown}`;
    findings.push({ kind: "chat", tab: tab.name, text });
  }
  return findings;
}
