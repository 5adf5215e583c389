//! What a client knows of one room: it applies what it is told as the old client does, and finds what it should not have
//! been told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use collabflow_protocol::{
    id::{MessageId, TaskId, UserId},
    model::{Message, Task},
};
use serde_json::{Map, Value};
use tokio::time::Instant;

/// A durable event, as all clients of a room know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Told {
    /// This version of a task.
    Task(TaskId, u64),
    Deleted(TaskId),
    Message(MessageId),
}

/// Fields that are compared with what is stored.
const COMPARED: [&str; 6] = [
    "title",
    "status",
    "priority",
    "description",
    "position",
    "version",
];

#[derive(Debug, Default)]
pub(super) struct View {
    tasks: BTreeMap<TaskId, Map<String, Value>>,
    /// The greatest versions that were told, or answered.
    told: HashMap<TaskId, u64>,
    deleted: HashSet<TaskId>,
    /// Tasks that it does not have, of which it was told as they are.
    missed: HashSet<TaskId>,
    messages: BTreeSet<MessageId>,
    told_messages: HashSet<MessageId>,
    pub(super) users: BTreeSet<UserId>,
    /// What was told, in its order; and where the client was told to reload.
    pub(super) sequence: Vec<(Instant, Told)>,
    pub(super) resyncs: Vec<(Instant, usize)>,
    /// What it is told now it was told before.
    is_again: bool,
    /// Something has gone wrong before.
    pub(super) is_troubled: bool,
    /// It has asked for something, and has no answer yet.
    pub(super) asks: bool,
    /// A change of its own that it is not told of is under way by REST.
    pub(super) awaits_answer: bool,
    /// The page is loaded.
    pub(super) is_loaded: bool,
}

impl View {
    /// The page is loaded anew.
    pub(super) fn load_tasks(&mut self, tasks: Vec<Task>) {
        self.tasks = tasks
            .into_iter()
            .map(|task| (task.id, document(&task)))
            .collect();
        self.missed.clear();
        self.is_loaded = true;
    }

    /// What is told after this may be in what is loaded.
    pub(super) fn is_told_to_reload(&mut self) {
        self.resyncs.push((Instant::now(), self.sequence.len()));
        self.told.clear();
    }

    pub(super) fn load_messages(&mut self, messages: Vec<Message>) {
        self.messages = messages.into_iter().map(|message| message.id).collect();
        self.is_loaded = true;
    }

    pub(super) fn task_ids(&self) -> Vec<TaskId> {
        self.tasks.keys().copied().collect()
    }

    /// An answer has brought a task.
    pub(super) fn answered(&mut self, task: &Value) -> Result<(), String> {
        let (id, version) = (id(task, "_id")?, version(task)?);
        if self.deleted.contains(&id) {
            return Ok(());
        }
        if self.told.get(&id).is_some_and(|told| *told > version) {
            return Err(format!(
                "the answer with version {version} of {id} is older than what was told"
            ));
        }
        // What changed nothing is answered with what is stored, which may not be told yet.
        if let Value::Object(task) = task {
            self.tasks.insert(id, task.clone());
        }
        Ok(())
    }

    /// It has deleted a task.
    pub(super) fn removed(&mut self, task: TaskId) {
        self.tasks.remove(&task);
    }

    fn version(&self, id: TaskId) -> u64 {
        let task = self.tasks.get(&id);
        task.and_then(|task| task.get("version")?.as_u64())
            .unwrap_or(0)
    }

    /// Takes a durable event. `is_stored` says whether a task is there still.
    pub(super) fn hear(
        &mut self,
        name: &str,
        payload: &Value,
        is_stored: impl Fn(TaskId) -> bool,
    ) -> Result<(), String> {
        let told = match name {
            "task:created" => {
                let task = &payload["task"];
                let (id, version) = (id(task, "_id")?, version(task)?);
                self.note_version(id, version, true)?;
                if let Value::Object(task) = task
                    && version >= self.version(id)
                {
                    self.tasks.insert(id, task.clone());
                }
                Told::Task(id, version)
            }
            "task:updated" | "task:moved" => self.hear_change(name, payload, is_stored)?,
            "task:deleted" => {
                let id = id(payload, "taskId")?;
                if !self.deleted.insert(id) {
                    return Err(format!("{id} was deleted twice"));
                }
                self.tasks.remove(&id);
                Told::Deleted(id)
            }
            "chat:newMessage" => {
                let id: MessageId = id(payload, "_id")?;
                if !self.told_messages.insert(id) {
                    return Err(format!("message {id} was told twice"));
                }
                self.messages.insert(id);
                Told::Message(id)
            }
            _ => return Ok(()),
        };
        // Present values have no place in the order.
        let is_present = name == "task:updated" && is_whole(&payload["updates"]);
        if !is_present && !std::mem::take(&mut self.is_again) {
            self.sequence.push((Instant::now(), told));
        }
        Ok(())
    }

    fn hear_change(
        &mut self,
        name: &str,
        payload: &Value,
        is_stored: impl Fn(TaskId) -> bool,
    ) -> Result<Told, String> {
        let (id, version) = (id(payload, "taskId")?, version(payload)?);
        let updates = match name {
            "task:updated" => payload["updates"].as_object().cloned().unwrap_or_default(),
            _ => Map::from_iter([
                ("status".to_owned(), payload["toStatus"].clone()),
                ("position".to_owned(), payload["position"].clone()),
            ]),
        };
        let is_whole = is_whole(&payload["updates"]);
        self.note_version(id, version, is_whole)?;
        match self.tasks.get_mut(&id) {
            Some(task) => {
                task.extend(updates);
                let newest = task["version"].as_u64().unwrap_or(0).max(version);
                task.insert("version".into(), newest.into());
            }
            None if self.deleted.contains(&id) => {
                return Err(format!("{id} was changed after it was deleted"));
            }
            // Whoever is told all of a task that it does not have is told to reload later.
            None if is_whole => drop(self.missed.insert(id)),
            None if self.missed.contains(&id) => {}
            None if self.is_loaded && !self.awaits_answer && is_stored(id) => {
                return Err(format!(
                    "version {version} of {id} was told, of which nothing was told before"
                ));
            }
            None => {}
        }
        Ok(Told::Task(id, version))
    }

    fn note_version(&mut self, id: TaskId, version: u64, is_whole: bool) -> Result<(), String> {
        let told = self.told.get(&id).copied().unwrap_or(0);
        // Who asks for what is so already is told the present values, and is answered then; while the log is away, so is
        // everybody else.
        let is_present = version == self.version(id).max(told);
        self.is_again = is_present && self.asks || version == told && self.is_troubled;
        if self.is_again {
            return Ok(());
        }
        if version <= told {
            return Err(format!(
                "version {version} of {id} was told after version {told}"
            ));
        }
        let known = self.version(id).max(told);
        // A task that was gone when the page was loaded is gone.
        let is_shown = self.tasks.contains_key(&id);
        if !is_whole && is_shown && version > known + 1 && !self.awaits_answer {
            return Err(format!(
                "version {version} of {id} was told after version {known}"
            ));
        }
        self.told.insert(id, version);
        Ok(())
    }

    /// In what it differs from what is stored.
    pub(super) fn compare_tasks(&self, stored: &[Task]) -> Result<(), String> {
        let stored: BTreeMap<_, _> = stored
            .iter()
            .map(|task| (task.id, document(task)))
            .collect();
        for (id, task) in &stored {
            let Some(mine) = self.tasks.get(id) else {
                return Err(format!("{id} is missing"));
            };
            for field in COMPARED {
                let [mine, theirs] =
                    [mine, task].map(|task| task.get(field).filter(|value| !value.is_null()));
                if mine != theirs {
                    return Err(format!(
                        "{field} of {id} is {mine:?}, and {theirs:?} is stored"
                    ));
                }
            }
        }
        match self.tasks.keys().find(|id| !stored.contains_key(id)) {
            Some(id) => Err(format!("{id} is not stored any more")),
            None => Ok(()),
        }
    }

    pub(super) fn compare_messages(&self, stored: &[Message]) -> Result<(), String> {
        let stored: BTreeSet<_> = stored.iter().map(|message| message.id).collect();
        if let Some(id) = stored.symmetric_difference(&self.messages).next() {
            let has = if stored.contains(id) {
                "is missing"
            } else {
                "is not stored"
            };
            return Err(format!("message {id} {has}"));
        }
        Ok(())
    }
}

fn is_whole(updates: &Value) -> bool {
    let fields = ["title", "status", "priority", "labels", "subtasks"];
    fields.iter().all(|field| updates.get(field).is_some())
}

fn document(task: &Task) -> Map<String, Value> {
    match serde_json::to_value(task) {
        Ok(Value::Object(task)) => task,
        other => panic!("a task is an object: {other:?}"),
    }
}

fn id<T: std::str::FromStr>(value: &Value, field: &str) -> Result<T, String> {
    let id = value[field].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| format!("no {field} in {value}"))
}

fn version(value: &Value) -> Result<u64, String> {
    let version = value["version"].as_u64();
    version.ok_or_else(|| format!("no version in {value}"))
}
