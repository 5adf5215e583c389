//! A room's state, and how each command changes it: `apply(command, now)` gives effects, and does nothing else.

use std::{collections::VecDeque, sync::Arc};

use collabflow_protocol::{
    error::ClientError,
    event::{ServerEvent, TaskCommand},
    id::UserId,
    model::MessageDraft,
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    access::{Access, Denied, Need, Verdict},
    announcement::Announcement,
    crowd::Crowd,
    effect::{Answer, Audience, Effect, MembershipRead},
    members::Members,
    message::{Author, RoomMessage, Standing},
    pipeline::{Pipeline, Slot},
    presence::Presence,
    told::{Kind, Told},
    typing::Typing,
};
use crate::{
    key::RoomKey,
    node::{Refusal, Settings},
    session::{entry::SessionEntry, reply::Reply},
    store::StoreError,
};

/// How long a room that nobody is in is kept, for the next one who needs it.
const IDLE: std::time::Duration = std::time::Duration::from_secs(5);

/// How soon memberships are read again where somebody waits for them and a read has failed.
const READ_AGAIN: std::time::Duration = std::time::Duration::from_millis(250);

/// What changes a room.
#[derive(Debug)]
pub(crate) enum Command {
    /// Somebody has said something.
    Message(RoomMessage),
    /// The memberships were read, by the read with this number.
    Membership(u64, MembershipRead),
    /// The store has answered.
    Answered(Slot, Answer),
    /// Something may be due.
    Tick,
    /// Breaks the room, for tests of supervision.
    #[cfg(feature = "testing")]
    Panic,
}

/// Work at the store, and what is to be done with its answer.
#[derive(Debug)]
pub(crate) enum Work {
    Change(Author, Kind, Reply),
    Announce(Author, Box<Announcement>, Reply),
    Post(Reply),
}

/// A command that waits for memberships to be read.
#[derive(Debug)]
pub(super) struct Parked {
    /// The read that it waits for.
    read: u64,
    pub(super) command: Asked,
}

/// A command that needs its author to be a member.
#[derive(Debug)]
pub(crate) enum Asked {
    Join(Arc<SessionEntry>, Reply),
    Return {
        old: Arc<SessionEntry>,
        new: Arc<SessionEntry>,
    },
    Vouch(UserId, oneshot::Sender<Standing>),
    Task(Author, Box<TaskCommand>, Reply),
    Post(Author, MessageDraft, Reply),
    Typing(Arc<SessionEntry>, bool, Reply),
}

/// What outlives a room that breaks.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) pipeline: Pipeline<Work, Answer>,
    pub(super) told: Told,
}

#[derive(Debug)]
pub(crate) struct RoomState {
    pub(super) key: RoomKey,
    pub(super) settings: Settings,
    pub(super) members: Members,
    pub(super) presence: Presence,
    pub(super) crowd: Crowd,
    pub(super) typing: Typing,
    pub(super) access: Access,
    pub(super) ledger: Ledger,
    pub(super) parked: VecDeque<Parked>,
    /// Who waits for memberships to be read anew, and by which read.
    awaiting: Vec<(u64, oneshot::Sender<()>)>,
    /// When memberships are read again after a read has failed.
    read_again_at: Option<Instant>,
    last_used: Instant,
    pub(super) effects: Vec<Effect>,
}

impl RoomState {
    pub(crate) fn new(key: RoomKey, settings: Settings, now: Instant) -> Self {
        Self {
            key,
            members: Members::default(),
            presence: Presence::new(settings.presence_grace),
            crowd: Crowd::default(),
            typing: Typing::default(),
            access: Access::new(settings.membership_max_age),
            ledger: Ledger::default(),
            parked: VecDeque::new(),
            awaiting: Vec::new(),
            read_again_at: None,
            last_used: now,
            effects: Vec::new(),
            settings,
        }
    }

    /// Seats those who were in the room when it broke, and keeps what was under way; who waited for memberships to be read
    /// waits for a read of them anew. Everybody is told who is there.
    pub(crate) fn restart(
        &mut self,
        broken: Self,
        seats: impl IntoIterator<Item = (Arc<SessionEntry>, bool)>,
    ) -> Vec<Effect> {
        self.access.succeed(&broken.access);
        self.ledger = broken.ledger;
        self.ledger.pipeline.drop_unsent();
        for (entry, is_away) in seats {
            if is_away {
                self.members.add(Arc::clone(&entry));
                self.members.set_away(&entry, self.last_used);
            } else {
                self.presence.arrive(&entry.user);
                self.members.add(entry);
            }
        }
        self.tell_everybody();
        self.end_typing(broken.typing);
        let now = self.last_used;
        if !broken.awaiting.is_empty() {
            let read = self.access.invalidate();
            let waiting = broken.awaiting.into_iter().map(|(_, done)| (read, done));
            self.awaiting.extend(waiting);
            self.read_membership(read, now);
        }
        for Parked { command, .. } in broken.parked {
            self.ask(command, 0, now);
        }
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn key(&self) -> RoomKey {
        self.key
    }

    /// The store has been asked.
    pub(crate) fn sent(&mut self, slot: Slot) {
        self.ledger.pipeline.sent(slot);
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Takes one command; what is to be done is the answer.
    pub(crate) fn apply(&mut self, command: Command, now: Instant) -> Vec<Effect> {
        match command {
            Command::Message(message) => self.take_message(message, now),
            Command::Membership(number, read) => self.take_membership(number, read, now),
            Command::Answered(slot, answer) => {
                self.ledger.pipeline.fill(slot, answer);
                self.commit_answered(now);
            }
            Command::Tick => self.take_due(now),
            #[cfg(feature = "testing")]
            Command::Panic => panic!("a test breaks this room"),
        }
        std::mem::take(&mut self.effects)
    }

    fn take_message(&mut self, message: RoomMessage, now: Instant) {
        self.last_used = now;
        match message {
            RoomMessage::Join(entry, reply) => self.ask(Asked::Join(entry, reply), 0, now),
            RoomMessage::Return { old, new } => self.ask(Asked::Return { old, new }, 0, now),
            RoomMessage::Vouch(user, asked) => self.ask(Asked::Vouch(user, asked), 0, now),
            RoomMessage::Renew { old, new } => self.renew(&old, &new, now),
            RoomMessage::Task(author, command, reply) => {
                self.ask(Asked::Task(author, command, reply), 0, now);
            }
            RoomMessage::Post(author, draft, reply) => {
                self.ask(Asked::Post(author, draft, reply), 0, now);
            }
            RoomMessage::Typing(entry, is_typing, reply) => {
                self.ask(Asked::Typing(entry, is_typing, reply), 0, now);
            }
            RoomMessage::Depart(entry, how, reply) => self.depart(&entry, how, reply, now),
            RoomMessage::Away(entry) => {
                if self.away(&entry, now) {
                    self.tell_in_flight(&entry, now);
                }
            }
            RoomMessage::Tell {
                event,
                only,
                heard,
                done,
            } => {
                self.effects
                    .extend([Effect::TellOn(event, only, heard), Effect::Confirm(done)]);
            }
            RoomMessage::MembershipChanged(done) => {
                let read = self.access.invalidate();
                self.awaiting.push((read, done));
                self.read_membership(read, now);
            }
            RoomMessage::Close(done) => self.close(done),
        }
    }

    /// Runs a command if its author may; `read` is the read of memberships that it has waited for.
    fn ask(&mut self, asked: Asked, read: u64, now: Instant) {
        let (user, need) = asked.question();
        match self.access.judge(user, need, read, now) {
            Verdict::Granted => self.run(asked, now),
            Verdict::Denied(denied) => self.deny(asked, denied, now),
            Verdict::Read(read) => {
                self.parked.push_back(Parked {
                    read,
                    command: asked,
                });
                self.read_membership(read, now);
            }
        }
    }

    fn run(&mut self, asked: Asked, now: Instant) {
        match asked {
            Asked::Join(entry, reply) => self.join(entry, reply, now),
            Asked::Return { old, new } => self.give_back(&old, &new, now),
            Asked::Vouch(_, asked) => self.vouch(asked, Standing::Member),
            Asked::Task(author, command, reply) => self.change_task(author, command, reply, now),
            Asked::Post(author, draft, reply) => self.post(&author, draft, reply),
            Asked::Typing(entry, is_typing, reply) => self.type_in(&entry, is_typing, reply, now),
        }
    }

    fn deny(&mut self, asked: Asked, denied: Denied, now: Instant) {
        match asked {
            Asked::Return { old, new } => self.unseat(&old, &new, now),
            Asked::Vouch(_, asked) => {
                let standing = match denied {
                    Denied::NotFound => Standing::Gone,
                    Denied::NotMember | Denied::Role => Standing::Stranger,
                };
                self.vouch(asked, standing);
            }
            Asked::Join(_, reply) | Asked::Post(_, _, reply) | Asked::Typing(_, _, reply) => {
                self.refuse(reply, denied.error(self.key));
            }
            Asked::Task(_, command, reply) => {
                let hides = reply.is_rest() && matches!(*command, TaskCommand::Create { .. });
                let error = match denied {
                    Denied::NotMember | Denied::NotFound if hides => {
                        ClientError::not_found("Project not found or access denied")
                    }
                    denied => denied.error(self.key),
                };
                self.refuse(reply, error);
            }
        }
    }

    fn read_membership(&mut self, read: u64, now: Instant) {
        if self.access.begin(read, now) {
            self.effects.push(Effect::ReadMembership(read));
        }
    }

    fn take_membership(&mut self, number: u64, read: MembershipRead, now: Instant) {
        if !self.access.awaits(number) {
            return;
        }
        let failed = match read {
            Ok(membership) => {
                if self.key.scope().is_some() {
                    let users = membership.as_ref().map_or(0, |known| known.roles.len());
                    self.crowd.resize(users);
                }
                self.access.take(membership);
                self.evict_strangers(now);
                None
            }
            Err(error) => {
                self.access.give_up();
                Some(error)
            }
        };
        // Nobody is told that a change is in force by a read that has failed.
        let fails = failed.is_some() && !self.awaiting.is_empty();
        self.read_again_at = fails.then(|| now + READ_AGAIN);
        for (read, done) in std::mem::take(&mut self.awaiting) {
            if self.access.has(read) {
                self.effects.push(Effect::Confirm(done));
                continue;
            }
            self.awaiting.push((read, done));
            if !fails {
                self.read_membership(read, now);
            }
        }
        for Parked { read, command } in std::mem::take(&mut self.parked) {
            match &failed {
                Some(error) => self.fail(command, error, now),
                None => self.ask(command, read, now),
            }
        }
    }

    fn fail(&mut self, asked: Asked, error: &StoreError, now: Instant) {
        match asked {
            // Whether it may still sit there cannot be known.
            Asked::Return { old, new } => self.unseat(&old, &new, now),
            // Dropping it says that nothing can be said.
            Asked::Vouch(..) => {}
            Asked::Join(_, reply)
            | Asked::Post(_, _, reply)
            | Asked::Typing(_, _, reply)
            | Asked::Task(_, _, reply) => self.refuse(reply, error.for_client()),
        }
    }

    /// Does what is due by the clock.
    fn take_due(&mut self, now: Instant) {
        if self.read_again_at.take_if(|at| *at <= now).is_some() {
            self.read_membership(self.access.next_read(), now);
        }
        self.tell_gone(now);
        self.tell_crowd(now);
        self.tell_typing_ended(now);
        self.tell_overdue(now);
        self.ledger.told.prune(now);
    }

    /// When [`Command::Tick`] is wanted next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let idle = self.is_empty().then(|| self.last_used + IDLE);
        [
            self.presence.next_deadline(),
            self.crowd.next_deadline(),
            self.typing.next_deadline(),
            self.ledger.told.next_deadline(),
            self.read_again_at,
            idle,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether nobody would miss the room.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.is_empty() && self.last_used + IDLE <= now
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
            && self.presence.is_empty()
            && self.ledger.told.is_empty()
            && self.ledger.pipeline.is_empty()
            && self.parked.is_empty()
            && self.awaiting.is_empty()
    }

    pub(super) fn tell(&mut self, event: ServerEvent, audience: Audience) {
        self.effects.push(Effect::Tell(event, audience));
    }

    fn vouch(&mut self, asked: oneshot::Sender<Standing>, standing: Standing) {
        self.effects.push(Effect::Vouch(asked, standing));
    }

    pub(super) fn refuse(&mut self, reply: Reply, refusal: impl Into<Refusal>) {
        self.effects
            .push(Effect::Answer(reply, Err(refusal.into())));
    }
}

impl Asked {
    fn question(&self) -> (UserId, Need) {
        match self {
            Self::Vouch(user, _) => (*user, Need::Read),
            Self::Join(entry, _) | Self::Return { new: entry, .. } => (entry.user_id(), Need::Read),
            Self::Task(author, ..) | Self::Post(author, ..) => (author.user().id, Need::Write),
            Self::Typing(entry, ..) => (entry.user_id(), Need::Write),
        }
    }
}

impl Denied {
    fn error(self, room: RoomKey) -> ClientError {
        let what = match room {
            RoomKey::Project(_) => "Project",
            RoomKey::Workspace(_) => "Workspace",
            RoomKey::Chat(_) => "Channel",
        };
        match self {
            Self::NotFound => ClientError::not_found(format!("{what} not found")),
            Self::NotMember => ClientError::forbidden("Access denied"),
            Self::Role => ClientError::forbidden("Your role does not allow this"),
        }
    }
}

impl StoreError {
    /// What a client is told of it.
    #[must_use]
    pub fn for_client(&self) -> ClientError {
        match self {
            Self::Unavailable(_) | Self::Unknown(_) => ClientError::unavailable(),
            Self::Failed(_) => ClientError::internal(),
        }
    }
}
