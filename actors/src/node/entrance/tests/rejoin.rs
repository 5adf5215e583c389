//! Rejoins whose answers are lost, and that are cut short.

use std::io::{self, IoSlice};

use super::*;
use crate::outbox::{CloseReason, Socket};

/// A socket of a connection that is dead, which the system does not know yet: it takes everything.
struct Dead;

impl Socket for Dead {
    fn try_write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn say_goodbye(&mut self, _: CloseReason) {}
}

impl Stage {
    async fn rejoining() -> (Self, Line) {
        let stage = Self {
            asks_recovery: false,
            ..Self::set().await
        };
        let line = stage.connect(None).await;
        line.join(stage.project).await;
        (stage, line)
    }

    async fn return_as(&self, before: &Line) -> Line {
        self.connect(Some((before, ""))).await
    }
}

impl Line {
    async fn drop_out(&self) {
        self.outbox.end(CloseReason::ConnectionLost, None);
        self.session.end(Ended::Dropped);
        let ended = async {
            while !self.session.entry.has_ended() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ended).await.expect("it ends");
    }
}

fn names(heard: &[String]) -> Vec<String> {
    told(heard).into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn a_client_that_never_reads_that_it_is_back_returns_by_the_secret_that_it_knows() {
    let (stage, before) = Stage::rejoining().await;
    before.drop_out().await;
    for missed in ["one", "two", "three"] {
        stage.tell(missed).await;
        let lost = stage.return_as(&before).await;
        lost.outbox.attach(Box::new(Dead));
        // The room answers in order: what it was to say to this connection is said.
        stage.tell(&format!("behind {missed}")).await;
        lost.drop_out().await;
    }
    let after = stage.return_as(&before).await;
    stage.tell("last").await;
    let heard = after.heard(r#""name":"last""#).await;
    let expected = [
        "one",
        "behind one",
        "two",
        "behind two",
        "three",
        "behind three",
        "last",
    ];
    assert_eq!(names(&heard), expected);
    assert!(heard.iter().any(|text| text.contains("room:users")));
    stage.node.stop().await;
}

#[tokio::test]
async fn who_reads_that_it_is_back_is_told_nothing_again() {
    let (stage, before) = Stage::rejoining().await;
    before.drop_out().await;
    stage.tell("one").await;
    let back = stage.return_as(&before).await;
    back.outbox.attach(Box::new(Dead));
    stage.tell("two").await;
    back.drop_out().await;
    let after = stage.return_as(&back).await;
    stage.tell("three").await;
    let heard = after.heard(r#""name":"three""#).await;
    assert_eq!(names(&heard), ["three"]);
    let stranger = stage.return_as(&before).await;
    stage.tell("four").await;
    assert_eq!(stranger.session.entry.rooms(), [], "that secret is spent");
    stage.node.stop().await;
}

#[tokio::test]
async fn a_rejoin_that_is_cut_before_its_rooms_know_of_it_costs_no_room() {
    let (stage, before) = Stage::rejoining().await;
    before.drop_out().await;
    stage.tell("missed").await;
    stage.store.hold(Calls::All);
    let mut line = stage.return_as(&before).await;
    for _ in 0..3 {
        line.drop_out().await;
        line = stage.return_as(&line).await;
    }
    stage.store.release();
    stage.tell("after").await;
    let heard = line.heard(r#""name":"after""#).await;
    assert_eq!(names(&heard), ["missed", "after"]);
    stage.node.stop().await;
}

#[tokio::test]
async fn who_is_away_while_the_registry_breaks_is_given_up_in_time_all_the_same() {
    let stage = Stage {
        asks_recovery: false,
        ..Stage::with(Duration::from_millis(300)).await
    };
    let line = stage.connect(None).await;
    line.join(stage.project).await;
    line.drop_out().await;
    assert!(line.session.entry.is_away());
    stage.node.break_registry();
    let given_up = async {
        while line.session.entry.is_away() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, given_up).await.expect("it is given up");
    assert_eq!(stage.node.broken_actors(), 1);
    stage.node.stop().await;
}

#[tokio::test]
async fn a_seat_is_not_lost_to_a_store_that_is_away_for_a_while() {
    let (stage, before) = Stage::rejoining().await;
    before.drop_out().await;
    stage.tell("missed").await;
    let away = StoreError::Unavailable("away".into());
    stage.store.fail_with(Calls::All, away);
    let after = stage.return_as(&before).await;
    // The room reads again and again: what fails from now on is not the first of them.
    stage.tell("meanwhile").await;
    let failed = timeout(PATIENCE, stage.store.failed());
    failed
        .await
        .expect("a read fails, and another one is to come");
    stage.store.mend();
    let heard = after.heard("room:users").await;
    assert_eq!(names(&heard), ["missed", "meanwhile"]);
    stage.node.stop().await;
}

#[tokio::test]
async fn a_connection_does_not_take_its_own_place() {
    // The other way round, a mistake would hang here instead of failing.
    for asks_recovery in [false, true] {
        let stage = Stage {
            asks_recovery,
            ..Stage::set().await
        };
        let line = stage.connect(None).await;
        let again = Hello {
            outbox: Arc::clone(&line.outbox),
            ..stage.hello(Some((&line, "0")))
        };
        let opened = timeout(PATIENCE, stage.node.open_session(again));
        let session = opened.await.expect("it does not hang").expect("a session");
        assert_ne!(session.id(), line.session.id());
        assert_eq!(line.outbox.closed(), None);
        stage.node.stop().await;
    }
}
