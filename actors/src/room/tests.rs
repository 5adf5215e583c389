//! The rules of a room, by its state alone.

mod alone;
mod announcement;
mod attendance;
mod away;
mod broken;
mod given_up;
mod history;
mod in_flight;
mod lost;
mod membership;
mod news;
mod order;
mod overtaken;
mod recovery;
mod shared;
mod typing;

use std::sync::Arc;

use collabflow_protocol::{
    event::TaskCommand,
    model::{Task, TaskDraft, TaskPatch},
    validate::Unknown,
};
use serde_json::{Map, Value, json};

use super::{
    effect::{Answer, Request},
    fixture::{TASK, TestRoom, patch, session, successor, task, title, user},
    message::{Author, RoomMessage},
    told::OVERTAKEN_WITHIN,
};
use crate::{
    node::{Caller, Echo},
    session::{entry::SessionEntry, reply::Reply},
    store::Announced,
};

/// A room with two tabs of user 1 and one of user 2, told of nothing yet.
fn two_tabs() -> (TestRoom, [Arc<SessionEntry>; 3]) {
    let mut room = TestRoom::new();
    let sessions = [session(1), session(1), session(2)];
    sessions.iter().for_each(|entry| room.join(entry));
    room.take_told();
    room.take_answered();
    (room, sessions)
}

fn sent(task: &Task) -> Map<String, Value> {
    let sent = serde_json::to_value(task).expect("a task");
    sent.as_object().expect("an object").clone()
}

/// `task:update` with a whole task.
fn whole(task: &Task) -> TaskCommand {
    let sent = sent(task);
    TaskCommand::Update {
        task: task.id,
        patch: TaskPatch::parse(&sent, Unknown::Ignore),
        whole: Some(sent),
        expected: None,
    }
}

/// A new task with this title, by REST.
fn create(title: &str) -> TaskCommand {
    let body = json!({ "title": title });
    TaskCommand::Create {
        id: None,
        sent: Map::new(),
        draft: TaskDraft::parse(body.as_object().expect("an object"), Unknown::default()),
        client_id: None,
    }
}

/// `task:create` with a stored task.
fn created(task: &Task) -> TaskCommand {
    let sent = sent(task);
    TaskCommand::Create {
        id: Some(task.id),
        draft: TaskDraft::parse(&sent, Unknown::default()),
        sent,
        client_id: None,
    }
}

/// A page of user `n` asks for something by REST.
fn ask_by_page(room: &mut TestRoom, n: u8, command: TaskCommand) {
    let caller = Caller {
        user: user(n),
        echo: Echo::NotAuthor,
    };
    let (author, command) = (Author::Rest(caller, None), Box::new(command));
    room.send(RoomMessage::Task(author, command, Reply::nobody()));
}

fn found(room: &mut TestRoom, task: &Task) {
    assert!(
        matches!(room.asked()[0].1, Request::LookUp(..)),
        "{:?}",
        room.asked()
    );
    room.answer(Answer::Found(Announced::Stored {
        task: Box::new(task.clone()),
        index: 0,
        news: Vec::new(),
    }));
}
