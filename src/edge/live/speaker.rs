//! A session from the side of its connection: what the client says reaches it within the limits, whatever the protocol.

use collabflow_actors::{
    node::{Ended, Inbound, Request, Session},
    outbox::CloseReason,
};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    time::Timestamp,
};
use tokio::time::Instant;

use super::{Clock, Flood, Passage};
use crate::{auth::Auth, config::OnExpiry, edge::engine::Settings};

/// What a fresh token is judged by.
#[derive(Clone, Copy)]
pub(in crate::edge) struct Rules<'a> {
    pub(in crate::edge) auth: &'a Auth,
    pub(in crate::edge) settings: &'a Settings,
    pub(in crate::edge) clock: &'a Clock,
}

impl Rules<'_> {
    /// A session lives by a token that ends then.
    fn live_until(&self, expires_at: Option<Timestamp>) {
        let end = match self.settings.on_expiry {
            OnExpiry::Close => expires_at,
            OnExpiry::Keep => None,
        };
        self.clock.set_expiry(end);
    }
}

/// One who is connected.
pub(in crate::edge) struct Speaker {
    session: Session,
    flood: Flood,
}

impl Speaker {
    /// A session that was just opened by a token which ends then, if it does.
    pub(in crate::edge) fn new(
        session: Session,
        expires_at: Option<Timestamp>,
        rules: Rules<'_>,
    ) -> Self {
        rules.clock.connected();
        rules.live_until(expires_at);
        Self {
            session,
            flood: Flood::new(rules.settings.events_burst, Instant::now()),
        }
    }

    /// Takes an event; waits while the session has too much to do already.
    pub(in crate::edge) async fn take(
        &mut self,
        mut inbound: Box<Inbound>,
        rules: Rules<'_>,
    ) -> Result<(), CloseReason> {
        if self.passage(rules)? == Passage::Refused {
            inbound.event = Err(ClientError::new(
                ErrorCode::RateLimited,
                "Too many events: slow down",
            ));
        }
        // The end has been told; nothing counts any more.
        if !rules.clock.has_expired() {
            if let Ok(Request::Refresh(token)) = &inbound.event {
                inbound.event = self
                    .refresh(token.as_deref(), rules)
                    .map(Request::Refreshed);
            }
            self.session.receive(inbound).await;
        }
        Ok(())
    }

    fn passage(&mut self, rules: Rules<'_>) -> Result<Passage, CloseReason> {
        let settings = rules.settings;
        let (per_second, burst) = (settings.events_per_second, settings.events_burst);
        match self.flood.judge(per_second, burst, Instant::now()) {
            Passage::Closed => Err(CloseReason::Flood),
            passage => Ok(passage),
        }
    }

    /// Whatever is wrong with the token, the session goes on by the one it has.
    fn refresh(
        &self,
        token: Option<&str>,
        rules: Rules<'_>,
    ) -> Result<Option<Timestamp>, ClientError> {
        let expires_at = rules.auth.renew(token, self.session.user().id)?;
        rules.live_until(expires_at);
        Ok(expires_at)
    }

    /// The session is over.
    pub(in crate::edge) fn end(self, how: Ended, clock: &Clock) {
        clock.set_expiry(None);
        self.session.end(how);
    }
}
