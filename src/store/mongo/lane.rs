//! The order of writes. The driver's calls begin when they are awaited, and its pool of connections reorders them; so
//! each write is run by a task of its own that waits for the one before it in its lane: a project, a channel, a user.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use collabflow_actors::store::{Answer, StoreError};
use futures_util::{FutureExt, future::join_all};
use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

/// A write that begins at once, and runs whether or not somebody waits for it.
pub(super) fn alone<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Answer<T> {
    let running = tokio::spawn(work);
    async move {
        running
            .await
            .unwrap_or_else(|error| Err(StoreError::Failed(format!("a write broke: {error}"))))
    }
    .boxed()
}

/// What has an order of its own.
pub(super) type Lane = [u8; 12];

/// The last write of each lane that has any under way.
#[derive(Clone, Default)]
pub(super) struct Lanes(Arc<Mutex<Tails>>);

#[derive(Default)]
struct Tails {
    last: HashMap<Lane, (u64, oneshot::Receiver<()>)>,
    calls: u64,
}

impl Lanes {
    /// Takes its place at the end of each of these lanes now; it runs whether or not somebody waits for it. Where those
    /// before it take until the deadline, it is let go.
    pub(super) fn run<T: Send + 'static>(
        &self,
        lanes: &[Lane],
        deadline: Instant,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answer<T> {
        let (places, former) = self.line_up(lanes);
        let former = join_all(former);
        alone(async move {
            let mut former = former;
            if time::timeout_at(deadline, &mut former).await.is_err() {
                // Who comes later waits for those before all the same.
                tokio::spawn(async move {
                    former.await;
                    drop(places);
                });
                return Err(StoreError::Unavailable("too many calls wait".into()));
            }
            let result = work.await;
            drop(places);
            result
        })
    }

    /// All places are taken at once: two calls are never before and after each other.
    fn line_up(&self, lanes: &[Lane]) -> (Vec<Place>, Vec<oneshot::Receiver<()>>) {
        let mut tails = self.lock();
        let mut places = Vec::with_capacity(lanes.len());
        let mut waits = Vec::new();
        for lane in lanes {
            let (done, is_done) = oneshot::channel();
            let (number, former) = tails.push(*lane, is_done);
            waits.extend(former);
            places.push(Place {
                lanes: self.clone(),
                lane: *lane,
                number,
                _done: done,
            });
        }
        (places, waits)
    }

    /// Nothing is left half done under the lock.
    fn lock(&self) -> MutexGuard<'_, Tails> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a lane. To drop it, by a panic too, lets the next one go.
struct Place {
    lanes: Lanes,
    lane: Lane,
    number: u64,
    _done: oneshot::Sender<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.lock().forget(self.lane, self.number);
    }
}

impl Tails {
    fn push(
        &mut self,
        lane: Lane,
        is_done: oneshot::Receiver<()>,
    ) -> (u64, Option<oneshot::Receiver<()>>) {
        self.calls += 1;
        let former = self.last.insert(lane, (self.calls, is_done));
        (self.calls, former.map(|(_, receiver)| receiver))
    }

    /// The end of a lane needs nobody to remember it.
    fn forget(&mut self, lane: Lane, number: u64) {
        if self
            .last
            .get(&lane)
            .is_some_and(|(last, _)| *last == number)
        {
            self.last.remove(&lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn a_lane_goes_on_after_a_write_that_breaks_and_is_forgotten_at_its_end() {
        let lanes = Lanes::default();
        let broken = lanes.run(&[[1; 12]], soon(), async { panic!("a test breaks it") });
        let next = lanes.run(&[[1; 12]], soon(), async { Ok(7) });
        let broken: Result<(), _> = broken.await;
        assert!(matches!(broken, Err(StoreError::Failed(_))), "{broken:?}");
        assert_eq!(next.await.expect("it runs"), 7);
        assert!(lanes.lock().last.is_empty());
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn who_waits_too_long_is_let_go_and_the_others_keep_their_order() {
        let lanes = Lanes::default();
        let (release, released) = oneshot::channel::<()>();
        let is_first_done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&is_first_done);
        let first = lanes.run(&[[1; 12]], soon(), async move {
            released.await.expect("it is released");
            is_done.store(true, Ordering::SeqCst);
            Ok(())
        });
        let late = lanes.run(&[[1; 12]], Instant::now(), async { Ok(()) });
        let third = lanes.run(&[[1; 12]], soon(), async move {
            Ok(is_first_done.load(Ordering::SeqCst))
        });
        let late = time::timeout(Duration::from_mins(1), late).await;
        let late = late.expect("it does not wait for the first");
        assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
        release.send(()).expect("it waits");
        first.await.expect("it runs");
        assert!(third.await.expect("it runs"), "after the first");
        assert!(lanes.lock().last.is_empty());
    }

    #[tokio::test]
    async fn one_lane_does_not_wait_for_another() {
        let lanes = Lanes::default();
        let (release, released) = oneshot::channel::<()>();
        let waiting = lanes.run(&[[1; 12]], soon(), async {
            released.await.expect("it is released");
            Ok(())
        });
        let beside = lanes.run(&[[2; 12]], soon(), async { Ok(()) });
        beside.await.expect("it runs");
        release.send(()).expect("it waits");
        waiting.await.expect("it runs");
    }
}
