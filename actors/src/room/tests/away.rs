//! Changes by users of whose pages one is offline, and cannot announce them.

use std::sync::Arc;

use tokio::time::Duration;

use super::{OVERTAKEN_WITHIN, TestRoom, create, found, patch, task, title, two_tabs};
use crate::room::{effect::Audience, message::RoomMessage};

#[tokio::test]
async fn where_a_socket_closes_before_any_announcement_the_others_are_told() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.by_page(
        1,
        patch(title("new")),
        Some(&task(1, "old")),
        &task(2, "new"),
    );
    room.take_told();
    room.send(RoomMessage::Away(Arc::clone(&page)));
    room.pass(Duration::from_millis(501));
    let told = room.take_told();
    assert_eq!(told.len(), 2, "each of them, once: {told:?}");
    for session in [page.id, tab.id] {
        assert!(
            told.iter()
                .any(|(_, to)| *to == Audience::Only(vec![session]))
        );
    }
}

#[tokio::test]
async fn an_announcement_right_after_another_tab_closed_still_settles_it() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.by_page(
        1,
        patch(title("new")),
        Some(&task(1, "old")),
        &task(2, "new"),
    );
    room.send(RoomMessage::Away(Arc::clone(&tab)));
    room.take_told();
    room.by_socket(&page, patch(title("new")));
    found(&mut room, &task(2, "new"));
    // The tab that is away gets it when it is back; the page, which made it, does not.
    let audiences: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(audiences, [Audience::Only(vec![tab.id])]);
    room.pass(Duration::from_secs(1));
    assert_eq!(room.take_told(), []);
}

/// The old page keeps changing tasks by REST while its socket is away, and hears older changes when it is back.
#[tokio::test]
async fn what_was_missed_does_not_take_back_what_the_page_has_changed_meanwhile() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Away(Arc::clone(&page)));
    room.by_page(
        2,
        patch(title("theirs")),
        Some(&task(1, "old")),
        &task(2, "theirs"),
    );
    room.pass(OVERTAKEN_WITHIN + Duration::from_millis(1));
    room.by_page(
        1,
        patch(title("mine")),
        Some(&task(2, "theirs")),
        &task(3, "mine"),
    );
    let told: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(
        told[1],
        Audience::AllBut(vec![tab.id]),
        "the page hears both, in order"
    );
}

/// An offline tab hears a change of its user's in its place, after older ones of that field; the other tab's
/// announcement of its own change of the same field, which came before, must not repeat it.
#[tokio::test]
async fn an_announcement_repeats_nothing_that_an_offline_tab_was_told_in_its_place() {
    let (mut room, [page, tab, _]) = two_tabs();
    let change = |room: &mut TestRoom, who, to: &str, version| {
        let before = task(version - 1, "before");
        room.by_page(who, patch(title(to)), Some(&before), &task(version, to));
    };
    change(&mut room, 1, "from the tab", 2);
    room.send(RoomMessage::Away(Arc::clone(&page)));
    change(&mut room, 2, "theirs", 3);
    change(&mut room, 1, "mine", 4);
    room.take_told();
    room.by_socket(&tab, patch(title("from the tab")));
    found(&mut room, &task(4, "mine"));
    let audiences: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(audiences, [Audience::Only(vec![tab.id])]);
}

#[tokio::test]
async fn a_change_by_a_page_that_cannot_announce_it_is_told_when_the_time_for_that_is_over() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Away(Arc::clone(&page)));
    room.by_page(1, create("made"), None, &task(1, "made"));
    room.take_told();
    room.pass(Duration::from_secs(11));
    let audiences: Vec<_> = room.take_told().into_iter().map(|(_, to)| to).collect();
    assert_eq!(
        audiences,
        [Audience::Only(vec![tab.id])],
        "the page that is away has it already"
    );
}

/// Two tabs were offline when one of them made a task: nobody can know which, and a card must not be there twice.
#[tokio::test]
async fn where_either_of_two_pages_may_have_made_a_task_it_is_taken_out_and_put_in_again() {
    let (mut room, [page, tab, _]) = two_tabs();
    room.send(RoomMessage::Away(page));
    room.send(RoomMessage::Away(Arc::clone(&tab)));
    room.by_page(1, create("made"), None, &task(1, "made"));
    room.pass(Duration::from_secs(6));
    room.take_told();
    room.pass(Duration::from_secs(5));
    let names: Vec<_> = room
        .heard_by(tab.id)
        .iter()
        .map(|event| event[0].clone())
        .collect();
    assert_eq!(names, ["task:deleted", "task:created"]);
}
