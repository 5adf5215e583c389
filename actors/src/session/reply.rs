//! The answer that somebody waits for: an acknowledgement, or the result of a REST call.
//!
//! Whoever holds a [`Reply`] owes it an answer. One that is dropped unanswered, as happens when a room breaks, answers
//! by itself that something went wrong, so nobody waits for ever.

use std::{sync::Arc, time::Instant};

use collabflow_protocol::{
    error::{ClientError, ErrorCode},
    event::ServerEvent,
    model::{Message, Task, UserBrief},
    time::Timestamp,
};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    metrics,
    node::{AckId, Refusal},
    outbox::{Broadcast, Outbox},
    session::gate::Ticket,
};

/// What was done, for who asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Done {
    /// Nothing more to say.
    Plain,
    /// Who is in the room.
    Users(Vec<Arc<UserBrief>>),
    /// The task as it is now.
    Task(Arc<Task>),
    /// The task, which an earlier request with the same key had made.
    RepeatedTask(Arc<Task>),
    /// The message.
    Message(Arc<Message>),
    /// When the fresh token ends, if it does.
    Token(Option<Timestamp>),
}

/// The answer's way back.
#[derive(Debug)]
pub(crate) struct Reply {
    to: Option<Destination>,
    /// Gives the session's permit back when the answer is on its way.
    _ticket: Option<Ticket>,
}

#[derive(Debug)]
enum Destination {
    Session {
        outbox: Arc<Outbox>,
        event: String,
        ack: Option<AckId>,
        since: Instant,
    },
    Rest {
        sender: oneshot::Sender<Result<Done, Refusal>>,
        /// A page lays the answer over its card.
        is_page: bool,
    },
    Nobody,
}

impl Reply {
    /// Answers a session's event.
    pub(crate) fn ack(
        outbox: Arc<Outbox>,
        event: String,
        ack: Option<AckId>,
        ticket: Ticket,
    ) -> Self {
        Self {
            to: Some(Destination::Session {
                outbox,
                event,
                ack,
                since: Instant::now(),
            }),
            _ticket: Some(ticket),
        }
    }

    /// Answers a REST call; of a page that lays the answer over its card, or not.
    pub(crate) fn rest(is_page: bool) -> (Self, oneshot::Receiver<Result<Done, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (
            Self {
                to: Some(Destination::Rest { sender, is_page }),
                _ticket: None,
            },
            receiver,
        )
    }

    /// Nobody waits.
    pub(crate) fn nobody() -> Self {
        Self {
            to: Some(Destination::Nobody),
            _ticket: None,
        }
    }

    /// Whether a REST call waits: its errors are worded as the old backend's were.
    pub(crate) fn is_rest(&self) -> bool {
        matches!(self.to, Some(Destination::Rest { .. }))
    }

    /// Whether a page waits that lays the answer over its card.
    pub(crate) fn is_page(&self) -> bool {
        matches!(self.to, Some(Destination::Rest { is_page: true, .. }))
    }

    /// Answers. The outbox that has to be flushed now, if any, is handed back, so that a room can do so once for all.
    pub(crate) fn settle(mut self, result: Result<Done, Refusal>) -> Option<Arc<Outbox>> {
        self.to.take().and_then(|to| to.settle(result))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(to) = self.to.take()
            && let Some(outbox) = to.settle(Err(ClientError::internal().into()))
        {
            outbox.flush();
        }
    }
}

impl Destination {
    fn settle(self, result: Result<Done, Refusal>) -> Option<Arc<Outbox>> {
        match self {
            Self::Nobody => None,
            Self::Rest { sender, .. } => {
                // Who asked may have gone away; what was done is done.
                let _ = sender.send(result);
                None
            }
            Self::Session {
                outbox,
                event,
                ack,
                since,
            } => {
                metrics::event_answered(since.elapsed(), &result);
                let frame = match (ack, result) {
                    (Some(ack), result) => ack.frame(&AckBody::from(result)),
                    (None, Err(refusal)) => {
                        let error = ServerEvent::Error {
                            event,
                            error: refusal.into_error(),
                        };
                        Broadcast::new(&error).frame(outbox.wire()).clone()
                    }
                    (None, Ok(_)) => return None,
                };
                outbox.push(&frame).then_some(outbox)
            }
        }
    }
}

/// `{ok:true, …}` or `{ok:false, error, …}`.
#[derive(Debug, Default, Serialize)]
struct AckBody {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Vec<Arc<UserBrief>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Arc<Task>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Arc<Message>>,
    /// `null` where the token never ends.
    #[serde(rename = "expiresAt", skip_serializing_if = "Option::is_none")]
    expires_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ClientError>,
}

impl From<Result<Done, Refusal>> for AckBody {
    fn from(result: Result<Done, Refusal>) -> Self {
        let ok = Self {
            ok: true,
            ..Self::default()
        };
        match result {
            Ok(Done::Plain) => ok,
            Ok(Done::Users(users)) => Self {
                users: Some(users),
                ..ok
            },
            Ok(Done::Task(task) | Done::RepeatedTask(task)) => Self {
                task: Some(task),
                ..ok
            },
            Ok(Done::Token(expires_at)) => Self {
                expires_at: Some(expires_at),
                ..ok
            },
            Ok(Done::Message(message)) => Self {
                message: Some(message),
                ..ok
            },
            Err(refusal) => {
                let task = match &refusal {
                    Refusal::Conflict(task) => Some(Arc::new((**task).clone())),
                    Refusal::Error(_) => None,
                };
                Self {
                    error: Some(refusal.into_error()),
                    task,
                    ..Self::default()
                }
            }
        }
    }
}

impl Refusal {
    /// The error as clients read it; a conflict's task is apart from it.
    #[must_use]
    pub fn into_error(self) -> ClientError {
        match self {
            Self::Error(error) => error,
            Self::Conflict(_) => ClientError::new(
                ErrorCode::Conflict,
                "Somebody else has changed the task: this is how it is now",
            ),
        }
    }
}
