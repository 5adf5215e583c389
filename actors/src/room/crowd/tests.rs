//! The clients of these tests do with what they are told what the old page does, and mind what they hear twice.

use std::{collections::HashSet, sync::Arc, time::Duration};

use collabflow_protocol::{event::ServerEvent, id::UserId, model::Role};
use proptest::prelude::*;

use super::{super::effect::Audience, QUIET_MIN};
use crate::{
    outbox::Outbox,
    room::{
        fixture::{TestRoom, session, successor, user},
        message::{Departure, RoomMessage},
    },
    session::{entry::SessionEntry, reply::Reply},
};

/// Everybody's clients, and the room.
struct Crush {
    room: TestRoom,
    clients: Vec<Client>,
}

struct Client {
    entry: Arc<SessionEntry>,
    is_in: bool,
    online: HashSet<UserId>,
    frames: usize,
}

impl Crush {
    /// A project with `members`, and `tabs` of each of `users` users that are not in the room yet.
    fn new(members: u8, users: u8, tabs: usize) -> Self {
        let mut room = TestRoom::new();
        room.members.roles = (1..=members).map(|n| (user(n).id, Role::Member)).collect();
        let clients = (1..=users).flat_map(|n| std::iter::repeat_n(n, tabs));
        let clients = clients.map(|user| Client {
            entry: session(user),
            is_in: false,
            online: HashSet::new(),
            frames: 0,
        });
        Self {
            room,
            clients: clients.collect(),
        }
    }

    fn join(&mut self, at: usize) {
        let client = &mut self.clients[at];
        client.is_in = true;
        let entry = Arc::clone(&client.entry);
        self.room.join(&entry);
        self.hear();
    }

    fn depart(&mut self, at: usize, how: Departure) {
        let client = &mut self.clients[at];
        client.is_in = false;
        let entry = Arc::clone(&client.entry);
        let message = RoomMessage::Depart(entry, how, Reply::nobody());
        self.room.send(message);
        self.hear();
    }

    fn drop_and_return(&mut self, at: usize, pause: Duration, recovers: bool) {
        let client = &mut self.clients[at];
        if !client.is_in {
            return;
        }
        client.is_in = false;
        let old = Arc::clone(&client.entry);
        old.outbox.keep_log(1_000);
        self.room.send(RoomMessage::Away(Arc::clone(&old)));
        self.hear();
        self.pass(pause);
        let client = &mut self.clients[at];
        client.entry = if recovers {
            let user = old.user();
            SessionEntry::renewed(&old, user, Outbox::for_tests(), |_| true)
        } else {
            successor(&old)
        };
        client.is_in = true;
        let new = Arc::clone(&client.entry);
        self.room.send(if recovers {
            RoomMessage::Renew { old, new }
        } else {
            RoomMessage::Return { old, new }
        });
        self.hear();
    }

    fn pass(&mut self, time: Duration) {
        self.room.pass(time);
        self.hear();
    }

    /// Lets everything be told that is to be.
    fn rest(&mut self) {
        for _ in 0..20 {
            self.pass(Duration::from_secs(1));
        }
    }

    fn hear(&mut self) {
        for (event, audience) in self.room.take_told() {
            for client in self.clients.iter_mut().filter(|client| client.is_in) {
                let id = client.entry.id;
                let hears = match &audience {
                    Audience::All => true,
                    Audience::AllBut(out) => !out.contains(&id),
                    Audience::Only(sessions) => sessions.contains(&id),
                };
                if hears {
                    client.take(&event);
                }
            }
        }
    }

    fn assert_all_know_who_is_there(&self) {
        let present = |client: &&Client| client.is_in;
        let online: HashSet<_> = self
            .clients
            .iter()
            .filter(present)
            .map(Client::id)
            .collect();
        for client in self.clients.iter().filter(present) {
            assert_eq!(client.online, online);
        }
    }
}

impl Client {
    fn id(&self) -> UserId {
        self.entry.user_id()
    }

    fn take(&mut self, event: &ServerEvent) {
        self.frames += 1;
        match event {
            ServerEvent::RoomUsers { users, .. } => {
                self.online = users.iter().copied().collect();
                assert_eq!(self.online.len(), users.len());
            }
            ServerEvent::UserJoined { user_id, .. } => {
                assert!(self.online.insert(*user_id), "told twice of a coming");
            }
            ServerEvent::UserLeft { user_id, .. } => {
                assert!(self.online.remove(user_id), "told of nobody's leaving");
            }
            other => panic!("no presence: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_small_room_is_told_of_each_at_once() {
    let mut crush = Crush::new(99, 50, 1);
    for at in 0..50 {
        crush.join(at);
        crush.assert_all_know_who_is_there();
    }
    assert_eq!(crush.clients[0].frames, 50);
}

#[tokio::test]
async fn a_crush_into_a_large_room_costs_each_member_at_most_three_frames() {
    let mut crush = Crush::new(200, 200, 1);
    (0..200).for_each(|at| crush.join(at));
    crush.rest();
    crush.assert_all_know_who_is_there();
    for client in &crush.clients {
        assert!((1..=3).contains(&client.frames), "{}", client.frames);
    }
}

#[tokio::test]
async fn a_crush_that_does_not_end_is_told_now_and_then() {
    let mut crush = Crush::new(200, 200, 1);
    for at in 0..200 {
        crush.join(at);
        crush.pass(QUIET_MIN / 5);
    }
    // It lasts four seconds; a room of 200 is told after 0.1 s of calm, or after 1 s.
    let frames = crush.clients[0].frames;
    assert!((4..=6).contains(&frames), "{frames}");
}

#[tokio::test]
async fn one_who_comes_in_a_calm_is_told_of_at_once_and_the_next_shortly_after() {
    let mut crush = Crush::new(200, 3, 1);
    crush.join(0);
    crush.rest();
    crush.join(1);
    crush.assert_all_know_who_is_there();
    crush.join(2);
    assert_eq!(crush.clients[0].online.len(), 2);
    crush.pass(QUIET_MIN);
    crush.assert_all_know_who_is_there();
    assert_eq!(crush.clients[0].frames, 3);
    assert_eq!(crush.clients[1].frames, 2);
    assert_eq!(crush.clients[2].frames, 1);
}

#[tokio::test]
async fn one_who_comes_and_goes_unseen_costs_nothing() {
    let mut crush = Crush::new(200, 4, 1);
    (0..3).for_each(|at| crush.join(at));
    crush.rest();
    let before: Vec<_> = crush.clients.iter().map(|client| client.frames).collect();
    crush.depart(2, Departure::Left);
    for _ in 0..10 {
        crush.join(3);
        crush.depart(3, Departure::Left);
    }
    crush.rest();
    crush.assert_all_know_who_is_there();
    // The two who stay have heard of the one who left alone.
    assert_eq!(crush.clients[0].frames, before[0] + 1);
    assert_eq!(crush.clients[1].frames, before[1] + 1);
}

#[derive(Clone, Debug)]
enum Step {
    Join(usize),
    Leave(usize),
    Drop(usize),
    Return(usize, u64, bool),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (at, time) = (0..30_usize, 0..400_u64);
    prop_oneof![
        6 => at.clone().prop_map(Step::Join),
        2 => at.clone().prop_map(Step::Leave),
        1 => at.clone().prop_map(Step::Drop),
        1 => (at, 0..7_000_u64, any::<bool>()).prop_map(|(at, pause, recovers)| Step::Return(at, pause, recovers)),
        1 => time.prop_map(Step::Pass),
    ]
}

proptest! {
    /// Nobody hears anything twice or of somebody unknown, and at rest everybody knows who is there.
    #[test]
    fn whoever_comes_and_goes_all_know_who_is_there_at_rest(
        members in prop_oneof![Just(30_u8), Just(200)],
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut crush = Crush::new(members, 15, 2);
            for step in steps {
                match step {
                    Step::Join(at) => crush.join(at),
                    Step::Leave(at) => crush.depart(at, Departure::Left),
                    Step::Drop(at) => crush.depart(at, Departure::Dropped),
                    Step::Return(at, pause, recovers) => {
                        crush.drop_and_return(at, Duration::from_millis(pause), recovers);
                    }
                    Step::Pass(time) => crush.pass(Duration::from_millis(time)),
                }
            }
            crush.rest();
            crush.assert_all_know_who_is_there();
        });
    }
}
