// What a tab was told, judged event by event: nothing twice, and no task backwards.
//
// An event is the same if its name, task and version are (for a message its id; a task is created and deleted once).
// The contract has one exception for each of two cases, both counted, so that no more is forgiven than it grants:
//  - after its own announcement a tab may be told what is true now, which it may have been told already (its page may
//    have laid an older REST answer over that): one `task:updated`, `task:moved` or `task:deleted` of each kind;
//  - a tab that was left out of a sibling's change is told later the fields which that change named, with the present
//    version: the same name, task and version, yet other fields than it was told before.
// And a new task that any of several offline tabs of one user may have made is taken out of each and put in again: a
// `task:created` right after a `task:deleted` of it, in a tab that has siblings.

const KEYED = {
  "task:created": ({ task }) => [task._id, ""],
  "task:deleted": ({ taskId }) => [taskId, ""],
  "task:updated": ({ taskId, version }) => [taskId, version],
  "task:moved": ({ taskId, version }) => [taskId, version],
  "chat:newMessage": ({ _id }) => [_id, ""],
};
const ANNOUNCES = new Set(["task:create", "task:update", "task:move"]);

/** The findings of one tab; `siblings` are the other tabs of its user. */
export function toldFindings(tab, siblings) {
  const findings = [];
  const find = (kind, taskId, text) =>
    findings.push({ kind, tab: tab.name, text: `${text}\n${tab.history(taskId, 25).join("\n")}` });

  const seen = new Map(); // key -> the payloads told under it
  const versions = new Map(); // task -> the last version told
  const gone = new Set();
  let last = ""; // the last event about a task
  const granted = new Map(); // "name task" -> repeats that own announcements still allow
  for (const { what, event, data } of tab.journal) {
    if (what === "sent" && ANNOUNCES.has(event)) {
      const taskId = data.taskId ?? data.task._id;
      for (const name of ["task:updated", "task:moved", "task:deleted"]) {
        const grant = `${name} ${taskId}`;
        granted.set(grant, (granted.get(grant) ?? 0) + 1);
      }
    }
    if (what !== "told" || !(event in KEYED)) continue;

    const [id, version] = KEYED[event](data);
    const key = `${event} ${id} ${version}`;
    const payload = JSON.stringify(data);
    const before = seen.get(key);
    if (before && !forgiven()) find("twice", id, `${key} was told twice`);
    seen.set(key, [...(before ?? []), payload]);

    if (event.startsWith("task:")) followVersion();

    function forgiven() {
      if (version && !before.includes(payload) && siblings.length > 0) return true;
      const grant = `${event} ${id}`;
      if (!(granted.get(grant) > 0)) return false;
      granted.set(grant, granted.get(grant) - 1);
      return true;
    }

    function followVersion() {
      const told = event === "task:created" ? data.task.version : data.version;
      if (event === "task:created" && siblings.length > 0 && last === `task:deleted ${id}`) {
        gone.delete(id);
        seen.delete(`task:deleted ${id} `);
      }
      last = `${event} ${id}`;
      if (gone.has(id) && event !== "task:deleted") find("backwards", id, `${key} was told after its task was deleted`);
      if (event === "task:deleted") gone.add(id);
      if (told === undefined) return;
      if (told < (versions.get(id) ?? 0)) find("backwards", id, `${key} was told after version ${versions.get(id)}`);
      versions.set(id, told);
    }
  }
  return [...findings, ...presenceFindings(tab)];
}

/** Nobody joins who is there, or leaves who is not. */
function presenceFindings(tab) {
  const findings = [];
  let online = new Set();
  for (const { what, event, data } of tab.journal) {
    if (what !== "told") continue;
    if (event === "room:users") online = new Set(data.users);
    const wrong = (event === "user:joined" && online.has(data.userId)) || (event === "user:left" && !online.has(data.userId));
    if (wrong) findings.push({ kind: "presence", tab: tab.name, text: `${event} ${data.userId} was told out of turn` });
    if (event === "user:joined") online.add(data.userId);
    if (event === "user:left") online.delete(data.userId);
  }
  return findings;
}
