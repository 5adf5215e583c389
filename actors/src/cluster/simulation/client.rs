//! A client: a page with a socket, which reads its frames, reloads when it is told to, and knows what it did.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use collabflow_protocol::{
    event::{ClientEvent, Scope},
    id::TaskId,
    model::UserBrief,
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{dice::Dice, view::View, world::World};
use crate::{
    key::RoomKey,
    node::{AckId, Ended, Hello, Inbound, Node, Request, Session},
    outbox::Outbox,
    store::{Store as _, TaskQuery},
};

/// No answer takes longer, whatever is away.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Client {
    pub(super) number: usize,
    pub(super) user: UserBrief,
    pub(super) world: Arc<World>,
    pub(super) dice: Dice,
    /// It asks for recovery, and not for rejoin.
    recovers: bool,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    node: usize,
    line: Option<Line>,
    sid: Option<String>,
    pid: Option<String>,
    /// It could not be recovered: it joins its rooms again.
    is_afresh: bool,
    /// It has heard from its node.
    is_greeted: bool,
    /// It does not know what became of what it did last: it reloads.
    is_torn: bool,
    offset: Option<String>,
    asked: HashMap<u64, (Wish, oneshot::Sender<Value>)>,
    last_ack: u64,
    views: BTreeMap<RoomKey, View>,
}

struct Line {
    session: Session,
    reading: JoinHandle<()>,
}

/// What an answer means for the page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Join(RoomKey),
    Leave(RoomKey),
    Task,
    Delete(TaskId),
    Post,
}

impl Client {
    pub(super) fn new(number: usize, user: UserBrief, world: &Arc<World>, dice: Dice) -> Arc<Self> {
        let recovers = dice.chance(50);
        Arc::new(Self {
            number,
            user,
            world: Arc::clone(world),
            dice,
            recovers,
            held: Mutex::default(),
        })
    }

    /// Opens the page at a node.
    pub(super) async fn connect(self: &Arc<Self>, node: usize) -> bool {
        let Some(at) = self.world.node(node) else {
            return false;
        };
        let (pid, offset) = {
            let mut held = self.held.lock();
            held.node = node;
            held.is_greeted = false;
            (held.pid.clone(), held.offset.clone())
        };
        let outbox = Outbox::for_tests();
        let hello = Hello {
            user: self.user.clone(),
            expires_at: None,
            outbox: Arc::clone(&outbox),
            pid: pid.and_then(|pid| pid.parse().ok()),
            asks_recovery: self.recovers,
            offset: offset.and_then(|offset| offset.parse().ok()),
        };
        let Ok(session) = at.open_session(hello).await else {
            return false;
        };
        if self.world.run_of(node).is_none() {
            // It has died meanwhile.
            self.held.lock().is_torn = true;
            return false;
        }
        let reading = tokio::spawn(Arc::clone(self).read(Arc::clone(&outbox)));
        self.held.lock().line = Some(Line { session, reading });
        true
    }

    /// The connection is gone, with what was not read; answers that were awaited do not come.
    pub(super) fn drop_line(&self, how: Ended) {
        let mut held = self.held.lock();
        if let Some(line) = held.line.take() {
            line.reading.abort();
            line.session.end(how);
        }
        held.asked.clear();
        drop(held);
        self.world.note(&format!("c{} drops its line", self.number));
    }

    /// The line's other end is gone. What was asked for is not answered, and may have been done or not.
    pub(super) fn lose_line(&self) {
        let mut held = self.held.lock();
        if let Some(line) = held.line.take() {
            line.reading.abort();
        }
        // What was sent and not read, a session that only rejoins is not told again.
        held.is_torn |= !held.asked.is_empty() || !held.is_greeted;
        held.asked.clear();
        drop(held);
        self.world.note(&format!("c{} loses its node", self.number));
    }

    /// The page is in no room.
    pub(super) fn forget_rooms(&self) {
        self.held.lock().views.clear();
    }

    pub(super) fn take_torn(&self) -> bool {
        std::mem::take(&mut self.held.lock().is_torn)
    }

    /// Whether its node agrees that it is in the rooms which it believes to be in.
    pub(super) fn is_in_its_rooms(&self) -> bool {
        let held = self.held.lock();
        let rooms = held.line.as_ref().map(|line| line.session.rooms());
        let rooms = rooms.unwrap_or_default();
        held.views.keys().all(|room| rooms.contains(room))
    }

    /// Whether it has to join its rooms again.
    pub(super) fn take_afresh(&self) -> bool {
        std::mem::take(&mut self.held.lock().is_afresh)
    }

    pub(super) fn node(&self) -> usize {
        self.held.lock().node
    }

    pub(super) fn is_connected(&self) -> bool {
        self.held.lock().line.is_some()
    }

    pub(super) fn rooms(&self) -> Vec<RoomKey> {
        self.held.lock().views.keys().copied().collect()
    }

    pub(super) fn tasks(&self, room: RoomKey) -> Vec<TaskId> {
        let held = self.held.lock();
        held.views.get(&room).map_or_else(Vec::new, View::task_ids)
    }

    pub(super) fn session_id(&self) -> Option<crate::id::SessionId> {
        let held = self.held.lock();
        held.line.as_ref().map(|line| line.session.id())
    }

    /// Looks at what it knows of its rooms.
    pub(super) fn look<T>(&self, look: impl FnOnce(&BTreeMap<RoomKey, View>) -> T) -> T {
        look(&self.held.lock().views)
    }

    pub(super) fn with_view<T>(
        &self,
        room: RoomKey,
        with: impl FnOnce(&mut View) -> T,
    ) -> Option<T> {
        self.held.lock().views.get_mut(&room).map(with)
    }

    pub(super) async fn join(&self, room: RoomKey) {
        let (name, event) = match room {
            RoomKey::Project(id) => ("join:project", ClientEvent::Join(Scope::Project(id))),
            RoomKey::Workspace(id) => ("join:workspace", ClientEvent::Join(Scope::Workspace(id))),
            RoomKey::Chat(id) => ("chat:join", ClientEvent::ChatJoin(id)),
        };
        self.held.lock().views.entry(room).or_default();
        let answer = self.ask(name, event, Wish::Join(room)).await;
        if answer.is_none_or(|answer| answer["ok"] != true) {
            self.held.lock().views.remove(&room);
        }
    }

    pub(super) async fn leave(&self, room: RoomKey) {
        let (name, event) = match room {
            RoomKey::Project(id) => ("leave:project", ClientEvent::Leave(Scope::Project(id))),
            RoomKey::Workspace(id) => ("leave:workspace", ClientEvent::Leave(Scope::Workspace(id))),
            RoomKey::Chat(id) => ("chat:leave", ClientEvent::ChatLeave(id)),
        };
        self.ask(name, event, Wish::Leave(room)).await;
    }

    /// Sends an event, and waits for its answer; `None` where the line is gone before that.
    pub(super) async fn ask(&self, name: &str, event: ClientEvent, wish: Wish) -> Option<Value> {
        let (sender, answered) = oneshot::channel();
        let (session, number) = {
            let mut held = self.held.lock();
            let session = held.line.as_ref()?.session.clone();
            held.last_ack += 1;
            let number = held.last_ack;
            held.asked.insert(number, (wish, sender));
            (session, number)
        };
        let inbound = Inbound {
            name: name.to_owned(),
            event: Ok(Request::Event(event)),
            ack: Some(AckId::Number(number)),
        };
        session.receive(Box::new(inbound)).await;
        match timeout(ANSWERED_WITHIN, answered).await {
            Ok(answer) => answer.ok(),
            Err(_) => {
                self.find(&format!("{name} has no answer"));
                None
            }
        }
    }

    /// What it should not have seen.
    pub(super) fn find(&self, finding: &str) {
        self.world.find(format!("c{} {finding}", self.number));
    }

    async fn read(self: Arc<Self>, outbox: Arc<Outbox>) {
        loop {
            outbox.polled().await;
            loop {
                let frames = outbox.take(usize::MAX);
                if frames.is_empty() {
                    break;
                }
                // The next poll proves that these were read.
                let more = outbox.take(usize::MAX);
                for frame in frames.into_iter().chain(more) {
                    let text = String::from_utf8(frame.as_text().to_vec()).expect("text");
                    self.hear(&text).await;
                }
            }
            if outbox.closed().is_some() {
                return;
            }
            sleep(self.dice.up_to(Duration::from_millis(3))).await;
        }
    }

    async fn hear(&self, text: &str) {
        self.world.trace(|| format!("c{} < {text}", self.number));
        if let Some(greeting) = text.strip_prefix("40") {
            let greeting: Value = serde_json::from_str(greeting).expect("json");
            let mut held = self.held.lock();
            held.is_greeted = true;
            held.pid = greeting["pid"].as_str().map(str::to_owned);
            let sid = greeting["sid"].as_str().map(str::to_owned);
            let former = std::mem::replace(&mut held.sid, sid);
            if self.recovers && former.is_some() && former != held.sid {
                held.is_afresh = true;
                held.views.clear();
                self.world.note(&format!("c{} begins afresh", self.number));
            }
        } else if let Some(event) = text.strip_prefix("42") {
            let event: Vec<Value> = serde_json::from_str(event).expect("json");
            self.hear_event(&event).await;
        } else if let Some(answer) = text.strip_prefix("43") {
            let at = answer.find('[').expect("an ack has arguments");
            let number: u64 = answer[..at].parse().expect("an ack has a number");
            let body: Vec<Value> = serde_json::from_str(&answer[at..]).expect("json");
            self.hear_answer(number, body.into_iter().next().unwrap_or_default())
                .await;
        }
    }

    async fn hear_answer(&self, number: u64, body: Value) {
        let Some((wish, sender)) = self.held.lock().asked.remove(&number) else {
            return self.find(&format!("answer {number} was not asked for: {body}"));
        };
        if body["error"]["code"] == "internal" {
            self.find(&format!("{wish:?} is answered {body}"));
        }
        if body["ok"] == true {
            match wish {
                Wish::Join(room) => self.reload(room).await,
                Wish::Leave(room) => drop(self.held.lock().views.remove(&room)),
                Wish::Task => self.take_task(&body["task"]),
                Wish::Delete(task) => {
                    self.with_view(self.world.project, |view| view.removed(task));
                }
                Wish::Post => self.world.acknowledged_message(&body["message"]),
            }
        }
        // Who asked may have given up.
        let _ = sender.send(body);
    }

    /// Whether it waits for the answer to a change by REST that it is not told of.
    pub(super) fn await_answer(&self, awaits: bool) {
        self.with_view(self.world.project, |view| view.awaits_answer = awaits);
    }

    /// An answer has brought a task.
    fn take_task(&self, task: &Value) {
        self.world.acknowledged_task(task);
        let taken = self.with_view(self.world.project, |view| view.answered(task));
        if let Some(Err(finding)) = taken {
            self.find(&finding);
        }
    }

    async fn hear_event(&self, event: &[Value]) {
        let (name, payload) = (event[0].as_str().unwrap_or_default(), &event[1]);
        if let Some(offset) = event.get(2).and_then(Value::as_str) {
            self.held.lock().offset = Some(offset.to_owned());
        }
        let room = self.world.room_of(name, payload);
        let Some(room) = room else {
            return;
        };
        match name {
            "room:resync" => {
                // While nothing is wrong, everybody is told everything.
                if self.world.faults.lock().is_empty() && !self.world.drops_lines {
                    self.find(&format!("is told to reload {room}, and nothing is wrong"));
                }
                self.with_view(room, |view| {
                    view.is_told_to_reload();
                });
                return self.reload(room).await;
            }
            "room:users" => {
                let users = payload["users"].as_array().cloned().unwrap_or_default();
                let users = users.iter().filter_map(|user| user.as_str()?.parse().ok());
                self.with_view(room, |view| view.users = users.collect());
                return;
            }
            "user:joined" | "user:left" => {
                let user = payload["userId"].as_str().and_then(|id| id.parse().ok());
                let user = user.expect("an id");
                self.with_view(room, |view| match name {
                    "user:joined" => view.users.insert(user),
                    _ => view.users.remove(&user),
                });
                return;
            }
            _ => {}
        }
        let is_stored = |task| self.world.is_stored(task);
        let asks = !self.held.lock().asked.is_empty();
        let is_troubled = !self.world.faults.lock().is_empty();
        let heard = self.with_view(room, |view| {
            view.asks = asks;
            view.is_troubled = is_troubled;
            view.hear(name, payload, is_stored)
        });
        match heard {
            // That it had left may not have been known when its node died.
            None if is_troubled => {}
            None => self.find(&format!("{name} was told of {room}, in which it is not")),
            Some(Err(finding)) => self.find(&finding),
            Some(Ok(())) => {}
        }
    }

    /// The page reads a room's documents by REST, at this moment.
    pub(super) async fn reload(&self, room: RoomKey) {
        let store = &self.world.store;
        match room {
            RoomKey::Project(id) => {
                let page = store.tasks(id, TaskQuery::default()).await.expect("tasks");
                self.with_view(room, |view| view.load_tasks(page.tasks));
            }
            RoomKey::Chat(id) => {
                let page = store.messages(id, u32::MAX, None).await.expect("messages");
                let messages = page.expect("a channel").messages;
                self.with_view(room, |view| view.load_messages(messages));
            }
            RoomKey::Workspace(_) => {}
        }
    }

    pub(super) fn at(&self) -> Option<Node> {
        self.world.node(self.node())
    }
}
