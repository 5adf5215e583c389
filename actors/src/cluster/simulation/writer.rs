//! What a client does: writes over its socket and by REST, comes, goes, and drops its line.

use std::{sync::Arc, time::Duration};

use collabflow_protocol::{
    event::{ClientEvent, MoveCommand, TaskCommand},
    id::TaskId,
    model::{MessageDraft, Priority, Status, TaskDraft, TaskPatch},
};
use tokio::time::{Instant, sleep};

use super::client::{Client, Wish};
use crate::{
    key::RoomKey,
    node::{Caller, Echo, Ended},
};

/// A session that comes back is in its rooms by then.
const RESTORED_WITHIN: Duration = Duration::from_secs(3);
/// Between two things that a client does, at most.
const PAUSE_MAX: Duration = Duration::from_millis(400);

impl Client {
    /// Does this and that until then.
    pub(super) async fn write(self: Arc<Self>, until: Instant) {
        while Instant::now() < until {
            sleep(self.dice.up_to(PAUSE_MAX)).await;
            if !self.is_connected() {
                self.come_back().await;
                continue;
            }
            if self.take_afresh() {
                self.join(self.world.project).await;
                self.join(self.world.chat).await;
            }
            match self.dice.below(100) {
                0..50 => self.write_task(true).await,
                50..65 => self.write_task(false).await,
                65..85 => self.post().await,
                85..93 => self.come_or_go().await,
                _ if self.world.drops_lines => {
                    self.drop_line(Ended::Dropped);
                    // Beyond the grace at times.
                    sleep(self.dice.up_to(Duration::from_secs(7))).await;
                }
                _ => {}
            }
        }
        while !self.is_connected() {
            self.come_back().await;
            sleep(PAUSE_MAX).await;
        }
        if self.take_afresh() {
            self.join(self.world.project).await;
            self.join(self.world.chat).await;
        }
    }

    async fn come_or_go(&self) {
        let (project, chat) = (self.world.project, self.world.chat);
        let room = if self.dice.chance(50) { project } else { chat };
        if self.rooms().contains(&room) {
            self.leave(room).await;
        } else {
            self.join(room).await;
        }
    }

    async fn post(&self) {
        let RoomKey::Chat(channel) = self.world.chat else {
            return;
        };
        let draft = MessageDraft {
            content: self.world.text(),
            client_id: None,
        };
        if self.dice.chance(70) {
            let event = ClientEvent::ChatMessage(channel, draft);
            self.ask("chat:message", event, Wish::Post).await;
        } else if let Some(node) = self.at() {
            let caller = self.caller(Echo::All);
            if let Ok(message) = node.post_message(caller, channel, draft).await {
                let message = serde_json::to_value(&*message).expect("json");
                self.world.acknowledged_message(&message);
            }
        }
    }

    fn caller(&self, echo: Echo) -> Caller {
        Caller {
            user: Arc::new(self.user.clone()),
            echo,
        }
    }

    /// A task that it has on its page, or that it has read of elsewhere.
    async fn some_task(&self) -> Option<TaskId> {
        let tasks = if self.dice.chance(70) {
            self.tasks(self.world.project)
        } else {
            self.world.stored_tasks().await
        };
        self.dice.pick(&tasks).copied()
    }

    fn status(&self) -> Status {
        let columns = [
            Status::Todo,
            Status::InProgress,
            Status::Review,
            Status::Done,
        ];
        self.dice.pick(&columns).cloned().unwrap_or(Status::Todo)
    }

    async fn write_task(&self, by_socket: bool) {
        let command = match (self.some_task().await, self.dice.below(100)) {
            (None, _) | (_, 0..20) => TaskCommand::Create {
                id: None,
                sent: serde_json::Map::new(),
                draft: Ok(TaskDraft {
                    title: self.world.text(),
                    description: None,
                    status: self.status(),
                    priority: Priority::Low,
                    assignee: None,
                    due_date: None,
                    subtasks: Vec::new(),
                    labels: Vec::new(),
                }),
                client_id: None,
            },
            // A move by REST could be repeated over the socket, which announces it: that has rules of its own.
            (Some(task), 65..90) if by_socket => TaskCommand::Move(MoveCommand {
                task,
                to: self.status(),
                index: self.dice.chance(50).then(|| self.dice.below(4)),
                expected: None,
            }),
            (Some(task), 20..90) => {
                let mut patch = TaskPatch::default();
                if self.dice.chance(50) {
                    patch.title = Some(self.world.text());
                } else {
                    patch.description = Some(Some(self.world.text()));
                }
                TaskCommand::Update {
                    task,
                    whole: None,
                    patch: Ok(patch),
                    expected: None,
                }
            }
            (Some(task), 90..) => TaskCommand::Delete { task },
        };
        if by_socket {
            self.write_by_socket(command).await;
        } else {
            self.write_by_rest(command).await;
        }
    }

    async fn write_by_socket(&self, command: TaskCommand) {
        let RoomKey::Project(project) = self.world.project else {
            return;
        };
        let (name, wish) = match &command {
            TaskCommand::Create { .. } => ("task:create", Wish::Task),
            TaskCommand::Update { .. } => ("task:update", Wish::Task),
            TaskCommand::Move(_) => ("task:move", Wish::Task),
            TaskCommand::Delete { task } => ("task:delete", Wish::Delete(*task)),
        };
        let event = ClientEvent::Task(project, Box::new(command));
        self.ask(name, event, wish).await;
    }

    async fn write_by_rest(&self, command: TaskCommand) {
        let (RoomKey::Project(project), Some(node)) = (self.world.project, self.at()) else {
            return;
        };
        let own = self.session_id().filter(|_| self.dice.chance(50));
        let caller = self.caller(own.map_or(Echo::All, Echo::NotSocket));
        let trace = |what: &str| {
            let number = self.number;
            self.world
                .trace(|| format!("c{number} by REST, not told {}: {what}", own.is_some()));
        };
        trace(&format!("{command:?}"));
        // What it is not told of comes by another way: events may overtake it.
        self.await_answer(own.is_some());
        let task = match command {
            TaskCommand::Create {
                draft: Ok(draft), ..
            } => {
                let made = node.create_task(caller, project, draft, None).await;
                made.map(|(task, _)| task)
            }
            TaskCommand::Update {
                task,
                patch: Ok(patch),
                ..
            } => node.update_task(caller, project, task, patch, None).await,
            TaskCommand::Move(command) => node.move_task(caller, project, command).await,
            TaskCommand::Delete { task } => {
                // What was deleted is told to everybody else.
                let _ = node.delete_task(caller, project, task).await;
                self.await_answer(false);
                return self.reload(self.world.project).await;
            }
            TaskCommand::Create { .. } | TaskCommand::Update { .. } => return,
        };
        trace(&format!("{:?}", task.as_ref().map(|task| task.version)));
        self.await_answer(false);
        if let Ok(task) = task {
            let task = serde_json::to_value(&*task).expect("json");
            self.world.acknowledged_task(&task);
        }
        if own.is_some() {
            self.reload(self.world.project).await;
        }
    }

    /// Connects again, to the same node, or to another where that is gone.
    pub(super) async fn come_back(self: &Arc<Self>) {
        let same = self.node();
        let node = if self.world.node(same).is_some() {
            same
        } else if let Some(other) = self.world.some_node(&self.dice) {
            other
        } else {
            return;
        };
        if !self.connect(node).await {
            return;
        }
        if self.take_torn() {
            // What it did last may be stored, and it is not told.
            self.reload(self.world.project).await;
            self.reload(self.world.chat).await;
        }
        // Its node may not have been able to leave word of it.
        sleep(RESTORED_WITHIN).await;
        if self.is_connected() && !self.is_in_its_rooms() {
            self.world
                .note(&format!("c{} was not given its rooms back", self.number));
            self.forget_rooms();
            self.join(self.world.project).await;
            self.join(self.world.chat).await;
        }
    }
}
