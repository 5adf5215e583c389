//! The answer to a page's REST call overtakes what its socket was told before it: that is then laid over the change, and
//! nothing but the room can mend it.

use std::sync::Arc;

use collabflow_protocol::model::{Priority, Task, TaskPatch};
use tokio::time::Duration;

use super::{
    OVERTAKEN_WITHIN, TestRoom, found, patch, session, successor, task, title, two_tabs, whole,
};
use crate::{room::message::RoomMessage, session::entry::SessionEntry};

const LONG: Duration = OVERTAKEN_WITHIN.saturating_add(Duration::from_millis(1));

/// The versions of a task that a session was told.
fn versions(room: &mut TestRoom, entry: &SessionEntry) -> Vec<u64> {
    let heard = room.heard_by(entry.id);
    let of_tasks = heard.iter().filter(|event| event[0] == "task:updated");
    of_tasks
        .filter_map(|event| event[1]["version"].as_u64())
        .collect()
}

fn rename(room: &mut TestRoom, n: u8, version: u64) -> Task {
    let (before, after) = (task(version - 1, "before"), task(version, "after"));
    room.by_page(n, patch(title("after")), Some(&before), &after);
    after
}

#[tokio::test]
async fn a_page_is_told_its_change_of_what_somebody_else_has_just_changed_and_announces_it_to_nobody()
 {
    let (mut room, [page, tab, other]) = two_tabs();
    rename(&mut room, 2, 2);
    assert_eq!(versions(&mut room, &page), [2]);
    let mine = rename(&mut room, 1, 3);
    assert_eq!(versions(&mut room, &page), [3]);
    room.by_socket(&page, whole(&mine));
    found(&mut room, &mine);
    room.pass(Duration::from_secs(11));
    for entry in [page, tab, other] {
        assert_eq!(versions(&mut room, &entry), Vec::<u64>::new());
    }
}

#[tokio::test]
async fn a_page_is_not_told_its_change_of_another_field_nor_one_that_comes_later_nor_its_second() {
    let (mut room, [page, ..]) = two_tabs();
    rename(&mut room, 2, 2);
    assert_eq!(versions(&mut room, &page), [2]);
    let urgent = TaskPatch {
        priority: Some(Priority::High),
        ..TaskPatch::default()
    };
    let (before, after) = (
        task(2, "after"),
        Task {
            priority: Priority::High,
            ..task(3, "after")
        },
    );
    room.by_page(1, patch(urgent), Some(&before), &after);
    assert_eq!(
        versions(&mut room, &page),
        Vec::<u64>::new(),
        "another field"
    );
    room.pass(LONG);
    rename(&mut room, 1, 4);
    assert_eq!(
        versions(&mut room, &page),
        Vec::<u64>::new(),
        "it has heard the other"
    );
    rename(&mut room, 1, 5);
    assert_eq!(versions(&mut room, &page), Vec::<u64>::new(), "its own");
}

#[tokio::test]
async fn a_page_that_is_just_back_is_told_its_change_of_what_it_has_missed() {
    for is_just_back in [true, false] {
        let mut room = TestRoom::new();
        let old = session(1);
        room.join(&old);
        room.send(RoomMessage::Away(Arc::clone(&old)));
        rename(&mut room, 2, 2);
        room.pass(LONG);
        let page = successor(&old);
        room.send(RoomMessage::Return {
            old,
            new: Arc::clone(&page),
        });
        if !is_just_back {
            room.pass(LONG);
        }
        room.take_told();
        rename(&mut room, 1, 3);
        let expected: &[u64] = if is_just_back { &[3] } else { &[] };
        assert_eq!(versions(&mut room, &page), expected);
    }
}
