//! What the other nodes were asked to do, and who has not said yet that it is done.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use crate::id::NodeId;

/// Questions that are not answered by all.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    last: u64,
    open: HashMap<u64, Question>,
    /// Nodes that left a question without an answer, and when.
    silent: HashMap<NodeId, Instant>,
}

/// For how long a node that left a question without an answer need not be waited for: by then it is known to be dead, or
/// was heard.
const SILENT_FOR: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Question {
    missing: HashSet<NodeId>,
    /// Dropped when nobody is missing any more.
    _done: oneshot::Sender<()>,
}

impl Asked {
    /// A new question to these nodes: its number, and what ends when all have answered.
    pub(crate) fn ask(&mut self, nodes: HashSet<NodeId>) -> (u64, oneshot::Receiver<()>) {
        self.last += 1;
        let (done, answered) = oneshot::channel();
        if !nodes.is_empty() {
            let question = Question {
                missing: nodes,
                _done: done,
            };
            self.open.insert(self.last, question);
        }
        (self.last, answered)
    }

    /// A node has done what it was asked for.
    pub(crate) fn answer(&mut self, number: u64, node: NodeId) {
        self.silent.remove(&node);
        self.open.retain(|its, question| {
            if *its == number {
                question.missing.remove(&node);
            }
            !question.missing.is_empty()
        });
    }

    /// A node is gone, and has nobody left to do anything for.
    pub(crate) fn gone(&mut self, node: NodeId) {
        self.open.retain(|_, question| {
            question.missing.remove(&node);
            !question.missing.is_empty()
        });
    }

    /// Nobody waits for it longer. These have not answered, and whether that is news of one of them.
    pub(crate) fn give_up(&mut self, number: u64, now: Instant) -> (HashSet<NodeId>, bool) {
        let question = self.open.remove(&number);
        let missing = question.map_or_else(HashSet::new, |question| question.missing);
        self.silent.retain(|_, since| *since + SILENT_FOR > now);
        let known = self.silent.len();
        for node in &missing {
            self.silent.entry(*node).or_insert(now);
        }
        (missing, self.silent.len() > known)
    }

    /// Whether a node has just left a question without an answer.
    pub(crate) fn is_silent(&self, node: NodeId, now: Instant) -> bool {
        let since = self.silent.get(&node);
        since.is_some_and(|since| *since + SILENT_FOR > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_answered(answered: &mut oneshot::Receiver<()>) -> bool {
        answered.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn it_is_answered_when_all_have_answered_or_are_gone() {
        let (mut asked, nodes) = (Asked::default(), [(); 3].map(|()| NodeId::random()));
        let (other, mut of_other) = asked.ask(HashSet::from([nodes[0]]));
        let (number, mut answered) = asked.ask(HashSet::from(nodes));
        asked.answer(number, nodes[0]);
        asked.answer(number, nodes[0]);
        asked.gone(nodes[1]);
        assert!(!is_answered(&mut answered));
        asked.answer(number, nodes[2]);
        assert!(is_answered(&mut answered));
        assert!(!is_answered(&mut of_other));
        let now = Instant::now();
        assert_eq!(asked.give_up(other, now).0, HashSet::from([nodes[0]]));
        assert!(is_answered(&mut of_other));
    }

    #[test]
    fn nobody_has_nothing_to_do() {
        let mut asked = Asked::default();
        let (number, mut answered) = asked.ask(HashSet::new());
        assert!(is_answered(&mut answered));
        assert!(asked.give_up(number, Instant::now()).0.is_empty());
    }

    #[test]
    fn a_node_that_does_not_answer_is_news_once_and_is_not_waited_for_until_it_does() {
        let (mut asked, node, now) = (Asked::default(), NodeId::random(), Instant::now());
        let ask = |asked: &mut Asked, now| {
            let (number, _answered) = asked.ask(HashSet::from([node]));
            asked.give_up(number, now).1
        };
        assert!(!asked.is_silent(node, now));
        assert!(ask(&mut asked, now));
        assert!(asked.is_silent(node, now));
        assert!(!ask(&mut asked, now), "that is known");
        assert!(!asked.is_silent(node, now + SILENT_FOR));
        asked.answer(1, node);
        assert!(!asked.is_silent(node, now));
        assert!(ask(&mut asked, now));
    }
}
