//! The log of a session that can recover, from one connection's outbox to the next.

use super::*;

/// Tells both rooms three frames, of which the last comes when the connection is gone; the texts are "1", "2" and "3".
fn recoverable() -> (Arc<Outbox>, Wall) {
    let (outbox, wall) = outbox(1_000);
    outbox.keep_log(1_000);
    outbox.push_durable(ROOM, Mark::Beside, &frame("[1]"));
    outbox.push_durable(OTHER, Mark::Beside, &frame("[2]"));
    outbox.push(&frame("typing"));
    outbox.flush();
    outbox.close(CloseReason::ConnectionLost);
    outbox.push(&frame("typing again"));
    outbox.push_durable(ROOM, Mark::Beside, &frame("[3]"));
    (outbox, wall)
}

fn told(wall: &Wall) -> Vec<String> {
    let bytes = wall.0.lock().bytes.clone();
    let mut rest = &bytes[..];
    let mut texts = Vec::new();
    while let [0x81, length, after @ ..] = rest {
        let (text, next) = after.split_at(usize::from(*length));
        texts.push(String::from_utf8_lossy(text).into_owned());
        rest = next;
    }
    texts
}

fn offset(text: &str) -> Offset {
    text.parse().expect("an offset")
}

#[tokio::test]
async fn durable_frames_carry_their_offset_and_others_do_not() {
    let (_outbox, wall) = recoverable();
    assert_eq!(told(&wall), [r#"[1,"1"]"#, r#"[2,"2"]"#, "typing"]);
}

#[tokio::test]
async fn the_next_connection_tells_what_was_missed_behind_its_greeting_and_then_what_is_new() {
    let (old, _) = recoverable();
    let (new, wall) = outbox(1_000);
    assert!(old.hand_on(&new, offset("1"), &frame("hello")));
    old.push_durable(OTHER, Mark::Beside, &frame("[4]"));
    assert!(
        !old.push_durable(ROOM, Mark::Beside, &frame("[5]")),
        "it was flushed"
    );
    assert!(!old.push(&frame("passing")));
    new.push_durable(ROOM, Mark::Beside, &frame("[6]"));
    new.flush();
    let expected = [
        "hello",
        r#"[2,"2"]"#,
        r#"[3,"3"]"#,
        r#"[4,"4"]"#,
        r#"[5,"5"]"#,
        r#"[6,"6"]"#,
    ];
    assert_eq!(told(&wall), expected);
    assert_eq!(old.closed(), Some(CloseReason::ConnectionLost));
}

#[tokio::test]
async fn a_connection_that_is_replaced_while_it_lives_is_closed() {
    let (old, wall) = outbox(1_000);
    old.keep_log(1_000);
    let (new, _) = outbox(1_000);
    assert!(old.hand_on(&new, Offset::default(), &frame("hello")));
    assert_eq!(old.closed(), Some(CloseReason::Replaced));
    assert!(wall.0.lock().bytes.ends_with(b"another connection"));
    let (plain, _) = outbox(1_000);
    plain.replace();
    assert_eq!(plain.closed(), Some(CloseReason::Replaced));
}

#[tokio::test(start_paused = true)]
async fn what_was_written_to_a_replaced_connection_since_its_unanswered_ping_is_missed() {
    let (outbox, _wall) = outbox(1_000);
    outbox.push_durable(ROOM, Mark::Beside, &frame("read"));
    outbox.flush();
    tokio::time::advance(Duration::from_millis(1)).await;
    outbox.send_ping(&frame("2"));
    outbox.push_durable(ROOM, Mark::Beside, &frame("unread"));
    outbox.flush();
    outbox.replace();
    outbox.end(CloseReason::Replaced, None);
    assert_eq!(missed(&outbox, ROOM), ["unread"]);
}

#[tokio::test]
async fn a_log_is_handed_on_again_and_again_and_only_once_by_each() {
    let (mut old, _) = recoverable();
    for _ in 0..50 {
        let (new, wall) = outbox(1_000);
        assert!(old.hand_on(&new, offset("2"), &frame("hello")));
        assert!(!old.hand_on(&new, offset("2"), &frame("hello")));
        new.flush();
        assert_eq!(told(&wall), ["hello", r#"[3,"3"]"#]);
        assert_eq!(Arc::weak_count(&new), 1, "only the one before knows it");
        new.close(CloseReason::ConnectionLost);
        old = new;
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_it_is_told_hands_on_what_it_was_given() {
    let (old, _) = recoverable();
    let (between, _) = outbox(1_000);
    between.close(CloseReason::ConnectionLost);
    assert!(old.hand_on(&between, offset("1"), &frame("hello")));
    old.push_durable(ROOM, Mark::Beside, &frame("[4]"));
    let (new, wall) = outbox(1_000);
    assert!(between.hand_on(&new, offset("1"), &frame("hello")));
    new.flush();
    let expected = ["hello", r#"[2,"2"]"#, r#"[3,"3"]"#, r#"[4,"4"]"#];
    assert_eq!(told(&wall), expected);
}

#[tokio::test]
async fn what_is_not_known_to_be_all_is_not_handed_on() {
    let (old, _) = recoverable();
    let (new, _) = outbox(1_000);
    assert!(!old.hand_on(&new, offset("4"), &frame("hello")));
    assert!(!new.hand_on(&old, offset("0"), &frame("hello")), "no log");
    assert_eq!(old.rooms_since(offset("4")), None);
    assert_eq!(old.rooms_since(offset("1")), Some(vec![ROOM, OTHER]));
    assert_eq!(old.rooms_since(offset("2")), Some(vec![ROOM]));
}

#[tokio::test]
async fn what_was_told_in_a_lost_room_is_not_told_again_even_while_the_session_moves() {
    let (old, _) = recoverable();
    old.forget(OTHER);
    let (new, wall) = outbox(1_000);
    assert!(old.hand_on(&new, offset("0"), &frame("hello")));
    new.flush();
    assert_eq!(told(&wall), ["hello", r#"[1,"1"]"#, r#"[3,"3"]"#]);
    old.forget(ROOM);
    assert_eq!(new.rooms_since(offset("0")), Some(Vec::new()));
}

#[tokio::test]
async fn a_replay_greater_than_what_may_wait_closes_nobody_and_what_comes_behind_it_is_bounded() {
    let old = outbox(100).0;
    old.keep_log(10_000);
    old.close(CloseReason::ConnectionLost);
    let long = format!("[{}]", "x".repeat(60));
    for _ in 0..10 {
        old.push_durable(ROOM, Mark::Beside, &frame(&long));
    }
    let (new, wall) = outbox(100);
    wall.0.lock().room = Some(200);
    assert!(old.hand_on(&new, offset("0"), &frame("hello")));
    new.flush();
    new.push(&frame(&long));
    assert_eq!(new.closed(), None);
    new.push(&frame(&long));
    assert_eq!(new.closed(), Some(CloseReason::OutboxFull));
}

#[tokio::test]
async fn a_client_that_does_not_recover_any_more_has_to_reload_what_is_in_the_log() {
    let (old, _) = recoverable();
    assert!(!old.take_missed(ROOM).complete);
}

#[tokio::test]
async fn a_poll_and_an_answered_ping_prove_what_need_not_be_told_again() {
    let polling = Outbox::for_tests();
    polling.keep_log(1_000);
    for text in ["[1]", "[2]", "[3]"] {
        polling.push_durable(ROOM, Mark::Beside, &frame(text));
    }
    polling.take(1);
    polling.take(1);
    assert_eq!(polling.rooms_since(offset("0")), None);
    assert_eq!(polling.rooms_since(offset("1")), Some(vec![ROOM]));
    polling.attach(Box::new(Wall::default()));
    assert_eq!(polling.rooms_since(offset("1")), None);
    polling.prove_read(Instant::now() + Duration::from_secs(1));
    assert_eq!(polling.rooms_since(offset("2")), None);
    assert_eq!(polling.rooms_since(offset("3")), Some(Vec::new()));
}
