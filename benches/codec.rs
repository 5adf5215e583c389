//! What it costs to read what clients send most, and to write what they are told most: `cargo bench --bench codec`.
//!
//! To see by eye that something has become slower; nothing is decided by it.

#![allow(clippy::print_stdout)] // A program, which prints.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use collabflow_actors::{id::IdSource, outbox::Broadcast, outbox::Wire};
use collabflow_protocol::{
    engine,
    event::{ClientEvent, ServerEvent},
    model::{Message, Task, UserBrief},
    socket::{self, Packet},
    validate::Unknown,
};
use serde_json::json;

/// How long each is repeated, after as long for warming up.
const LASTS: Duration = Duration::from_millis(400);
/// Repetitions between two looks at the clock.
const BATCH: u32 = 256;

fn main() -> anyhow::Result<()> {
    let id = "65a1b2c3d4e5f60718293a4b";
    println!("{:<40}{:>8}{:>14}", "reading", "bytes", "time");
    for (what, name, payload) in [
        ("a join", "join:project", json!(id)),
        (
            "typing",
            "chat:typing",
            json!({"channelId": id, "isTyping": true}),
        ),
        (
            "a chat message",
            "chat:message",
            json!({"channelId": id, "content": "x".repeat(80), "clientId": "c-1"}),
        ),
        (
            "a move",
            "task:move",
            json!({"projectId": id, "taskId": id, "fromStatus": "todo", "toStatus": "done", "newIndex": 3}),
        ),
        (
            "an update of one field",
            "task:update",
            json!({"projectId": id, "taskId": id, "updates": {"title": "Another title"}}),
        ),
        (
            "the announcement of a whole task",
            "task:update",
            json!({"projectId": id, "taskId": id, "updates": task(id)}),
        ),
    ] {
        let text = format!("42{}", json!([name, payload]));
        report(what, text.len(), || read(black_box(&text)).is_ok());
    }
    report("a pong", 1, || {
        engine::Packet::decode(black_box("3")).is_ok()
    });

    println!(
        "\n{:<40}{:>8}{:>14}",
        "writing, once for all members", "bytes", "time"
    );
    for (what, event) in told(id)? {
        let frame = || {
            Broadcast::new(black_box(&event))
                .frame(Wire::SocketIo)
                .clone()
        };
        report(what, frame().len(), frame);
    }
    report("an acknowledgement", 17, || {
        socket::ack(7, black_box(&json!({"ok": true})))
    });
    Ok(())
}

/// From the text of a WebSocket message to the event.
fn read(text: &str) -> anyhow::Result<ClientEvent> {
    let packet = engine::Packet::decode(text)?;
    let Packet::Event { name, args, .. } = socket::decode(packet.data)? else {
        anyhow::bail!("no event");
    };
    ClientEvent::parse(&name, &args, Unknown::Ignore)
        .map_err(|error| anyhow::anyhow!(error.message))
}

fn task(id: &str) -> serde_json::Value {
    let user = json!({"_id": id, "name": "Ada Lovelace", "email": "ada@example.com"});
    json!({
        "_id": id, "title": "Write the bench", "description": "So that nobody has to guess.", "status": "todo",
        "priority": "medium", "project": id, "workspace": id, "assignee": user, "createdBy": user,
        "labels": [{"name": "speed", "color": "#ff0000"}], "subtasks": [{"_id": id, "title": "Think", "completed": true}],
        "position": "a0", "version": 4, "createdAt": "2026-01-02T03:04:05.678Z", "updatedAt": "2026-01-02T03:04:05.678Z"
    })
}

fn told(id: &str) -> anyhow::Result<Vec<(&'static str, ServerEvent)>> {
    let ids = IdSource::default();
    let user = UserBrief {
        id: ids.next(),
        name: "Ada Lovelace".into(),
        email: Some("ada@example.com".into()),
    };
    let message: Message = serde_json::from_value(json!({
        "_id": id, "channel": id, "sender": {"_id": id, "name": "Ada Lovelace", "email": "ada@example.com"},
        "content": "x".repeat(80), "createdAt": "2026-01-02T03:04:05.678Z", "updatedAt": "2026-01-02T03:04:05.678Z"
    }))?;
    let task: Task = serde_json::from_value(task(id))?;
    Ok(vec![
        (
            "typing",
            ServerEvent::UserTyping {
                channel_id: ids.next(),
                user_id: user.id,
                user: user.clone(),
                is_typing: true,
            },
        ),
        ("a chat message", ServerEvent::NewMessage(message.into())),
        (
            "a new task",
            ServerEvent::TaskCreated {
                task: task.into(),
                created_by: user,
            },
        ),
    ])
}

fn report<T>(what: &str, bytes: usize, mut work: impl FnMut() -> T) {
    repeat(&mut work);
    let time = repeat(&mut work);
    println!("  {what:<38}{bytes:>8}{:>11.0} ns", time * 1e9);
}

/// Seconds for each repetition.
fn repeat<T>(work: &mut impl FnMut() -> T) -> f64 {
    let (start, mut times) = (Instant::now(), 0_u32);
    while start.elapsed() < LASTS {
        for _ in 0..BATCH {
            black_box(work());
        }
        times += BATCH;
    }
    start.elapsed().as_secs_f64() / f64::from(times)
}
