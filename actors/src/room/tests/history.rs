//! What a session of another node is told that it has missed, before it has its seat here.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::*;
use crate::{
    backplane::{Logged, Tail},
    id::{NodeId, PrivateId, SessionId},
    key::RoomKey,
    outbox::{Heard, Outbox, Unheard},
    room::{
        Adoption, After, Effect, Followed,
        announcement::Announcement,
        entry::{Announced, By, Changed, Entry, Found, Origin},
        fixture::{PROJECT, patch, place, title},
        state::Command,
        told::Kind,
    },
    session::record::{RoomRecord, SessionRecord},
};

/// A room that has told its log up to the entry with this number.
fn room_at(offset: u64) -> TestRoom {
    let mut room = TestRoom::clustered();
    room.join(&session(1));
    room.apply(Command::Following(Ok(Followed {
        top: Some(place(offset).position),
        stamp: place(offset).stamp,
        present: Vec::new(),
    })));
    room.take_told();
    room.of_cluster.clear();
    room
}

/// A session of user 2 that was on another node.
fn adopted() -> Arc<SessionEntry> {
    let room = RoomKey::Project(PROJECT);
    let record = SessionRecord {
        id: SessionId::random(),
        user: user(2).id,
        pid: PrivateId::random(),
        former_pid: None,
        node: NodeId::random(),
        can_recover: false,
        rooms: vec![RoomRecord {
            room,
            restored: false,
            since: None,
            doubtful_to: 0,
            told_to: None,
        }],
        left: None,
    };
    let nothing = Unheard::Parked(Vec::new(), Vec::new());
    let outbox = Outbox::for_tests().adopted(nothing, 0);
    SessionEntry::adopted(&record, user(2), outbox)
}

/// It is to have a seat, and has heard of everything up to this stamp.
fn adopt(room: &mut TestRoom, entry: &Arc<SessionEntry>, stamp: u64) -> oneshot::Receiver<()> {
    adopt_after(room, entry, After::Told(stamp))
}

fn adopt_after(
    room: &mut TestRoom,
    entry: &Arc<SessionEntry>,
    after: After,
) -> oneshot::Receiver<()> {
    let (done, seated) = oneshot::channel();
    room.send(RoomMessage::Adopt(Adoption {
        entry: Arc::clone(entry),
        after: Some(after),
        done,
    }));
    seated
}

fn changed(by: u8, origin: Origin, version: u64) -> Entry {
    let by = By {
        user: user(by),
        origin,
    };
    let before = task(version - 1, "before");
    let after = Arc::new(task(version, &version.to_string()));
    Entry::Changed(Changed::new(
        by,
        Kind::Updated(Vec::new()),
        Some(&before),
        &after,
        None,
    ))
}

fn by_session(session: SessionId, version: u64) -> Entry {
    changed(3, Origin::Session(session), version)
}

fn logged(offset: u64, entry: &Entry) -> Logged {
    Logged {
        id: u128::from(offset),
        place: place(offset),
        payload: Bytes::from(serde_json::to_vec(entry).expect("JSON")),
    }
}

fn log(began: u64, entries: Vec<Logged>) -> Tail {
    Tail {
        top: entries.last().map(|entry| entry.place.position.clone()),
        began: Some(began),
        entries,
    }
}

/// The stamps of what the session is told again.
fn told_again(room: &mut TestRoom, to: &SessionEntry) -> Vec<u64> {
    let effects = std::mem::take(&mut room.of_cluster).into_iter();
    let again = effects.filter_map(|effect| match effect {
        Effect::TellAgain(entry, _, stamp) if entry.id == to.id => Some(stamp),
        _ => None,
    });
    again.collect()
}

fn is_seated(room: &TestRoom, entry: &SessionEntry) -> bool {
    let seat = room.state.members().get(entry.id);
    seat.is_some_and(|seat| seat.is_away())
}

fn has_lost(entry: &SessionEntry) -> bool {
    !entry.outbox.take_missed(RoomKey::Project(PROJECT)).complete
}

#[tokio::test]
async fn it_is_told_all_that_it_missed_up_to_where_the_room_is() {
    let (mut room, entry) = (room_at(4), adopted());
    let mut seated = adopt(&mut room, &entry, place(1).stamp);
    assert!(!is_seated(&room, &entry));
    let someone = session(3).id;
    let entries = vec![
        logged(1, &by_session(someone, 2)),
        logged(2, &by_session(someone, 3)),
        // It has its own answer.
        logged(3, &by_session(entry.id, 4)),
        logged(4, &by_session(someone, 5)),
        // This comes to the room yet.
        logged(5, &by_session(someone, 6)),
    ];
    room.apply(Command::History(Ok(log(0, entries))));
    assert_eq!(
        told_again(&mut room, &entry),
        [place(2).stamp, place(4).stamp]
    );
    assert!(is_seated(&room, &entry) && !has_lost(&entry));
    assert_eq!(seated.try_recv(), Ok(()));
}

#[tokio::test]
async fn what_is_told_while_the_log_is_read_is_not_missed() {
    let (mut room, entry) = (room_at(1), adopted());
    let _seated = adopt(&mut room, &entry, place(1).stamp);
    let someone = session(3).id;
    room.apply(Command::Logged(logged(2, &by_session(someone, 3))));
    let read_before = log(0, vec![logged(1, &by_session(someone, 2))]);
    room.apply(Command::History(Ok(read_before)));
    assert_eq!(told_again(&mut room, &entry), [place(2).stamp]);
}

#[tokio::test]
async fn it_waits_for_a_room_that_is_not_as_far_as_it_was_told() {
    let (mut room, entry) = (room_at(1), adopted());
    let _seated = adopt(&mut room, &entry, place(2).stamp);
    let someone = session(3).id;
    let all = [2, 3, 4].map(|version| logged(version - 1, &by_session(someone, version)));
    room.apply(Command::History(Ok(log(0, all[..2].to_vec()))));
    assert!(!is_seated(&room, &entry));
    room.apply(Command::Logged(all[1].clone()));
    room.apply(Command::Logged(all[2].clone()));
    room.apply(Command::History(Ok(log(0, all[..2].to_vec()))));
    assert_eq!(told_again(&mut room, &entry), [place(3).stamp]);
    assert!(is_seated(&room, &entry) && !has_lost(&entry));
}

/// It says that by itself, and may say anything.
#[tokio::test]
async fn one_that_says_it_was_told_more_than_there_is_is_to_reload() {
    let (mut room, entry) = (room_at(1), adopted());
    let heard = Heard {
        stamp: u64::MAX,
        events: 1,
    };
    let _seated = adopt_after(&mut room, &entry, After::Heard(heard));
    let all = vec![logged(1, &by_session(session(3).id, 2))];
    room.apply(Command::History(Ok(log(0, all))));
    assert!(is_seated(&room, &entry) && has_lost(&entry));
}

/// The log up to an entry that this room is still to tell.
fn ahead() -> Command {
    let all = [1, 2].map(|offset| logged(offset, &by_session(session(3).id, offset + 1)));
    Command::History(Ok(log(0, all.to_vec())))
}

#[tokio::test]
async fn it_waits_for_a_room_no_longer_than_its_client() {
    let (mut room, entry) = (room_at(1), adopted());
    let seated = adopt(&mut room, &entry, place(2).stamp);
    room.apply(ahead());
    assert!(!is_seated(&room, &entry));
    drop(seated);
    room.pass(Duration::from_secs(5));
    assert!(is_seated(&room, &entry) && has_lost(&entry));
    room.of_cluster.clear();
    room.apply(Command::Logged(logged(2, &by_session(session(3).id, 3))));
    let reads = |effect: &_| matches!(effect, Effect::ReadHistory);
    assert!(!room.of_cluster.iter().any(reads), "nobody waits");
}

#[tokio::test]
async fn a_log_is_not_read_again_for_one_whose_client_has_given_up() {
    let (mut room, entry) = (room_at(1), adopted());
    drop(adopt(&mut room, &entry, place(2).stamp));
    room.apply(ahead());
    assert!(is_seated(&room, &entry) && has_lost(&entry));
}

/// An announcement may tell its author's sessions several events. A client that has heard the first may have lost the rest.
#[tokio::test]
async fn it_is_to_reload_where_it_may_have_heard_the_last_entry_in_part() {
    let heard = |room: &mut TestRoom, entry: &_| {
        let (stamp, events) = (place(1).stamp, 1);
        adopt_after(room, entry, After::Heard(Heard { stamp, events }))
    };
    for (author, is_lost) in [(2, true), (3, false)] {
        let (mut room, entry) = (room_at(1), adopted());
        let _seated = heard(&mut room, &entry);
        let announced = Entry::Announced(Announced {
            user: user(author),
            sender: session(author).id,
            announcement: Box::new(Announcement::Deleted(task(1, "gone").id)),
            found: Found::Gone(true),
        });
        room.apply(Command::History(Ok(log(0, vec![logged(1, &announced)]))));
        assert_eq!(has_lost(&entry), is_lost, "{author}");
    }
}

#[tokio::test]
async fn it_is_to_reload_where_the_log_does_not_reach_back() {
    let later = place(2).stamp;
    for (began, epoch, is_lost) in [
        (place(1).stamp, "epoch", false),
        (later, "epoch", true),
        (0, "another", true),
    ] {
        let (mut room, entry) = (room_at(3), adopted());
        let _seated = adopt(&mut room, &entry, place(1).stamp);
        let mut first = logged(3, &by_session(session(3).id, 4));
        first.place.position.offset = 1;
        let mut log = log(began, vec![first]);
        log.top.as_mut().expect("it has an end").epoch = epoch.into();
        room.apply(Command::History(Ok(log)));
        assert!(is_seated(&room, &entry));
        assert_eq!(has_lost(&entry), is_lost, "{began} {epoch}");
    }
}

/// A log keeps its last entries. One that had begun before the session left off was taken to be whole, whatever it had
/// dropped since.
#[tokio::test]
async fn it_is_to_reload_where_the_log_has_dropped_what_came_next() {
    for (first, is_lost) in [(2, false), (3, true)] {
        let (mut room, entry) = (room_at(4), adopted());
        let _seated = adopt(&mut room, &entry, place(2).stamp);
        let someone = session(3).id;
        let kept = (first..=4).map(|at| logged(at, &by_session(someone, at + 1)));
        room.apply(Command::History(Ok(log(0, kept.collect()))));
        assert!(is_seated(&room, &entry));
        assert_eq!(has_lost(&entry), is_lost, "from {first} on");
    }
}

/// It was given what the log has, and never what members here had been told at once.
#[tokio::test]
async fn it_is_to_reload_where_members_were_told_what_is_not_in_the_log_yet() {
    let (mut room, entry) = (room_at(1), adopted());
    let [before, after] = [task(1, "before"), task(2, "after")];
    room.apply(Command::Link(false));
    room.by_page(3, patch(title("after")), Some(&before), &after);
    room.apply(Command::Link(true));
    let _seated = adopt(&mut room, &entry, place(1).stamp);
    let first = logged(1, &by_session(session(3).id, 2));
    room.apply(Command::History(Ok(log(0, vec![first]))));
    assert!(is_seated(&room, &entry) && has_lost(&entry));
}

#[tokio::test]
async fn it_is_to_reload_where_nobody_can_say_whether_it_was_told() {
    let own_page = |n| changed(n, Origin::Rest(Echo::NotAuthor), 3);
    for (entry_of, is_lost) in [(own_page(2), true), (own_page(3), false)] {
        let (mut room, entry) = (room_at(2), adopted());
        let _seated = adopt(&mut room, &entry, place(1).stamp);
        let first = logged(1, &by_session(session(3).id, 2));
        let entries = vec![first, logged(2, &entry_of)];
        room.apply(Command::History(Ok(log(0, entries))));
        assert_eq!(has_lost(&entry), is_lost);
    }
}

#[tokio::test]
async fn one_that_has_not_waited_gets_no_second_seat() {
    let (mut room, entry) = (room_at(1), adopted());
    let _seated = adopt(&mut room, &entry, place(1).stamp);
    assert!(entry.yield_place());
    room.apply(Command::History(Ok(log(0, Vec::new()))));
    assert!(!is_seated(&room, &entry));
}

#[tokio::test]
async fn one_that_is_let_go_of_has_no_seat_and_knows_how_far_it_was_told() {
    let (mut room, entry) = (room_at(3), session(2));
    room.join(&entry);
    let (told, _answer) = oneshot::channel();
    room.of_cluster.clear();
    room.send(RoomMessage::Release(Arc::clone(&entry), told));
    assert!(room.state.members().get(entry.id).is_none());
    let stamp = room.of_cluster.iter().find_map(|effect| match effect {
        Effect::ToldTo(_, stamp) => Some(*stamp),
        _ => None,
    });
    assert_eq!(stamp, Some(Some(place(3).stamp)));
}

/// A node that began to follow a quiet room's log says the clock's stamp, which no entry of that room has: the session
/// waited for one until its time was over, and was told to reload.
#[tokio::test]
async fn a_stamp_beyond_the_end_of_the_log_is_not_waited_for() {
    let (mut room, entry) = (room_at(1), adopted());
    let _seated = adopt(&mut room, &entry, place(9).stamp);
    let all = vec![logged(1, &by_session(session(3).id, 2))];
    room.apply(Command::History(Ok(log(0, all))));
    assert!(is_seated(&room, &entry) && !has_lost(&entry));
    assert!(told_again(&mut room, &entry).is_empty());
}

/// The log was being read for another one when it came: what its node had told since was not there yet.
#[tokio::test]
async fn a_log_that_was_read_before_it_came_does_not_end_where_it_was_told_to() {
    let (mut room, first, second) = (room_at(1), adopted(), adopted());
    let _seated = adopt(&mut room, &first, place(1).stamp);
    let _too = adopt(&mut room, &second, place(2).stamp);
    let someone = session(3).id;
    let all = [1, 2, 3].map(|offset| logged(offset, &by_session(someone, offset + 1)));
    room.apply(Command::History(Ok(log(0, all[..1].to_vec()))));
    assert!(is_seated(&room, &first) && !is_seated(&room, &second));
    room.apply(Command::Logged(all[1].clone()));
    room.apply(Command::Logged(all[2].clone()));
    room.apply(Command::History(Ok(log(0, all[..2].to_vec()))));
    assert_eq!(told_again(&mut room, &second), [place(3).stamp]);
}
