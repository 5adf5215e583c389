//! Channels and messages.

use collabflow_protocol::{
    id::{ChannelId, MessageId, ProjectId, UserId},
    model::Channel,
    time::Timestamp,
};

use super::state::{By, State, taken};
use crate::store::{MessagePage, NewMessage, PostOutcome, StoreError, new_message};

impl State {
    pub(super) fn create_channel(
        &mut self,
        id: ChannelId,
        name: String,
        project: ProjectId,
        creator: UserId,
        now: Timestamp,
    ) -> Result<Option<Channel>, StoreError> {
        let Some(of) = self.projects.get(&project) else {
            return Ok(None);
        };
        if self.channels.contains_key(&id) {
            return Err(taken());
        }
        let document = Channel {
            id,
            name,
            project: Some(project),
            workspace: Some(of.document.workspace),
            created_by: None,
            created_at: now,
            updated_at: now,
        };
        let by = creator;
        self.channels.insert(id, By { document, by });
        Ok(self.channel(id))
    }

    pub(super) fn channel(&self, id: ChannelId) -> Option<Channel> {
        let stored = self.channels.get(&id)?;
        Some(self.shown_channel(stored))
    }

    pub(super) fn channels(&self, project: ProjectId) -> Vec<Channel> {
        self.channels_where(|channel| channel.project == Some(project))
    }

    /// Oldest first.
    pub(super) fn channels_where(&self, wanted: impl Fn(&Channel) -> bool) -> Vec<Channel> {
        let mut list: Vec<_> = self
            .channels
            .values()
            .filter(|stored| wanted(&stored.document))
            .map(|stored| self.shown_channel(stored))
            .collect();
        list.sort_by_key(|channel| (channel.created_at, channel.id));
        list
    }

    pub(super) fn delete_channel(&mut self, id: ChannelId) -> Option<Channel> {
        let channel = self.channel(id)?;
        self.channels.remove(&id);
        self.forget(id.0);
        Some(channel)
    }

    pub(super) fn post_message(&mut self, new: NewMessage) -> Result<PostOutcome, StoreError> {
        let first = self.messages.values().find(|stored| {
            stored.document.channel == new.channel
                && stored.by == new.sender
                && stored.document.client_id.is_some()
                && stored.document.client_id == new.draft.client_id
        });
        if let Some(first) = first {
            let message = self.shown_message(first);
            return Ok(PostOutcome::Repeated(Box::new(message)));
        }
        let key = (new.channel, new.id);
        if self.messages.contains_key(&key) {
            return Err(taken());
        }
        let by = new.sender;
        let document = new_message(new, self.user(by));
        let message = document.clone();
        self.messages.insert(key, By { document, by });
        Ok(PostOutcome::Posted(Box::new(message)))
    }

    pub(super) fn messages(
        &self,
        channel: ChannelId,
        limit: u32,
        before: Option<MessageId>,
    ) -> Option<MessagePage> {
        if before.is_some_and(|id| !self.messages.contains_key(&(channel, id))) {
            return None;
        }
        let mut messages: Vec<_> = self
            .messages
            .iter()
            .filter(|((of, id), _)| *of == channel && before.is_none_or(|before| *id < before))
            .map(|(_, stored)| self.shown_message(stored))
            .collect();
        let surplus = messages.len().saturating_sub(limit as usize);
        messages.drain(..surplus);
        Some(MessagePage {
            messages,
            more: surplus > 0,
        })
    }

    pub(super) fn greatest_message(&self) -> Option<MessageId> {
        self.messages.keys().map(|(_, id)| *id).max()
    }
}
