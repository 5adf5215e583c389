//! A session from the side of its connection: what the client says reaches it within the limits, whatever the protocol.

use collabflow_actors::{
    node::{Ended, Inbound, Request, Session},
    outbox::CloseReason,
};
use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    time::Timestamp,
};

use super::{Allowance, Clock, Passage};
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
        Self { session }
    }

    /// Takes an event; waits while the session has too much to do already.
    pub(in crate::edge) async fn take(
        &self,
        mut inbound: Box<Inbound>,
        allowance: &mut Allowance,
        rules: Rules<'_>,
    ) -> Result<(), CloseReason> {
        if allowance.event(rules.settings)? == Passage::Refused {
            inbound.event = Err(slow_down());
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

    /// Whatever is wrong with the token, the session goes on by the one it has.
    fn refresh(
        &self,
        token: Option<&str>,
        rules: Rules<'_>,
    ) -> Result<Option<Timestamp>, ClientError> {
        let expires_at = rules.auth.renew(token, self.session.user_id())?;
        rules.live_until(expires_at);
        Ok(expires_at)
    }

    /// The session is over.
    pub(in crate::edge) fn end(self, how: Ended, clock: &Clock) {
        clock.disconnected();
        self.session.end(how);
    }
}

/// What is answered to one who says too much.
pub(in crate::edge) fn slow_down() -> ClientError {
    ClientError::new(ErrorCode::RateLimited, "Too much at once: slow down")
}
