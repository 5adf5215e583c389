//! Commands that need their author to be a member: judged by what is known of memberships, or parked until these are read.

use std::sync::Arc;

use collabflow_protocol::{
    error::ClientError, event::TaskCommand, id::UserId, model::MessageDraft,
};
use tokio::{
    sync::oneshot,
    time::{Duration, Instant},
};

use super::{
    access::{Denied, Need, Verdict},
    effect::{Effect, MembershipRead},
    message::{Author, Standing},
    state::RoomState,
};
use crate::{
    key::RoomKey,
    session::{entry::SessionEntry, reply::Reply},
    store::StoreError,
};

/// How soon memberships are read again where somebody waits for them and a read has failed.
const READ_AGAIN: Duration = Duration::from_millis(250);

/// A command that waits for memberships to be read.
#[derive(Debug)]
pub(super) struct Parked {
    /// The read that it waits for.
    pub(super) read: u64,
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

impl RoomState {
    /// Runs a command if its author may; `read` is the read of memberships that it has waited for.
    pub(super) fn ask(&mut self, asked: Asked, read: u64, now: Instant) {
        let (user, need) = asked.question();
        match self.access.judge(user, need, read, now) {
            Verdict::Granted => self.run(asked, now),
            Verdict::Denied(denied) => self.deny(asked, denied, now),
            // Where memberships cannot be read, what was read last is good enough for what nobody keeps.
            Verdict::Read(read)
                if matches!(asked, Asked::Typing(..))
                    && self.access.was_granted(user, need, now) =>
            {
                self.run(asked, now);
                self.read_membership(read, now);
            }
            Verdict::Read(read) => {
                self.parked.push_back(Parked {
                    read,
                    command: asked,
                });
                self.read_membership(read, now);
            }
        }
    }

    /// Lets those type who have waited too long for memberships to be read, if they could before.
    pub(super) fn let_type(&mut self, now: Instant) {
        if self.access.slow_at().is_none_or(|at| at > now) {
            return;
        }
        for Parked { read, command } in std::mem::take(&mut self.parked) {
            let (user, need) = command.question();
            let may =
                matches!(command, Asked::Typing(..)) && self.access.was_granted(user, need, now);
            if may {
                self.run(command, now);
            } else {
                self.parked.push_back(Parked { read, command });
            }
        }
    }

    /// When somebody who wants to type will have waited too long.
    pub(super) fn types_by(&self) -> Option<Instant> {
        let types = |parked: &Parked| {
            let (user, need) = parked.command.question();
            matches!(parked.command, Asked::Typing(..)) && self.access.could(user, need)
        };
        let at = self.access.slow_at()?;
        self.parked.iter().any(types).then_some(at)
    }

    fn run(&mut self, asked: Asked, now: Instant) {
        match asked {
            Asked::Join(entry, reply) => self.join(entry, reply, now),
            Asked::Return { old, new } => self.give_back(&old, &new, now),
            Asked::Vouch(_, asked) => self.vouch(asked, Standing::Member),
            Asked::Task(author, command, reply) => self.change_task(author, command, reply, now),
            Asked::Post(author, draft, reply) => self.post(&author, draft, reply, now),
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

    pub(super) fn read_membership(&mut self, read: u64, now: Instant) {
        if self.access.begin(read, now) {
            self.effects.push(Effect::ReadMembership(read));
        }
    }

    pub(super) fn take_membership(&mut self, number: u64, read: MembershipRead, now: Instant) {
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
        // Nobody is told that a change is in force by a read that has failed, or loses a seat by it.
        let waits = |parked: &Parked| matches!(parked.command, Asked::Return { .. });
        let fails =
            failed.is_some() && (!self.awaiting.is_empty() || self.parked.iter().any(waits));
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
            match (&failed, command) {
                (Some(_), command @ Asked::Return { .. }) => {
                    self.parked.push_back(Parked { read, command });
                }
                (Some(error), command) => self.fail(command, error),
                (None, command) => self.ask(command, read, now),
            }
        }
    }

    fn fail(&mut self, asked: Asked, error: &StoreError) {
        match asked {
            // Dropping it says that nothing can be said. A return is tried again.
            Asked::Vouch(..) | Asked::Return { .. } => {}
            Asked::Join(_, reply)
            | Asked::Post(_, _, reply)
            | Asked::Typing(_, _, reply)
            | Asked::Task(_, _, reply) => self.refuse(reply, error.for_client()),
        }
    }

    fn vouch(&mut self, asked: oneshot::Sender<Standing>, standing: Standing) {
        self.effects.push(Effect::Vouch(asked, standing));
    }
}

impl Asked {
    fn question(&self) -> (UserId, Need) {
        match self {
            Self::Vouch(user, _) => (*user, Need::Read),
            Self::Join(entry, _) | Self::Return { new: entry, .. } => (entry.user_id(), Need::Read),
            Self::Task(author, ..) | Self::Post(author, ..) => (author.user_id(), Need::Write),
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
