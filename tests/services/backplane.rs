//! The contract of the backplane, on a real Redis.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use collabflow::cluster::{RedisBackplane, RedisOptions};
use collabflow_actors::{
    backplane::{Append, Appended, Backplane, BackplaneError, Incoming, Logged, Table, Turn},
    key::RoomKey,
};
use collabflow_protocol::id::ObjectId;
use futures_util::{FutureExt, future::join_all};
use tokio::{sync::mpsc, time::timeout};

use crate::redis::Redis;

/// Longer than anything takes on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);

struct Node {
    backplane: RedisBackplane,
    incoming: mpsc::UnboundedReceiver<Incoming>,
}

fn options(redis: &Redis) -> RedisOptions {
    RedisOptions {
        timeout: Duration::from_secs(1),
        ..RedisOptions::new(redis.url())
    }
}

impl Node {
    async fn start(redis: &Redis) -> Self {
        Self::start_with(options(redis)).await
    }

    async fn start_with(options: RedisOptions) -> Self {
        let (sender, incoming) = mpsc::unbounded_channel();
        let backplane = RedisBackplane::start(options, sender).expect("a good address");
        let mut node = Self {
            backplane,
            incoming,
        };
        assert_eq!(node.next().await, Incoming::Up);
        node
    }

    async fn next(&mut self) -> Incoming {
        let next = timeout(WITHIN, self.incoming.recv()).await;
        next.expect("something comes").expect("it goes on")
    }

    async fn entry(&mut self) -> Logged {
        match self.next().await {
            Incoming::Entry(_, entry) => entry,
            other => panic!("no entry: {other:?}"),
        }
    }

    async fn append(&self, append: Append) -> Appended {
        self.backplane.append(append).await.expect("it answers")
    }
}

fn room(n: u8) -> RoomKey {
    RoomKey::Project(ObjectId::from_bytes([n; 12]).into())
}

fn entry(room: RoomKey, payload: &str) -> Append {
    Append {
        room,
        id: rand::random(),
        turn: None,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

fn version(room: RoomKey, version: u64, base: u64) -> Append {
    let task = ObjectId::from_bytes([7; 12]).into();
    Append {
        turn: Some(Turn {
            task,
            version,
            base,
            is_base_new: false,
        }),
        ..entry(room, &version.to_string())
    }
}

fn offset(appended: &Appended) -> u64 {
    match appended {
        Appended::At(place) | Appended::Before(place) => place.position.offset,
        other => panic!("it has no place: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_hear_a_room_in_one_order_without_a_hole() {
    const EACH: u64 = 500;
    let redis = Redis::start();
    let mut nodes = vec![Node::start(&redis).await, Node::start(&redis).await];
    for node in &nodes {
        node.backplane.subscribe(room(1)).await.expect("it answers");
    }
    let calls: Vec<_> = (0..EACH)
        .flat_map(|number| {
            let payload = number.to_string();
            nodes
                .iter()
                .map(move |node| node.backplane.append(entry(room(1), &payload)))
                .collect::<Vec<_>>()
        })
        .collect();
    let offsets: HashSet<_> = join_all(calls)
        .await
        .into_iter()
        .map(|appended| offset(&appended.expect("it answers")))
        .collect();
    assert_eq!(offsets, (1..=2 * EACH).collect());
    let mut heard = Vec::new();
    for node in &mut nodes {
        let mut entries = Vec::new();
        for _ in 0..2 * EACH {
            entries.push(node.entry().await);
        }
        heard.push(entries);
    }
    assert_eq!(heard[0], heard[1]);
    for (place, entry) in heard[0].iter().enumerate() {
        assert_eq!(entry.place.position.offset, place as u64 + 1);
    }
    assert!(heard[0].is_sorted_by(|a, b| a.place.stamp < b.place.stamp));
    let tail = nodes[0]
        .backplane
        .since(room(1), 2 * EACH - 3)
        .await
        .expect("it answers");
    assert_eq!(tail.entries, heard[0][heard[0].len() - 3..]);
    assert_eq!(
        tail.top.as_ref(),
        heard[0].last().map(|last| &last.place.position)
    );
}

/// Calls that are not awaited one after another keep their order all the same.
#[tokio::test]
async fn the_appends_of_a_node_are_made_in_the_order_of_their_calls() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    let calls: Vec<_> = (0..2_000)
        .map(|n| node.backplane.append(entry(room(1), &n.to_string())))
        .collect();
    let answers = join_all(calls.into_iter().rev()).await;
    let offsets: Vec<_> = answers
        .into_iter()
        .rev()
        .map(|answer| offset(&answer.expect("it answers")))
        .collect();
    assert_eq!(offsets, (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entry_that_is_appended_again_is_told_once() {
    let redis = Redis::start();
    let mut node = Node::start(&redis).await;
    node.backplane.subscribe(room(1)).await.expect("it answers");
    let first = entry(room(1), "once");
    let Appended::At(place) = node.append(first.clone()).await else {
        panic!("it is new");
    };
    assert_eq!(node.append(first).await, Appended::Before(place.clone()));
    node.append(entry(room(1), "last")).await;
    assert_eq!(node.entry().await.place, place);
    assert_eq!(node.entry().await.payload, "last");
}

#[tokio::test]
async fn versions_of_a_task_are_told_in_their_turn() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    let append = async |number, base| node.append(version(room(1), number, base)).await;
    // What was told before anybody knew the task is nobody's turn.
    assert!(matches!(append(5, 4).await, Appended::At(_)));
    assert!(matches!(append(6, 5).await, Appended::At(_)));
    assert_eq!(append(8, 7).await, Appended::Early(6));
    assert!(matches!(append(8, 0).await, Appended::At(_)));
    assert_eq!(append(7, 6).await, Appended::Late);
    assert!(matches!(append(9, 8).await, Appended::At(_)));
    // Unless what came before it may still be on its way.
    let mut soon = version(room(2), 2, 1);
    if let Some(turn) = &mut soon.turn {
        turn.is_base_new = true;
    }
    assert_eq!(node.append(soon.clone()).await, Appended::Early(0));
    assert!(matches!(
        node.append(version(room(2), 1, 0)).await,
        Appended::At(_)
    ));
    assert!(matches!(node.append(soon).await, Appended::At(_)));
}

#[tokio::test]
async fn a_log_that_is_lost_begins_anew_under_another_epoch() {
    let mut redis = Redis::start();
    let mut node = Node::start(&redis).await;
    node.backplane.subscribe(room(1)).await.expect("it answers");
    node.append(entry(room(1), "before")).await;
    let before = node.entry().await.place;
    redis.restart();
    assert_eq!(node.next().await, Incoming::Down);
    let refused = node.backplane.append(entry(room(1), "meanwhile")).await;
    assert!(
        matches!(refused, Err(BackplaneError::Away(_))),
        "{refused:?}"
    );
    assert_eq!(node.next().await, Incoming::Up);
    assert_eq!(
        node.backplane
            .tops(vec![room(1), room(2)])
            .await
            .expect("it answers")
            .tops,
        [None, None]
    );
    node.append(entry(room(1), "after")).await;
    // It hears the room again without asking.
    let after = node.entry().await.place;
    assert_eq!(after.position.offset, 1);
    assert_ne!(after.position.epoch, before.position.epoch);
    assert!(after.stamp > before.stamp, "a stamp is never given twice");
}

/// A replica takes over that lacks the last entry.
#[tokio::test]
async fn what_a_primary_did_not_hand_over_makes_all_logs_others() {
    let mut primary = Redis::start();
    let of = ["--replicaof", "127.0.0.1", &primary.port().to_string()].map(str::to_owned);
    let replica = Redis::start_with(&of);
    let mut there = replica.client().await;
    let mut node = Node::start(&primary).await;
    node.backplane.subscribe(room(1)).await.expect("it answers");
    node.append(entry(room(1), "kept")).await;
    let kept = node.entry().await.place;
    let mut ask = async |line: &str| -> redis::Value {
        let mut command = redis::Cmd::new();
        command.arg(line.split(' ').collect::<Vec<_>>());
        command.query_async(&mut there).await.expect("it answers")
    };
    let length = format!("XLEN {{collabflow}}:log:{}", room(1));
    while ask(&length).await != redis::Value::Int(1) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ask("REPLICAOF NO ONE").await;
    node.append(entry(room(1), "lost")).await;
    let lost = node.entry().await.place;
    primary.kill();
    ask(&format!("CONFIG SET port {}", primary.port())).await;
    assert_eq!(node.next().await, Incoming::Down);
    assert_eq!(node.next().await, Incoming::Up);

    let tail = node.backplane.since(room(1), lost.position.offset).await;
    let tail = tail.expect("it answers");
    assert_eq!((tail.top, tail.entries.len()), (None, 0));
    assert!(tail.began.is_some_and(|began| began >= lost.stamp));
    let tops = node
        .backplane
        .tops(vec![room(1)])
        .await
        .expect("it answers");
    assert_eq!(tops.tops, [None]);
    node.append(entry(room(1), "after")).await;
    let after = node.entry().await.place;
    assert_eq!(after.position.offset, 1);
    assert_ne!(after.position.epoch, kept.position.epoch);
    assert!(after.stamp > lost.stamp, "a stamp is never given twice");
    // Another node that comes finds the same primary.
    let other = Node::start(&primary).await;
    let again = other.append(entry(room(1), "again")).await;
    assert_eq!(offset(&again), 2);
}

#[tokio::test]
async fn a_call_to_a_redis_that_hangs_ends_in_time_and_is_known_when_it_is_made_again() {
    let redis = Redis::start();
    let mut node = Node::start(&redis).await;
    redis.freeze();
    let hanging = entry(room(1), "hanging");
    let answer = timeout(WITHIN, node.backplane.append(hanging.clone())).await;
    let answer = answer.expect("it ends in time");
    assert!(matches!(answer, Err(BackplaneError::Away(_))), "{answer:?}");
    assert_eq!(node.next().await, Incoming::Down);
    // Nobody waits for a connection that has left a call without an answer.
    let refused = node.backplane.ping().now_or_never();
    assert!(
        matches!(refused, Some(Err(BackplaneError::Away(_)))),
        "{refused:?}"
    );
    redis.thaw();
    assert_eq!(node.next().await, Incoming::Up);
    let again = node.append(hanging).await;
    assert_eq!(offset(&again), 1);
    assert_eq!(offset(&node.append(entry(room(1), "next")).await), 2);
}

#[tokio::test]
async fn what_is_passed_on_reaches_the_others_of_a_room_and_what_is_said_all() {
    let redis = Redis::start();
    let (mut here, mut there) = (Node::start(&redis).await, Node::start(&redis).await);
    there
        .backplane
        .subscribe(room(1))
        .await
        .expect("it answers");
    here.backplane.pass(room(1), Bytes::from_static(b"typing"));
    assert_eq!(
        there.next().await,
        Incoming::Passing(room(1), Bytes::from_static(b"typing"))
    );
    there.backplane.say(Bytes::from_static(b"hello"));
    assert_eq!(
        here.next().await,
        Incoming::Said(Bytes::from_static(b"hello"))
    );
    assert_eq!(
        there.next().await,
        Incoming::Said(Bytes::from_static(b"hello"))
    );
    there.backplane.unsubscribe(room(1));
    there
        .backplane
        .subscribe(room(2))
        .await
        .expect("it answers");
    here.backplane.pass(room(1), Bytes::from_static(b"unheard"));
    here.backplane.pass(room(2), Bytes::from_static(b"heard"));
    assert_eq!(
        there.next().await,
        Incoming::Passing(room(2), Bytes::from_static(b"heard"))
    );
}

#[tokio::test]
async fn nothing_is_kept_without_an_end_and_all_under_one_hash_tag() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    node.append(version(room(1), 1, 0)).await;
    node.append(entry(room(2), "x")).await;
    let mut client = redis.client().await;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut client)
        .await
        .expect("it answers");
    assert!(keys.len() >= 7, "{keys:?}");
    for key in keys {
        let ends: i64 = redis::cmd("TTL")
            .arg(&key)
            .query_async(&mut client)
            .await
            .expect("it answers");
        assert!(ends > 0, "{key} is kept for ever");
        assert!(key.starts_with("{collabflow}:"), "{key}");
    }
}

#[tokio::test]
async fn a_log_keeps_its_last_entries_and_says_where_it_ends() {
    let redis = Redis::start();
    let node = Node::start_with(RedisOptions {
        log_length: 3,
        ..options(&redis)
    })
    .await;
    for number in 1..=5 {
        node.append(entry(room(1), &number.to_string())).await;
    }
    let tail = node.backplane.since(room(1), 0).await.expect("it answers");
    let kept: Vec<_> = tail
        .entries
        .iter()
        .map(|entry| entry.place.position.offset)
        .collect();
    assert_eq!(kept, [3, 4, 5]);
    assert_eq!(tail.top.expect("it has an end").offset, 5);
}

#[tokio::test]
async fn a_log_says_since_when_it_is_known_and_the_end_of_all_logs() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    let since = async |room| {
        let tail = node.backplane.since(room, 0).await;
        tail.expect("it answers").began
    };
    assert_eq!(since(room(1)).await, None, "nothing is known yet");
    let Appended::At(first) = node.append(entry(room(1), "first")).await else {
        panic!("it is new");
    };
    assert_eq!(since(room(1)).await, Some(first.stamp - 1));
    assert_eq!(
        since(room(2)).await,
        Some(first.stamp - 1),
        "nobody wrote there since"
    );
    let Appended::At(second) = node.append(entry(room(2), "second")).await else {
        panic!("it is new");
    };
    assert_eq!(since(room(2)).await, Some(first.stamp - 1));
    let tops = node.backplane.tops(vec![room(1), room(3)]).await;
    let tops = tops.expect("it answers");
    assert_eq!(tops.stamp, second.stamp);
    assert_eq!(tops.tops, [Some(first.position), None]);
}

/// A clock that goes slower than the time falls behind it, day by day, and nothing is lost by that.
#[tokio::test]
async fn what_is_known_of_logs_is_known_however_long_they_are_written_to() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    let began = async || {
        node.append(entry(room(1), "more")).await;
        let tail = node.backplane.since(room(1), 0).await;
        tail.expect("it answers").began
    };
    let at_first = began().await;
    let mut command = redis::cmd("HINCRBY");
    let two_days = -2 * 24 * 3_600 * 1_000_000_i64;
    command.arg("{collabflow}:clock").arg("t").arg(two_days);
    let client = &mut redis.client().await;
    let _: i64 = command.query_async(client).await.expect("it answers");
    assert_eq!(began().await, at_first);
}

#[tokio::test]
async fn what_is_in_a_table_is_taken_once() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    let (table, field) = (Table::Here(room(1)), || "field".to_owned());
    let value = Bytes::from_static(b"value");
    node.backplane.put(table, field(), Some(value.clone()));
    let take = || node.backplane.take(table, field());
    let (first, second) = tokio::join!(take(), take());
    assert_eq!((first, second), (Ok(Some(value.clone())), Ok(None)));
}
