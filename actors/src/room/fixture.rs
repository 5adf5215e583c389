//! Users, sessions, tasks and a driven room for the tests of a room's rules.

use std::sync::Arc;

use collabflow_protocol::{
    event::{ServerEvent, TaskCommand},
    id::{ObjectId, ProjectId, TaskId, UserId, WorkspaceId},
    model::{Position, Priority, Role, Status, Task, TaskPatch, UserBrief},
    time::Timestamp,
};
use tokio::time::{Duration, Instant};

use super::{
    effect::{Answer, Audience, Effect, MembershipRead, Request},
    message::{Author, RoomMessage},
    pipeline::Slot,
    shared::Shared,
    state::{Command, Followed, RoomState},
};
use crate::{
    backplane::{self, Append, Place},
    id::SessionId,
    key::RoomKey,
    node::{Caller, Echo, RecoveryMode, Refusal, Settings},
    outbox::Outbox,
    session::{
        entry::SessionEntry,
        reply::{Done, Reply},
    },
    store::{CreateOutcome, Membership, TaskOutcome},
};

/// User number `n`.
pub(crate) fn user(n: u8) -> Arc<UserBrief> {
    let id = UserId(ObjectId::from_bytes([n; 12]));
    Arc::new(UserBrief {
        id,
        name: format!("User {n}"),
        email: Some(format!("user{n}@example.com")),
    })
}

/// A session of user number `n`.
pub(crate) fn session(n: u8) -> Arc<SessionEntry> {
    SessionEntry::new(user(n), Outbox::for_tests())
}

/// The session of an old one's user that is to get its rooms.
pub(crate) fn successor(old: &Arc<SessionEntry>) -> Arc<SessionEntry> {
    let (old, user) = (Arc::clone(old), old.user());
    let pid = old.pid;
    SessionEntry::succeeding(old, pid, user, Outbox::for_tests())
}

pub(crate) const PROJECT: ProjectId = ProjectId(ObjectId::from_bytes([100; 12]));
pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(ObjectId::from_bytes([101; 12]));
pub(crate) const TASK: TaskId = TaskId(ObjectId::from_bytes([102; 12]));

/// The task at version `version` with this title, in the column `todo`.
pub(crate) fn task(version: u64, title: &str) -> Task {
    let moment = Timestamp::from_millis(1_700_000_000_000).expect("valid");
    Task {
        id: TASK,
        title: title.into(),
        description: None,
        status: Status::Todo,
        priority: Priority::Medium,
        assignee: None,
        project: PROJECT,
        workspace: WORKSPACE,
        due_date: None,
        subtasks: Vec::new(),
        labels: Vec::new(),
        created_by: None,
        position: Position::stored("a0V"),
        version,
        created_at: moment,
        updated_at: moment,
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        presence_grace: Duration::from_secs(5),
        recovery_window: Duration::from_secs(120),
        rejoin: true,
        recovery: RecoveryMode::OptIn,
        recovery_bytes_max: 1_000_000,
        membership_max_age: Duration::from_secs(10),
        write_by_socket: true,
        rooms_per_session_max: 3,
        store_timeout: Duration::from_secs(5),
    }
}

/// A room whose clock and store are the test's.
pub(crate) struct TestRoom {
    pub(crate) state: RoomState,
    pub(crate) now: Instant,
    pub(crate) members: Membership,
    /// Whether reads of memberships wait for [`Self::read`].
    pub(crate) holds_reads: bool,
    pub(crate) reads: Vec<u64>,
    /// What was appended to the log, in order.
    pub(crate) appended: Vec<Append>,
    /// After which offsets the log was read.
    pub(crate) log_reads: Vec<u64>,
    asked: Vec<(Slot, Request)>,
    /// What else was asked of the cluster.
    pub(crate) of_cluster: Vec<Effect>,
    told: Vec<(ServerEvent, Audience)>,
    /// What was told that other rooms are told as well.
    pub(crate) shared: Vec<Arc<Shared>>,
    answered: Vec<Result<Done, Refusal>>,
}

impl TestRoom {
    /// A project's room with users 1 to 9 as members.
    pub(crate) fn new() -> Self {
        Self::of(RoomKey::Project(PROJECT))
    }

    pub(crate) fn of(key: RoomKey) -> Self {
        Self::with_log(key, None)
    }

    /// One of a node that is joined to others.
    pub(crate) fn clustered() -> Self {
        Self::with_log(RoomKey::Project(PROJECT), Some(true))
    }

    /// One that has a member, and follows its log from here on.
    pub(crate) fn following() -> Self {
        let mut room = Self::clustered();
        room.join(&session(9));
        room.apply(Command::Following(Ok(Followed {
            top: Some(place(0).position),
            stamp: place(0).stamp,
            present: Vec::new(),
        })));
        room.take_told();
        room.take_answered();
        room.of_cluster.clear();
        room
    }

    pub(crate) fn with_log(key: RoomKey, log: Option<bool>) -> Self {
        let now = Instant::now();
        let roles = (1..=9).map(|n| (user(n).id, Role::Member)).collect();
        Self {
            state: RoomState::new(key, settings(), log, now),
            now,
            members: Membership {
                roles,
                workspace: Some(WORKSPACE),
            },
            holds_reads: false,
            reads: Vec::new(),
            appended: Vec::new(),
            log_reads: Vec::new(),
            asked: Vec::new(),
            of_cluster: Vec::new(),
            told: Vec::new(),
            shared: Vec::new(),
            answered: Vec::new(),
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.apply(Command::Tick);
    }

    /// Sends a message; memberships are read at once.
    pub(crate) fn send(&mut self, message: RoomMessage) {
        self.apply(Command::Message(message));
    }

    pub(crate) fn apply(&mut self, command: Command) {
        let effects = self.state.apply(command, self.now);
        self.perform(effects);
    }

    /// The oldest read of memberships that was held comes in.
    pub(crate) fn read(&mut self, found: MembershipRead) {
        let number = self.reads.remove(0);
        self.apply(Command::Membership(number, found));
    }

    /// The room breaks, and is started again with who is in it.
    pub(crate) fn restart(&mut self) {
        let fresh = RoomState::new(self.state.key(), settings(), None, self.now);
        let broken = std::mem::replace(&mut self.state, fresh);
        let seats: Vec<_> = broken
            .members()
            .seats()
            .iter()
            .map(|seat| (Arc::clone(&seat.entry), seat.is_away()))
            .collect();
        let effects = self.state.restart(broken, seats);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ReadMembership(number) if self.holds_reads => self.reads.push(number),
                Effect::ReadMembership(number) => {
                    let found = Ok(Some(self.members.clone()));
                    self.apply(Command::Membership(number, found));
                }
                Effect::Ask(slot, request) => self.asked.push((slot, request)),
                Effect::Tell(event, audience, _) => self.told.push((event, audience)),
                Effect::Answer(_, result) => self.answered.push(result),
                Effect::Confirm(done) => drop(done.send(())),
                Effect::Vouch(asked, standing) => drop(asked.send(standing)),
                Effect::Take(message) => self.send(message),
                Effect::Append(append) => self.appended.push(append),
                Effect::ReadLog(after) => self.log_reads.push(after),
                Effect::TellShared(shared, _) => self.shared.push(shared),
                Effect::Replay { .. } | Effect::MoveOn(..) | Effect::Record(_) => {}
                of_cluster => self.of_cluster.push(of_cluster),
            }
        }
    }

    /// What was appended to the log since the last call.
    pub(crate) fn take_appended(&mut self) -> Vec<Append> {
        std::mem::take(&mut self.appended)
    }

    /// Answers the oldest question to the store.
    pub(crate) fn answer(&mut self, answer: Answer) {
        let (slot, _) = self.asked.remove(0);
        self.apply(Command::Answered(slot, answer));
    }

    pub(crate) fn asked(&self) -> &[(Slot, Request)] {
        &self.asked
    }

    /// What was told since the last call, and to whom.
    pub(crate) fn take_told(&mut self) -> Vec<(ServerEvent, Audience)> {
        std::mem::take(&mut self.told)
    }

    /// What was told since the last call to one session, by event name and payload.
    pub(crate) fn heard_by(&mut self, session: SessionId) -> Vec<serde_json::Value> {
        let told = self.take_told();
        let hears = |audience: &Audience| match audience {
            Audience::All => true,
            Audience::AllBut(out) => !out.contains(&session),
            Audience::Only(sessions) => sessions.contains(&session),
        };
        told.iter()
            .filter(|(_, audience)| hears(audience))
            .map(|(event, _)| serde_json::json!([event.name(), event]))
            .collect()
    }

    pub(crate) fn take_answered(&mut self) -> Vec<Result<Done, Refusal>> {
        std::mem::take(&mut self.answered)
    }

    pub(crate) fn join(&mut self, entry: &Arc<SessionEntry>) {
        self.send(RoomMessage::Join(Arc::clone(entry), Reply::nobody()));
    }

    pub(crate) fn by_socket(&mut self, entry: &Arc<SessionEntry>, command: TaskCommand) {
        self.send(RoomMessage::Task(
            Author::Session(Arc::clone(entry)),
            Box::new(command),
            Reply::nobody(),
        ));
    }

    /// A REST change by user `n` from a page of the old client: it is stored as `after`.
    pub(crate) fn by_page(
        &mut self,
        n: u8,
        command: TaskCommand,
        before: Option<&Task>,
        after: &Task,
    ) {
        let caller = Caller {
            user: user(n),
            echo: Echo::NotAuthor,
        };
        self.send(RoomMessage::Task(
            Author::Rest(caller, None),
            Box::new(command),
            Reply::nobody(),
        ));
        let after = Box::new(after.clone());
        self.answer(match before {
            None => Answer::Created(CreateOutcome::Created(after)),
            Some(before) => Answer::Changed(TaskOutcome::Changed {
                before: Box::new(before.clone()),
                after,
                index: 0,
                base: before.version,
            }),
        });
    }
}

/// The place of entry number `offset`.
pub(crate) fn place(offset: u64) -> Place {
    let epoch = "epoch".into();
    Place {
        position: backplane::Position { epoch, offset },
        stamp: 1_000 + offset,
    }
}

/// `task:update` with these fields.
pub(crate) fn patch(patch: TaskPatch) -> TaskCommand {
    TaskCommand::Update {
        task: TASK,
        whole: None,
        patch: Ok(patch),
        expected: None,
    }
}

/// A patch of the title.
pub(crate) fn title(title: &str) -> TaskPatch {
    TaskPatch {
        title: Some(title.into()),
        ..TaskPatch::default()
    }
}
