//! Who is told of an announcement, and what: those whom the change left out hear it, a page with older values is
//! corrected, and what nobody announces is told by the clock.

use std::{collections::BTreeSet, sync::Arc};

use collabflow_protocol::{
    event::ServerEvent,
    model::{Task, TaskField},
};
use tokio::time::Instant;

use super::Announcement;
use crate::{
    id::SessionId,
    room::{
        change::{moved, no_such_task, updated},
        effect::{Answer, Audience},
        entry::{self, By, Entry, Found, Origin},
        message::Author,
        state::RoomState,
        told::{Change, Kind, Latest},
    },
    session::reply::{Done, Reply},
    store::Announced,
};

impl RoomState {
    pub(in crate::room) fn commit_announcement(
        &mut self,
        author: &Author,
        announcement: Box<Announcement>,
        reply: Reply,
        answer: Answer,
        now: Instant,
    ) {
        let announced = match answer {
            Answer::Found(announced) => announced,
            other => return self.refuse_failed(reply, other),
        };
        let Some(sender) = author.session() else {
            return self.refuse(reply, no_such_task());
        };
        let is_delete = matches!(*announcement, Announcement::Deleted(_));
        let (found, answer) = match announced {
            Announced::Stored { task, index, news } => {
                if Some(task.project) != self.project() {
                    if is_delete {
                        return self.refuse(reply, no_such_task());
                    }
                    (Found::Gone(false), Err(no_such_task().into()))
                } else {
                    let task = Arc::<Task>::from(task);
                    let done = if is_delete {
                        Done::Plain
                    } else {
                        Done::Task(Arc::clone(&task))
                    };
                    (Found::Stored(task, index, news), Ok(done))
                }
            }
            Announced::Gone { is_news } => {
                let answer = is_delete
                    .then_some(Done::Plain)
                    .ok_or_else(|| no_such_task().into());
                (Found::Gone(is_news), answer)
            }
        };
        let entry = entry::Announced {
            user: author.user(),
            sender,
            announcement,
            found,
        };
        self.log(Entry::Announced(entry), reply, answer, now);
    }

    pub(in crate::room) fn deliver_announcement(&mut self, entry: &entry::Announced, now: Instant) {
        let announcement = &*entry.announcement;
        let by = By {
            user: Arc::clone(&entry.user),
            origin: Origin::Session(entry.sender),
        };
        match (&entry.found, announcement) {
            (Found::Stored(..), Announcement::Deleted(_)) => {
                self.tell_untold(&by, announcement, None, now);
            }
            (Found::Stored(present, index, news), _) => {
                let place = (present, *index);
                if !news.is_empty() {
                    let change = self.news_of(&by, announcement.into(), place, news);
                    self.deliver_change(change, now);
                }
                self.tell_untold(&by, announcement, Some(place), now);
                self.correct(&by, announcement, entry.sender, place, now);
            }
            (Found::Gone(is_news), Announcement::Deleted(task)) => {
                if *is_news {
                    self.tell_gone_elsewhere(&by, *task);
                }
                self.tell_untold(&by, announcement, None, now);
            }
            (Found::Gone(_), _) => self.take_back(&by, announcement, entry.sender, now),
        }
    }

    /// Tells the author's other sessions what they were left out of.
    fn tell_untold(
        &mut self,
        author: &By,
        announcement: &Announcement,
        present: Option<(&Arc<Task>, u64)>,
        now: Instant,
    ) {
        let (user, task) = (author.user_id(), announcement.task());
        let others: Vec<_> = self
            .members
            .of_user(user)
            .map(|seat| seat.entry.id)
            .filter(|session| Some(*session) != author.session())
            .collect();
        let told = &mut self.ledger.told;
        let is_of = |change: &Change| change.author.id == user && announcement.speaks_of(change);
        let mut events = Vec::new();
        for other in others {
            let missed = told.settle(other, task, now, is_of);
            if missed.iter().any(|change| change.kind == Kind::Created) {
                // It hears of the task as it is now, whole.
                told.settle(other, task, now, |change| change.kind != Kind::Deleted);
            }
            let unheard = told.unheard(other, &missed);
            if let Some(event) = told_late(&missed, unheard, announcement, present) {
                told.told_present(other, task);
                events.push((event, other));
            }
        }
        if let Some(sender) = author.session() {
            told.announced(sender, task, is_of);
        }
        told.landed(task, |change| {
            change.author.id == user && announcement.repeats(change)
        });
        for (event, other) in events {
            self.tell(event, Audience::Only(vec![other]));
        }
    }

    /// Tells the sender the present values of what its page must have wrong.
    fn correct(
        &mut self,
        author: &By,
        announcement: &Announcement,
        sender: SessionId,
        (present, index): (&Arc<Task>, u64),
        now: Instant,
    ) {
        let told = &self.ledger.told;
        let user = author.user_id();
        // The page has applied the answer to its REST change, which had the whole task as it was then.
        let base = match announcement {
            Announcement::Created(_, whole) | Announcement::UpdatedWhole(_, whole) => whole.version,
            // The first of them that it may repeat: an answer can be as old as that.
            _ => told
                .announceable(user, present.id, now)
                .find(|change| {
                    announcement.speaks_of(change) && announcement.outdated(&change.task).is_empty()
                })
                .map(|change| change.task.version),
        };
        let mut fields: BTreeSet<_> = announcement.outdated(present).into_iter().collect();
        if let Some(base) = base {
            let since = told
                .of_task(present.id)
                .filter(|change| change.task.version > base);
            // What a whole task says, and says rightly, its page has.
            let is_wrong =
                |field: &TaskField| !announcement.is_whole() || !announcement.clears(*field);
            fields.extend(
                since
                    .flat_map(|change| change.fields.iter().copied())
                    .filter(is_wrong),
            );
            // An answer does not show what a change has cleared: a page that merges it keeps the old value.
            let cleared = told
                .of_task(present.id)
                .filter(|change| change.kind != Kind::Created)
                .flat_map(|change| change.fields.iter().copied());
            fields.extend(
                cleared.filter(|field| field.is_absent(present) && !announcement.clears(*field)),
            );
        }
        let by = told.of_task(present.id).next_back().map_or_else(
            || Arc::clone(&author.user),
            |change| Arc::clone(&change.author),
        );
        let by = (*by).clone();
        let mut events = Vec::new();
        if let Announcement::Moved(command) = announcement {
            let place = [TaskField::Status, TaskField::Position];
            let is_misplaced = command.index.is_some_and(|wanted| wanted != index);
            if is_misplaced || place.iter().any(|field| fields.contains(field)) {
                let from = told
                    .announceable(user, present.id, now)
                    .next_back()
                    .map(|change| change.from.clone());
                let from = from.unwrap_or_else(|| present.status.clone());
                events.push(moved(present, from, index, by.clone()));
            }
            fields.retain(|field| !place.contains(field));
        }
        if !fields.is_empty() {
            events.push(updated(present, fields, by));
        }
        if !events.is_empty() {
            self.ledger.told.told_present(sender, present.id);
        }
        for event in events {
            self.tell(event, Audience::Only(vec![sender]));
        }
    }

    /// Somebody has deleted a task before its maker's page could add it: that page adds it after it was told.
    fn take_back(
        &mut self,
        author: &By,
        announcement: &Announcement,
        sender: SessionId,
        now: Instant,
    ) {
        let (user, task) = (author.user_id(), announcement.task());
        let Announcement::Created(..) = announcement else {
            return;
        };
        let Some(Latest::Deleted(deleted_by)) = self.ledger.told.latest(task) else {
            return;
        };
        if deleted_by.id != user
            && self
                .ledger
                .told
                .announceable(user, task, now)
                .next()
                .is_some()
        {
            let event = ServerEvent::TaskDeleted {
                task_id: task,
                deleted_by: (**deleted_by).clone(),
            };
            self.tell(event, Audience::Only(vec![sender]));
        }
    }
}

/// The event for a session that was left out of these changes, and has not heard of these fields by a later one.
fn told_late(
    missed: &[Change],
    unheard: BTreeSet<TaskField>,
    announcement: &Announcement,
    present: Option<(&Arc<Task>, u64)>,
) -> Option<ServerEvent> {
    let first = missed.first()?;
    let author = (*first.author).clone();
    let Some((present, index)) = present else {
        return Some(ServerEvent::TaskDeleted {
            task_id: first.task.id,
            deleted_by: author,
        });
    };
    if missed.iter().any(|change| change.kind == Kind::Created) {
        return Some(ServerEvent::TaskCreated {
            task: Arc::clone(present),
            created_by: author,
        });
    }
    if unheard.is_empty() {
        return None;
    }
    let is_place = unheard
        .iter()
        .all(|field| matches!(field, TaskField::Status | TaskField::Position));
    if matches!(announcement, Announcement::Moved(_)) && is_place {
        return Some(moved(present, first.from.clone(), index, author));
    }
    Some(updated(present, unheard, author))
}
