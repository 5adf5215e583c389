//! Several REST changes of one page in flight on one task: their answers may cross, and the page is cut off before it can
//! announce any, so that nothing but the room can mend its card.

use std::sync::Arc;

use collabflow_protocol::model::{Priority, Task, TaskPatch};
use serde_json::{Value, json};
use tokio::time::Duration;

use super::{TestRoom, found, patch, session, successor, task, title, two_tabs, whole};
use crate::{
    room::{effect::Audience, message::RoomMessage},
    session::entry::SessionEntry,
};

/// A room with one session of user 1.
fn one_tab() -> (TestRoom, Arc<SessionEntry>) {
    let (mut room, page) = (TestRoom::new(), session(1));
    room.join(&page);
    room.take_told();
    (room, page)
}

fn urgent() -> TaskPatch {
    TaskPatch {
        priority: Some(Priority::High),
        ..TaskPatch::default()
    }
}

fn drop_out(room: &mut TestRoom, entry: &Arc<SessionEntry>) {
    room.send(RoomMessage::Away(Arc::clone(entry)));
}

fn come_back(room: &mut TestRoom, old: &Arc<SessionEntry>) -> Arc<SessionEntry> {
    let back = successor(old);
    room.send(RoomMessage::Return {
        old: Arc::clone(old),
        new: Arc::clone(&back),
    });
    back
}

/// User `n` renames the task by a page's REST call.
fn rename(room: &mut TestRoom, n: u8, version: u64, to: &str) -> Task {
    let after = task(version, to);
    room.by_page(n, patch(title(to)), Some(&task(version - 1, "?")), &after);
    after
}

/// The updates of a task that a session was told, with their versions.
fn updates(room: &mut TestRoom, entry: &SessionEntry) -> Vec<(u64, Value)> {
    let heard = room.heard_by(entry.id);
    let of_tasks = heard.iter().filter(|event| event[0] == "task:updated");
    of_tasks
        .map(|event| {
            let version = event[1]["version"].as_u64().expect("a version");
            (version, event[1]["updates"].clone())
        })
        .collect()
}

#[tokio::test]
async fn a_second_own_change_is_told_to_a_page_that_was_cut_off_between_the_two() {
    let (mut room, page) = one_tab();
    rename(&mut room, 1, 2, "first");
    assert_eq!(updates(&mut room, &page), []);
    drop_out(&mut room, &page);
    rename(&mut room, 1, 3, "second");
    assert_eq!(updates(&mut room, &page), [(3, json!({"title": "second"}))]);
    // Nothing more comes of it, by the clock or at the return.
    let back = come_back(&mut room, &page);
    room.pass(Duration::from_secs(11));
    assert_eq!(updates(&mut room, &back), []);
}

#[tokio::test]
async fn of_changes_made_while_it_is_cut_off_a_page_is_told_all_but_the_first() {
    let (mut room, page) = one_tab();
    drop_out(&mut room, &page);
    for (version, to) in [(2, "first"), (3, "second"), (4, "third")] {
        rename(&mut room, 1, version, to);
    }
    let told = updates(&mut room, &page);
    assert_eq!(
        told,
        [
            (3, json!({"title": "second"})),
            (4, json!({"title": "third"}))
        ]
    );
}

/// The answer to the first change shows the other field as it was before the second.
#[tokio::test]
async fn a_second_own_change_of_another_field_is_told_too() {
    let (mut room, page) = one_tab();
    let first = rename(&mut room, 1, 2, "first");
    drop_out(&mut room, &page);
    let second = Task {
        version: 3,
        priority: Priority::High,
        ..first.clone()
    };
    room.by_page(1, patch(urgent()), Some(&first), &second);
    assert_eq!(
        updates(&mut room, &page),
        [(3, json!({"priority": "high"}))]
    );
}

#[tokio::test]
async fn own_changes_made_just_before_the_cut_are_told_when_it_is_seen() {
    let (mut room, page) = one_tab();
    rename(&mut room, 1, 2, "first");
    rename(&mut room, 1, 3, "second");
    assert_eq!(updates(&mut room, &page), []);
    drop_out(&mut room, &page);
    assert_eq!(updates(&mut room, &page), [(3, json!({"title": "second"}))]);
    let back = come_back(&mut room, &page);
    // It announces the one that it was told: nobody hears anything of that version again.
    room.by_socket(&back, patch(title("second")));
    found(&mut room, &task(3, "second"));
    assert_eq!(updates(&mut room, &back), []);
    room.pass(Duration::from_secs(11));
    assert_eq!(updates(&mut room, &back), []);
}

/// The cut is noticed by a connection that takes the place of the one that was cut.
#[tokio::test]
async fn own_changes_made_just_before_the_cut_are_told_to_the_session_that_takes_its_place() {
    let (mut room, page) = one_tab();
    rename(&mut room, 1, 2, "first");
    rename(&mut room, 1, 3, "second");
    room.take_told();
    let back = come_back(&mut room, &page);
    assert_eq!(updates(&mut room, &back), [(3, json!({"title": "second"}))]);
}

/// The answer to the second came first and was announced; the answer to the first comes when the socket is cut.
#[tokio::test]
async fn an_announcement_of_the_second_change_says_nothing_of_the_first() {
    let (mut room, page) = one_tab();
    rename(&mut room, 1, 2, "first");
    let second = rename(&mut room, 1, 3, "second");
    room.by_socket(&page, whole(&second));
    found(&mut room, &second);
    assert_eq!(updates(&mut room, &page), []);
    drop_out(&mut room, &page);
    assert_eq!(updates(&mut room, &page), [(3, json!({"title": "second"}))]);
}

#[tokio::test]
async fn a_page_that_has_announced_its_first_change_is_not_told_the_second() {
    for by_patch in [true, false] {
        let (mut room, page) = one_tab();
        let first = rename(&mut room, 1, 2, "first");
        let announcement = if by_patch {
            patch(title("first"))
        } else {
            whole(&first)
        };
        room.by_socket(&page, announcement);
        found(&mut room, &first);
        rename(&mut room, 1, 3, "second");
        drop_out(&mut room, &page);
        rename(&mut room, 1, 4, "second");
        // The third is told, since the second may be in flight; the second is not.
        assert_eq!(updates(&mut room, &page), [(4, json!({"title": "second"}))]);
    }
}

#[tokio::test]
async fn a_change_long_after_the_first_is_left_out_as_ever() {
    let (mut room, page) = one_tab();
    rename(&mut room, 1, 2, "first");
    room.pass(Duration::from_millis(10_001));
    drop_out(&mut room, &page);
    rename(&mut room, 1, 3, "second");
    assert_eq!(updates(&mut room, &page), []);
}

/// Somebody's change between the two was told before the cut: the answer to the first may be laid over that too.
#[tokio::test]
async fn with_an_own_change_a_page_is_told_what_its_first_answer_may_have_taken_back() {
    let (mut room, page) = one_tab();
    let first = rename(&mut room, 1, 2, "first");
    let theirs = Task {
        version: 3,
        priority: Priority::High,
        ..first.clone()
    };
    room.by_page(2, patch(urgent()), Some(&first), &theirs);
    assert_eq!(
        updates(&mut room, &page),
        [(3, json!({"priority": "high"}))]
    );
    drop_out(&mut room, &page);
    assert_eq!(updates(&mut room, &page), [], "that version was told");
    let second = Task {
        version: 4,
        title: "second".into(),
        ..theirs.clone()
    };
    room.by_page(1, patch(title("second")), Some(&theirs), &second);
    assert_eq!(
        updates(&mut room, &page),
        [(4, json!({"priority": "high", "title": "second"}))]
    );
}

/// What was told as the cut was seen is missed like anything else: a later own change of it has to come after it.
#[tokio::test]
async fn a_change_after_what_was_told_at_the_cut_is_told_after_it() {
    let (mut room, page) = one_tab();
    rename(&mut room, 1, 2, "first");
    rename(&mut room, 1, 3, "second");
    drop_out(&mut room, &page);
    room.pass(Duration::from_millis(10_001));
    rename(&mut room, 1, 4, "third");
    let versions: Vec<_> = updates(&mut room, &page)
        .into_iter()
        .map(|(version, _)| version)
        .collect();
    assert_eq!(versions, [3, 4]);
}

#[tokio::test]
async fn what_a_tab_was_told_in_its_place_is_told_to_the_other_tab_once_and_to_it_no_more() {
    let (mut room, [page, tab, other]) = two_tabs();
    rename(&mut room, 1, 2, "first");
    drop_out(&mut room, &page);
    let second = rename(&mut room, 1, 3, "second");
    assert_eq!(room.take_told()[1].1, Audience::AllBut(vec![tab.id]));
    let back = come_back(&mut room, &page);
    room.by_socket(&back, whole(&second));
    found(&mut room, &second);
    room.pass(Duration::from_secs(11));
    let told = room.take_told();
    let to = |entry: &SessionEntry| {
        let only = Audience::Only(vec![entry.id]);
        let of_tasks = told
            .iter()
            .filter(|(event, _)| event.name() == "task:updated");
        of_tasks.filter(|(_, to)| *to == only).count()
    };
    assert_eq!((to(&tab), to(&back), to(&other)), (1, 0, 0), "{told:?}");
}
