//! Frames for the polls of a client: a poll proves that the answer to the one before it has arrived.

use collabflow_protocol::frame::Frame;
use tokio::time::Instant;

use super::{Outbox, link::Link, queue::Place, state::Answer};

impl Outbox {
    /// Takes frames for a poll: one at least if there is any, and no more than fit into `bytes_max`. That it polls
    /// proves that the frames of the poll before have arrived.
    pub fn take(&self, bytes_max: usize) -> Vec<Frame> {
        let mut state = self.state.lock();
        if !matches!(state.link, Link::Polling) {
            return Vec::new();
        }
        state.prove_polled();
        let now = Instant::now();
        let mut frames = Vec::new();
        let mut left = usize::MAX;
        while let Some((place, frame)) = state.queue.take_text(left) {
            let taken = frame.len() + 1;
            left = if frames.is_empty() { bytes_max } else { left }.saturating_sub(taken);
            match (place, &mut state.log) {
                (Some(Place::Room(room)), _) => state.unproven.add(now, room, frame.clone()),
                (Some(Place::Logged(offset)), Some(log)) => log.poll(offset),
                _ => {}
            }
            frames.push(frame);
        }
        state.answer = (!frames.is_empty()).then_some(Answer::Given);
        frames
    }

    /// The connection has taken what the last poll was answered.
    pub fn answer_sent(&self) {
        let mut state = self.state.lock();
        if let Link::Polling = state.link {
            state.answer = Some(Answer::Sent);
        }
    }

    /// Waits until there are frames for a poll, or all is closed. It may also return for no reason.
    pub async fn polled(&self) {
        self.polled.notified().await;
    }
}
