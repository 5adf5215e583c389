//! What a turn leaves to be sent: outboxes with frames to write, each once, however much was queued; and the answers to
//! REST calls, which go after them, so that none overtakes on the way to its page an event that is older than it.

use std::sync::Arc;

use collabflow_protocol::{id::TaskId, model::Task};

use crate::{
    node::Refusal,
    outbox::Outbox,
    session::reply::{Done, Reply},
};

/// So many sockets are written before others get a turn on the thread.
const WRITES_PER_TURN: usize = 128;

/// Who pushes to an outbox and is told to see to its flush puts it here. Dropped, as by a room that breaks, it writes
/// what is left: nobody else would, as each of these outboxes believes that somebody will.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    outboxes: Vec<Arc<Outbox>>,
    answers: Vec<(Reply, Result<Done, Refusal>)>,
}

impl Dirty {
    pub(super) fn push(&mut self, outbox: Arc<Outbox>) {
        self.outboxes.push(outbox);
    }

    /// Answers, a session in its outbox, and a REST call once what is queued is written.
    pub(super) fn answer(&mut self, reply: Reply, result: Result<Done, Refusal>) {
        if reply.is_rest() {
            self.answers.push((reply, result));
        } else {
            self.outboxes.extend(reply.settle(result));
        }
    }

    /// Whether pages are to be answered with a task.
    pub(super) fn has_pages(&self) -> bool {
        self.answers.iter().any(|(reply, _)| reply.is_page())
    }

    /// Gives the answers to pages what a task has become since: a page lays its answer over what it has been told.
    pub(super) fn bring_up_to_date(&mut self, latest: impl Fn(TaskId) -> Option<Arc<Task>>) {
        for (_, answer) in self.answers.iter_mut().filter(|(reply, _)| reply.is_page()) {
            if let Ok(Done::Task(task)) = answer
                && let Some(present) = latest(task.id)
                && present.version > task.version
            {
                *task = present;
            }
        }
    }

    pub(super) async fn flush(&mut self) {
        while !self.outboxes.is_empty() {
            let turn = self.outboxes.len().min(WRITES_PER_TURN);
            self.outboxes
                .drain(..turn)
                .for_each(|outbox| outbox.flush());
            if !self.outboxes.is_empty() {
                tokio::task::yield_now().await;
            }
        }
        self.send_answers();
    }

    fn send_answers(&mut self) {
        for (reply, result) in self.answers.drain(..) {
            // A REST call has no outbox.
            let _ = reply.settle(result);
        }
    }
}

impl Drop for Dirty {
    fn drop(&mut self) {
        self.outboxes.iter().for_each(|outbox| outbox.flush());
        self.send_answers();
    }
}

#[cfg(test)]
mod tests {
    use collabflow_protocol::socket;

    use super::*;
    use crate::room::fixture::task;

    #[test]
    fn what_a_room_that_breaks_has_queued_is_written() {
        let outbox = Outbox::for_tests();
        let frame = socket::connect("sid", None);
        assert!(outbox.push(&frame), "the first to push has to flush");
        assert!(!outbox.push(&frame), "somebody else will flush");
        let mut dirty = Dirty::default();
        dirty.push(Arc::clone(&outbox));
        let (reply, mut answer) = Reply::rest(false);
        dirty.answer(reply, Ok(Done::Plain));
        drop(dirty);
        assert!(outbox.push(&frame), "it was flushed");
        assert_eq!(answer.try_recv(), Ok(Ok(Done::Plain)));
    }

    #[tokio::test]
    async fn a_rest_call_is_answered_after_what_is_older_is_written() {
        let outbox = Outbox::for_tests();
        let (reply, mut answer) = Reply::rest(false);
        let mut dirty = Dirty::default();
        dirty.answer(reply, Ok(Done::Plain));
        assert!(outbox.push(&socket::connect("sid", None)));
        dirty.push(Arc::clone(&outbox));
        assert!(answer.try_recv().is_err(), "nothing is written yet");
        dirty.flush().await;
        assert_eq!(answer.try_recv(), Ok(Ok(Done::Plain)));
    }

    #[test]
    fn only_a_page_is_answered_with_what_others_have_made_of_the_task_in_the_same_turn() {
        let (page, mut of_page) = Reply::rest(true);
        let (script, mut of_script) = Reply::rest(false);
        let mut dirty = Dirty::default();
        for reply in [page, script] {
            dirty.answer(reply, Ok(Done::Task(task(2, "mine").into())));
        }
        dirty.bring_up_to_date(|_| Some(task(3, "theirs").into()));
        drop(dirty);
        let version = |answer: Result<Result<Done, Refusal>, _>| match answer {
            Ok(Ok(Done::Task(task))) => task.version,
            _ => panic!("no task"),
        };
        assert_eq!(version(of_page.try_recv()), 3);
        assert_eq!(version(of_script.try_recv()), 2);
    }
}
