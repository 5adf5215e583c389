//! A room's state, and how each command changes it: `apply(command, now)` gives effects, and does nothing else.

use std::{collections::VecDeque, time::Duration};

use collabflow_protocol::{event::ServerEvent, id::TaskId, model::UserBrief};
use tokio::{sync::oneshot, time::Instant};

use super::{
    access::Access,
    admission::{Asked, Parked},
    announcement::Announcement,
    crowd::Crowd,
    effect::{Answer, Audience, Effect, MembershipRead},
    entry::{self, Entry},
    history::History,
    log::Log,
    members::Members,
    message::{Author, RoomMessage},
    pipeline::Slot,
    presence::Presence,
    restart::Ledger,
    told::Kind,
    typing::Typing,
};
use crate::{
    backplane::{Appended, BackplaneError, EntryId, Logged, Position, Tail},
    cluster::{End, RoomSays},
    id::NodeId,
    key::RoomKey,
    node::{Refusal, Settings},
    session::reply::{Done, Reply},
    store::Seen,
};

/// How long a room that nobody is in is kept, for the next one who needs it.
const IDLE: Duration = Duration::from_secs(5);

/// What changes a room.
#[derive(Debug)]
pub(crate) enum Command {
    /// Somebody has said something.
    Message(RoomMessage),
    /// The memberships were read, by the read with this number.
    Membership(u64, MembershipRead),
    /// The store has answered.
    Answered(Slot, Answer),
    /// The room's log has answered an entry.
    Appended(EntryId, Result<Appended, BackplaneError>),
    /// The room's log is followed, from this end of it on.
    Following(Result<Followed, BackplaneError>),
    /// An entry of the room's log has come.
    Logged(Logged),
    /// Who is present on other nodes was read.
    Present(Result<Vec<(NodeId, UserBrief)>, BackplaneError>),
    /// A part of the room's log was read.
    Tail(Result<Tail, BackplaneError>),
    /// Where the room's log ends.
    Top(Option<Position>),
    /// The room's log was read, whole, for who was on another node.
    History(Result<Tail, BackplaneError>),
    /// The backplane is there, or away.
    Link(bool),
    /// The backplane has forgotten everything.
    Emptied,
    /// Another node says something of the room.
    Word(NodeId, RoomSays),
    /// Another node is gone.
    NodeGone(NodeId, End),
    /// Something may be due.
    Tick,
    /// Breaks the room, for tests of supervision.
    #[cfg(feature = "testing")]
    Panic,
}

/// What a room that begins to follow its log finds.
#[derive(Debug)]
pub(crate) struct Followed {
    /// The end of the log.
    pub(crate) top: Option<Position>,
    /// Every entry before it has a stamp up to this one, and every entry after it a greater one.
    pub(crate) stamp: u64,
    /// Who is present on which other node.
    pub(crate) present: Vec<(NodeId, UserBrief)>,
}

/// Work at the store, and what is to be done with its answer.
#[derive(Debug)]
pub(crate) enum Work {
    Change(Author, Kind, Reply),
    Announce(Author, Box<Announcement>, Reply),
    /// Another program has changed a task, or made it for this user: what of it is news?
    Elsewhere(TaskId, Seen, EntryId),
    Post(Reply),
}

impl Work {
    /// Whoever waits for it.
    pub(super) fn into_reply(self) -> Reply {
        match self {
            Self::Change(.., reply) | Self::Announce(.., reply) | Self::Post(reply) => reply,
            Self::Elsewhere(..) => Reply::nobody(),
        }
    }

    /// Nobody waits for it any more. Who made a change was told that it was not made, and hears of it like everybody
    /// else; who announces one has it, whatever becomes of the announcement.
    pub(super) fn give_up(&mut self) -> Reply {
        let reply = match self {
            Self::Change(author, _, reply) => {
                author.give_up();
                reply
            }
            Self::Announce(.., reply) | Self::Post(reply) => reply,
            Self::Elsewhere(..) => return Reply::nobody(),
        };
        std::mem::replace(reply, Reply::nobody())
    }
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
    pub(super) history: History,
    pub(super) parked: VecDeque<Parked>,
    /// Who waits for memberships to be read anew, and by which read.
    pub(super) awaiting: Vec<(u64, oneshot::Sender<()>)>,
    /// When memberships are read again after a read has failed.
    pub(super) read_again_at: Option<Instant>,
    /// Who waits for nothing to be under way any more.
    pub(super) settling: Vec<oneshot::Sender<()>>,
    /// Since when memberships are read by the clock, while the backplane is away.
    pub(super) alone_from: Option<Instant>,
    pub(super) last_used: Instant,
    pub(super) effects: Vec<Effect>,
}

impl RoomState {
    /// `log` says whether the backplane is there, where this node is one of several.
    pub(crate) fn new(key: RoomKey, settings: Settings, log: Option<bool>, now: Instant) -> Self {
        Self {
            key,
            members: Members::default(),
            presence: Presence::new(settings.presence_grace),
            crowd: Crowd::default(),
            typing: Typing::default(),
            access: Access::new(settings.membership_max_age),
            ledger: Ledger {
                log: log.map(Log::clustered).unwrap_or_default(),
                ..Ledger::default()
            },
            history: History::default(),
            parked: VecDeque::new(),
            awaiting: Vec::new(),
            settling: Vec::new(),
            read_again_at: None,
            alone_from: (log == Some(false)).then_some(now),
            last_used: now,
            effects: Vec::new(),
            settings,
        }
    }

    pub(crate) fn key(&self) -> RoomKey {
        self.key
    }

    /// The store has been asked.
    pub(crate) fn sent(&mut self, slot: Slot) {
        self.ledger.pipeline.sent(slot);
    }

    #[cfg(test)]
    pub(crate) fn followed_log(&self) -> &Log {
        &self.ledger.log
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
            Command::Appended(id, appended) => self.take_appended(id, appended, now),
            Command::Following(followed) => self.take_following(followed, now),
            Command::Logged(logged) => self.take_logged(logged, now),
            Command::Present(present) => self.take_present_again(present, now),
            Command::Tail(tail) => self.take_tail(tail, now),
            Command::Top(top) => self.take_top(top),
            Command::Emptied => self.say_present(),
            Command::History(log) => self.take_history(log, now),
            Command::Link(is_up) => self.take_link(is_up, now),
            Command::Word(node, says) => self.take_word(node, says, now),
            Command::NodeGone(node, end) => self.take_node_gone(node, end, now),
            Command::Tick => self.take_due(now),
            #[cfg(feature = "testing")]
            Command::Panic => panic!("a test breaks this room"),
        }
        self.tell_settled();
        std::mem::take(&mut self.effects)
    }

    pub(super) fn take_message(&mut self, message: RoomMessage, now: Instant) {
        self.last_used = now;
        let Some(message) = self.waits_to_follow(message) else {
            return;
        };
        match message {
            RoomMessage::Join(entry, reply) => self.ask(Asked::Join(entry, reply), 0, now),
            RoomMessage::Return { old, new } => self.ask(Asked::Return { old, new }, 0, now),
            RoomMessage::Vouch(user, asked) => self.ask(Asked::Vouch(user, asked), 0, now),
            RoomMessage::Renew { old, new } => self.renew(&old, &new, now),
            RoomMessage::Adopt(adoption) => self.adopt(adoption, now),
            RoomMessage::Release(entry, told) => self.release(&entry, told, now),
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
            RoomMessage::Tell(shared, reply) => {
                let id = entry::name_in(self.key, shared.id);
                self.log_as(id, Entry::Shared(shared), reply, Ok(Done::Plain), now);
            }
            RoomMessage::MembershipChanged(done) => {
                self.reread_memberships(done, now);
            }
            RoomMessage::UserChanged(user) => {
                if self.presence.rename(&user) {
                    self.tell_others(Effect::Here(user));
                }
            }
            RoomMessage::Elsewhere(task, seen, id) => self.look_elsewhere(task, seen, id, now),
            RoomMessage::Resync(done) => {
                self.doubt_memberships(now);
                self.resync();
                self.effects.push(Effect::Confirm(done));
            }
            RoomMessage::Settle(done) => self.settling.push(done),
            RoomMessage::Close(done) => self.close(done),
        }
    }

    /// Does what is due by the clock.
    fn take_due(&mut self, now: Instant) {
        if self.read_again_at.take_if(|at| *at <= now).is_some() {
            self.read_membership(self.access.next_read(), now);
        }
        self.reread_by_clock(now);
        self.let_type(now);
        self.tell_gone(now);
        self.tell_crowd(now);
        self.tell_typing_ended(now);
        self.tell_overdue(now);
        self.refuse_overdue(now);
        self.append_again(now);
        self.look_for_present(now);
        self.give_up_waiting(now);
        self.ledger.told.prune(now);
    }

    /// Tells who waits for it that everything was told to the other nodes.
    fn tell_settled(&mut self) {
        if self.ledger.pipeline.is_empty() && self.ledger.log.is_quiet() {
            let settled = std::mem::take(&mut self.settling).into_iter();
            self.effects.extend(settled.map(Effect::Confirm));
        }
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
            self.rereads_at(),
            self.types_by(),
            self.ledger.log.next_deadline(),
            self.history.next_deadline(),
            self.ledger
                .pipeline
                .waits_since()
                .map(|since| since + self.settings.store_timeout),
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

    /// Somebody still needs the room.
    pub(crate) fn keep(&mut self, now: Instant) {
        self.last_used = now;
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
            && self.presence.is_empty()
            && self.ledger.told.is_empty()
            && self.ledger.pipeline.is_empty()
            && self.ledger.log.is_quiet()
            && self.history.is_empty()
            && self.parked.is_empty()
            && self.awaiting.is_empty()
    }

    pub(super) fn tell(&mut self, event: ServerEvent, audience: Audience) {
        let mark = self.ledger.log.mark();
        self.effects.push(Effect::Tell(event, audience, mark));
    }

    pub(super) fn refuse(&mut self, reply: Reply, refusal: impl Into<Refusal>) {
        self.effects
            .push(Effect::Answer(reply, Err(refusal.into())));
    }
}
