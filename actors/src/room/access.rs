//! Who may do what in a room: memberships, kept for a while, and the commands that wait for them to be read.
//!
//! What was read is good for `membership.max_age`, but only to grant: a refusal is always read afresh, from a read that
//! began after the question was asked.

use std::{sync::Arc, time::Duration};

use collabflow_protocol::{id::UserId, model::Role};
use tokio::time::Instant;

use crate::store::Membership;

/// How long what nobody keeps waits for memberships to be read.
const READS_WITHIN: Duration = Duration::from_millis(500);

/// What a command needs its author to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A member of any role.
    Read,
    /// At least a `member`.
    Write,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// There is no such project, workspace or channel.
    NotFound,
    /// The user is no member.
    NotMember,
    /// The user's role does not allow it.
    Role,
}

/// What can be said of a question now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted,
    Denied(Denied),
    /// Ask again when the read that is numbered so, or a later one, has come in.
    Read(u64),
}

#[derive(Debug)]
pub(crate) struct Access {
    max_age: Duration,
    /// What the last read found, when it began, and its number.
    known: Option<Known>,
    /// The number of the last read that has begun.
    begun: u64,
    /// The read that is under way, and when it began.
    reading: Option<(u64, Instant)>,
    /// When the last one began.
    began_at: Option<Instant>,
    /// The last read has failed.
    is_cut_off: bool,
    /// Reads up to this number began before memberships changed: they do not count.
    void: u64,
}

#[derive(Debug)]
struct Known {
    /// `None`: there is no such thing.
    membership: Option<Arc<Membership>>,
    read_at: Instant,
    read: u64,
}

impl Access {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self {
            max_age,
            known: None,
            begun: 0,
            reading: None,
            began_at: None,
            is_cut_off: false,
            void: 0,
        }
    }

    /// Judges a question that may rest on read number `asked` or later ones; 0 is a question never asked before.
    pub(crate) fn judge(&self, user: UserId, need: Need, asked: u64, now: Instant) -> Verdict {
        let Some(known) = &self.known else {
            return Verdict::Read(self.next_read());
        };
        let denied = match &known.membership {
            None => Denied::NotFound,
            Some(membership) => match membership.roles.get(&user) {
                None => Denied::NotMember,
                Some(role) if need == Need::Write && !Role::may_write(*role) => Denied::Role,
                Some(_) if asked == 0 && known.read_at + self.max_age <= now => {
                    return Verdict::Read(self.next_read());
                }
                Some(_) => return Verdict::Granted,
            },
        };
        if asked != 0 && known.read >= asked {
            Verdict::Denied(denied)
        } else {
            Verdict::Read(self.next_read())
        }
    }

    /// A read that has not begun yet.
    pub(crate) fn next_read(&self) -> u64 {
        self.begun + 1
    }

    /// Begins the read numbered `read` unless it, or another one that must end first, is under way.
    pub(crate) fn begin(&mut self, read: u64, now: Instant) -> bool {
        if self.reading.is_some() || read <= self.begun {
            return false;
        }
        self.begun = read;
        self.reading = Some((read, now));
        self.began_at = Some(now);
        true
    }

    /// Whether read number `read` is the one that is awaited: one that was given up may still come in, and is too old.
    pub(crate) fn awaits(&self, read: u64) -> bool {
        self.reading.is_some_and(|(reading, _)| reading == read)
    }

    /// The read that is awaited has come in.
    pub(crate) fn take(&mut self, membership: Option<Membership>) {
        self.is_cut_off = false;
        if let Some((read, read_at)) = self.reading.take()
            && read > self.void
        {
            self.known = Some(Known {
                membership: membership.map(Arc::new),
                read_at,
                read,
            });
        }
    }

    /// A read has failed: what is known stays as it is.
    pub(crate) fn give_up(&mut self) {
        self.reading = None;
        self.is_cut_off = true;
    }

    /// Whether memberships cannot be read just now, or not soon, and the user was granted this by the last that were.
    pub(crate) fn was_granted(&self, user: UserId, need: Need, now: Instant) -> bool {
        (self.is_cut_off || self.reads_slowly(now)) && self.could(user, need)
    }

    /// Whether anything is known.
    pub(crate) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// When the last read began, if there was any; `None` while one is under way.
    pub(crate) fn last_read(&self) -> Option<Option<Instant>> {
        self.reading.is_none().then_some(self.began_at)
    }

    /// Whether the user was granted this by what was read last.
    pub(crate) fn could(&self, user: UserId, need: Need) -> bool {
        self.membership().is_some_and(|membership| {
            let role = membership.roles.get(&user);
            role.is_some_and(|role| need == Need::Read || role.may_write())
        })
    }

    /// Whether the read that is under way takes longer than what nobody keeps should wait for.
    fn reads_slowly(&self, now: Instant) -> bool {
        self.slow_at().is_some_and(|at| at <= now)
    }

    /// When the read that is under way will have taken too long for what nobody keeps.
    pub(crate) fn slow_at(&self) -> Option<Instant> {
        self.reading.map(|(_, began)| began + READS_WITHIN)
    }

    /// Memberships have changed: nothing that was read before, or is being read, counts.
    /// Ask again after the read with the number that is answered.
    pub(crate) fn invalidate(&mut self) -> u64 {
        self.known = None;
        self.void = self.begun;
        self.next_read()
    }

    /// Goes on counting where a room that has broken was: what it was reading counts no more.
    pub(crate) fn succeed(&mut self, broken: &Self) {
        self.begun = broken.begun;
        self.void = broken.begun;
    }

    /// Whether read number `read`, or a later one, is what is known now.
    pub(crate) fn has(&self, read: u64) -> bool {
        self.known.as_ref().is_some_and(|known| known.read >= read)
    }

    /// Whether the last read found that the user is no member, or that there is nothing to be a member of.
    pub(crate) fn is_stranger(&self, user: UserId) -> bool {
        self.known.as_ref().is_some_and(|known| {
            let membership = known.membership.as_ref();
            membership.is_none_or(|membership| !membership.roles.contains_key(&user))
        })
    }

    /// What the last read found.
    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.known.as_ref()?.membership.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::room::fixture::user;

    const MAX_AGE: Duration = Duration::from_secs(10);

    fn members(role: Option<Role>) -> Option<Membership> {
        Some(Membership {
            roles: role.map(|role| (user(1).id, role)).into_iter().collect(),
            workspace: None,
        })
    }

    fn read(access: &mut Access, number: u64, now: Instant, found: Option<Membership>) {
        assert!(access.begin(number, now));
        access.take(found);
    }

    #[tokio::test]
    async fn a_grant_is_kept_for_its_age_and_a_refusal_never() {
        let (mut access, now, ada) = (Access::new(MAX_AGE), Instant::now(), user(1).id);
        assert_eq!(access.judge(ada, Need::Read, 0, now), Verdict::Read(1));
        read(&mut access, 1, now, members(Some(Role::Viewer)));
        assert_eq!(access.judge(ada, Need::Read, 1, now), Verdict::Granted);
        assert_eq!(
            access.judge(ada, Need::Read, 0, now + MAX_AGE / 2),
            Verdict::Granted
        );
        assert_eq!(
            access.judge(ada, Need::Read, 0, now + MAX_AGE),
            Verdict::Read(2)
        );
        assert_eq!(access.judge(ada, Need::Write, 0, now), Verdict::Read(2));
        read(&mut access, 2, now, members(Some(Role::Viewer)));
        assert_eq!(
            access.judge(ada, Need::Write, 2, now),
            Verdict::Denied(Denied::Role)
        );
    }

    #[tokio::test]
    async fn a_refusal_rests_on_a_read_that_began_after_the_question() {
        let (mut access, now, ada) = (Access::new(MAX_AGE), Instant::now(), user(1).id);
        assert!(access.begin(1, now));
        assert_eq!(access.judge(ada, Need::Read, 0, now), Verdict::Read(2));
        access.take(members(None));
        assert_eq!(access.judge(ada, Need::Read, 2, now), Verdict::Read(2));
        read(&mut access, 2, now, members(Some(Role::Member)));
        assert_eq!(access.judge(ada, Need::Read, 2, now), Verdict::Granted);
    }

    #[tokio::test]
    async fn a_read_that_began_before_a_change_does_not_count() {
        let (mut access, now, ada) = (Access::new(MAX_AGE), Instant::now(), user(1).id);
        assert!(access.begin(1, now));
        assert_eq!(access.invalidate(), 2);
        access.take(members(Some(Role::Owner)));
        assert_eq!(access.judge(ada, Need::Read, 0, now), Verdict::Read(2));
        read(
            &mut access,
            2,
            now,
            Some(Membership {
                roles: HashMap::new(),
                workspace: None,
            }),
        );
        assert_eq!(
            access.judge(ada, Need::Read, 2, now),
            Verdict::Denied(Denied::NotMember)
        );
    }
}
