//! Work that is at the store, in the order in which it was sent there.
//!
//! The store may work on many things at once; what comes back is let out in the order of sending, so that what is told
//! follows the order of what was stored.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Where a piece of work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u64);

#[derive(Debug)]
pub(crate) struct Pipeline<W, A> {
    /// The number of the first in the queue.
    first: u64,
    queue: VecDeque<Place<W, A>>,
}

#[derive(Debug)]
struct Place<W, A> {
    work: Option<W>,
    answer: Option<A>,
    /// It is at the store, and will be answered.
    is_sent: bool,
    since: Instant,
    /// Nobody waits for it any more.
    is_overdue: bool,
}

impl<W, A> Place<W, A> {
    const fn new(work: W, since: Instant) -> Self {
        Self {
            work: Some(work),
            answer: None,
            is_sent: false,
            since,
            is_overdue: false,
        }
    }
}

impl<W, A> Place<W, A> {
    const fn waits(&self) -> bool {
        self.work.is_some() && self.answer.is_none() && !self.is_overdue
    }
}

impl<W, A> Default for Pipeline<W, A> {
    fn default() -> Self {
        Self {
            first: 0,
            queue: VecDeque::new(),
        }
    }
}

impl<W, A> Pipeline<W, A> {
    /// Lines up a piece of work.
    pub(crate) fn push(&mut self, work: W, now: Instant) -> Slot {
        self.queue.push_back(Place::new(work, now));
        Slot(self.first + self.queue.len() as u64 - 1)
    }

    /// Puts a piece of work that was let out back in its place: it needs another answer.
    pub(crate) fn put_back(&mut self, work: W, now: Instant) -> Slot {
        self.first -= 1;
        self.queue.push_front(Place::new(work, now));
        Slot(self.first)
    }

    /// The work has been sent to the store.
    pub(crate) fn sent(&mut self, slot: Slot) {
        if let Some(place) = self.place(slot) {
            place.is_sent = true;
        }
    }

    /// Puts an answer to its work.
    pub(crate) fn fill(&mut self, slot: Slot, answer: A) {
        if let Some(place) = self.place(slot) {
            place.answer = Some(answer);
        }
    }

    /// The first in line, once it is answered.
    pub(crate) fn pop(&mut self) -> Option<(W, A)> {
        loop {
            let front = self.queue.front_mut()?;
            let done = match front.work.take() {
                None => None,
                Some(work) => match front.answer.take() {
                    Some(answer) => Some((work, answer)),
                    None => {
                        front.work = Some(work);
                        return None;
                    }
                },
            };
            self.queue.pop_front();
            self.first += 1;
            if done.is_some() {
                return done;
            }
        }
    }

    /// Gives up what was lined up but never sent: nothing will ever answer it.
    pub(crate) fn drop_unsent(&mut self) {
        for place in self.queue.iter_mut().filter(|place| !place.is_sent) {
            place.work = None;
        }
    }

    /// The pieces of work that were lined up before `then`, have no answer yet, and have not been given out by this
    /// before: nobody is to wait for them any longer.
    pub(crate) fn overdue(&mut self, then: Instant) -> impl Iterator<Item = &mut W> {
        self.queue
            .iter_mut()
            .filter(move |place| place.waits() && place.since <= then)
            .filter_map(|place| {
                place.is_overdue = true;
                place.work.as_mut()
            })
    }

    /// Since when the first has waited that somebody still waits for.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.queue
            .iter()
            .filter(|place| place.waits())
            .map(|place| place.since)
            .min()
    }

    /// Whether the first in line takes longer than anybody waits: what came now would wait behind it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.queue
            .front()
            .is_some_and(|place| place.is_overdue && place.answer.is_none())
    }

    /// How many pieces of work of some kind have not been let out.
    pub(crate) fn count(&self, is_wanted: impl Fn(&W) -> bool) -> usize {
        let work = self.queue.iter().filter_map(|place| place.work.as_ref());
        work.filter(|work| is_wanted(work)).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn place(&mut self, slot: Slot) -> Option<&mut Place<W, A>> {
        let at = usize::try_from(slot.0.checked_sub(self.first)?).ok()?;
        self.queue.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_are_let_out_in_the_order_of_sending() {
        let (mut pipeline, now) = (Pipeline::default(), Instant::now());
        let [a, b, c] = ["a", "b", "c"].map(|work| pipeline.push(work, now));
        pipeline.fill(c, 3);
        pipeline.fill(b, 2);
        assert_eq!(pipeline.pop(), None);
        pipeline.fill(a, 1);
        assert_eq!(
            [pipeline.pop(), pipeline.pop(), pipeline.pop()],
            [Some(("a", 1)), Some(("b", 2)), Some(("c", 3))]
        );
        let d = pipeline.push("d", now);
        pipeline.fill(a, 9);
        pipeline.fill(d, 4);
        assert_eq!(pipeline.pop(), Some(("d", 4)));
        assert!(pipeline.is_empty());
    }

    #[test]
    fn what_is_put_back_is_let_out_before_what_came_after_it() {
        let (mut pipeline, now) = (Pipeline::default(), Instant::now());
        let [a, b] = ["a", "b"].map(|work| pipeline.push(work, now));
        pipeline.fill(a, 1);
        pipeline.fill(b, 2);
        assert_eq!(pipeline.pop(), Some(("a", 1)));
        let again = pipeline.put_back("a again", now);
        assert_eq!(pipeline.pop(), None);
        pipeline.fill(again, 3);
        assert_eq!(pipeline.pop(), Some(("a again", 3)));
        assert_eq!(pipeline.pop(), Some(("b", 2)));
    }

    #[test]
    fn what_was_never_sent_is_given_up_and_holds_nothing_up() {
        let (mut pipeline, now) = (Pipeline::default(), Instant::now());
        let [_, b] = ["a", "b"].map(|work| pipeline.push(work, now));
        pipeline.sent(b);
        pipeline.drop_unsent();
        pipeline.fill(b, 2);
        assert_eq!(pipeline.pop(), Some(("b", 2)));
        assert!(pipeline.is_empty());
    }

    #[test]
    fn what_is_overdue_is_given_out_once_and_keeps_its_place() {
        let (mut pipeline, now) = (Pipeline::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        let [a, b] = [("a", now), ("b", later)].map(|(work, at)| pipeline.push(work, at));
        assert!(!pipeline.is_stuck());
        assert_eq!(pipeline.waits_since(), Some(now));
        assert_eq!(pipeline.overdue(now).collect::<Vec<_>>(), [&"a"]);
        assert_eq!(pipeline.overdue(now).count(), 0);
        assert!(pipeline.is_stuck());
        assert_eq!(pipeline.waits_since(), Some(later));
        pipeline.fill(b, 2);
        assert_eq!(pipeline.pop(), None);
        pipeline.fill(a, 1);
        assert!(!pipeline.is_stuck());
        assert_eq!(
            [pipeline.pop(), pipeline.pop()],
            [Some(("a", 1)), Some(("b", 2))]
        );
    }
}
