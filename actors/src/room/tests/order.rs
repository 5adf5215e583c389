//! Answers come in the order of what was asked.

use collabflow_protocol::event::TaskCommand;

use super::{TASK, patch, task, title, two_tabs};
use crate::{
    room::effect::{Answer, Request},
    session::reply::Done,
    store::{Announced, TaskOutcome},
};

/// A delete of what is stored nowhere asks the store twice: what was asked meanwhile waits for its second answer.
#[tokio::test]
async fn a_delete_of_an_unknown_task_is_acknowledged_before_what_came_after_it() {
    let (mut room, [page, ..]) = two_tabs();
    room.by_socket(&page, TaskCommand::Delete { task: TASK });
    room.by_socket(&page, patch(title("later")));
    room.answer(Answer::Deleted(TASK, None));
    room.answer(Answer::Changed(TaskOutcome::Changed {
        before: Box::new(task(1, "earlier")),
        after: Box::new(task(2, "later")),
        index: 0,
        base: 1,
    }));
    assert!(room.take_answered().is_empty());
    assert!(matches!(room.asked()[0].1, Request::LookUp(..)));
    room.answer(Answer::Found(Announced::Gone { is_news: false }));
    let answered = room.take_answered();
    assert!(
        matches!(answered[..], [Ok(Done::Plain), Ok(Done::Task(_))]),
        "{answered:?}"
    );
}
