//! Messages and typing.

use std::sync::Arc;

use collabflow_protocol::{
    event::ServerEvent,
    model::{MessageDraft, UserBrief},
};
use tokio::time::Instant;

use super::{
    admission::Asked,
    effect::{Answer, Audience, Effect, Request},
    entry::Entry,
    message::Author,
    state::{RoomState, Work},
    typing::Typing,
};
use crate::{
    key::RoomKey,
    session::{
        entry::SessionEntry,
        reply::{Done, Reply},
    },
    store::PostOutcome,
};

impl RoomState {
    pub(super) fn post(
        &mut self,
        author: &Author,
        draft: MessageDraft,
        reply: Reply,
        now: Instant,
    ) {
        let sender = author.user_id();
        self.line_up(Work::Post(reply), Request::Post { draft, sender }, now);
    }

    pub(super) fn commit_post(&mut self, reply: Reply, answer: Answer, now: Instant) {
        match answer {
            Answer::Posted(PostOutcome::Posted(message)) => {
                let message: Arc<_> = message.into();
                let done = Done::Message(Arc::clone(&message));
                self.log(Entry::Posted(message), reply, Ok(done), now);
            }
            Answer::Posted(PostOutcome::Repeated(message)) => {
                self.effects
                    .push(Effect::Answer(reply, Ok(Done::Message(message.into()))));
            }
            other => self.refuse_failed(reply, other),
        }
    }

    pub(super) fn type_in(
        &mut self,
        entry: &Arc<SessionEntry>,
        is_typing: bool,
        reply: Reply,
        now: Instant,
    ) {
        // It may have ended while memberships were read.
        let is_typing = is_typing && !entry.has_ended();
        self.typing.set(entry, is_typing, now);
        self.tell_typing(entry, is_typing);
        self.effects.push(Effect::Answer(reply, Ok(Done::Plain)));
    }

    /// The session is gone, and so is its typing, also what waits for memberships to be read.
    pub(super) fn stop_typing(&mut self, entry: &Arc<SessionEntry>) {
        for parked in &mut self.parked {
            if let Asked::Typing(typist, is_typing, _) = &mut parked.command {
                *is_typing &= typist.id != entry.id;
            }
        }
        if self.typing.stop(entry.id) {
            self.tell_typing(entry, false);
        }
    }

    /// Nobody types in a room that has broken.
    pub(super) fn end_typing(&mut self, broken: Typing) {
        for entry in broken.into_all() {
            self.tell_typing(&entry, false);
        }
    }

    pub(super) fn tell_typing_ended(&mut self, now: Instant) {
        for entry in self.typing.take_ended(now) {
            self.tell_typing(&entry, false);
        }
        for user in self.typing.take_ended_elsewhere(now) {
            self.tell_typing_of(user, false, Audience::All);
        }
    }

    fn tell_typing(&mut self, entry: &Arc<SessionEntry>, is_typing: bool) {
        let user = (*entry.user()).clone();
        self.tell_typing_of(user, is_typing, Audience::AllBut(vec![entry.id]));
        if self.ledger.log.is_clustered() {
            self.effects
                .push(Effect::Types(Arc::clone(entry), is_typing));
        }
    }

    pub(super) fn tell_typing_of(&mut self, user: UserBrief, is_typing: bool, to: Audience) {
        if let RoomKey::Chat(channel_id) = self.key {
            let event = ServerEvent::UserTyping {
                channel_id,
                user_id: user.id,
                user,
                is_typing,
            };
            self.tell(event, to);
        }
    }
}
