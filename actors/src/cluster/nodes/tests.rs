//! Who is there, by what is said and what is not.

use super::*;

fn word(by: NodeId, name: &str, says: NodeSays) -> NodeWord {
    NodeWord {
        by,
        name: name.into(),
        says,
    }
}

#[tokio::test]
async fn a_node_that_falls_silent_while_it_has_sessions_is_dead() {
    let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
    let alive = word(node, "a", NodeSays::Alive(3));
    assert!(nodes.hear(&alive, now).wants_answer);
    assert!(nodes.take_dead(0, now).is_empty());
    assert!(!nodes.hear(&alive, now + BEAT).wants_answer);
    assert!(nodes.take_dead(0, now + DEAD_AFTER).is_empty());
    assert_eq!(
        nodes.take_dead(0, now + BEAT + DEAD_AFTER),
        [(node, End::Lost)]
    );
    assert!(nodes.is_alone());
}

#[tokio::test]
async fn where_nobody_is_connected_to_any_node_all_may_be_silent() {
    let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
    nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
    nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
    assert!(!nodes.is_busy(0));
    assert!(nodes.take_dead(0, now + DEAD_AFTER * 100).is_empty());
    assert!(!nodes.is_alone());
}

/// It may have stored something by REST for those who are connected to others.
#[tokio::test]
async fn a_node_without_sessions_that_falls_silent_while_others_have_some_is_dead() {
    let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
    nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
    let later = now + DEAD_AFTER * 100;
    assert!(nodes.is_busy(1));
    assert!(
        nodes.take_dead(1, later).is_empty(),
        "it has just become its turn to speak"
    );
    assert!(nodes.take_dead(1, later + BEAT).is_empty());
    assert_eq!(nodes.take_dead(1, later + DEAD_AFTER), [(node, End::Lost)]);
}

#[tokio::test]
async fn who_is_silent_while_nobody_is_connected_is_not_asked_again() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let [one, other] = [(); 2].map(|()| NodeId::random());
    nodes.hear(&word(one, "a", NodeSays::Alive(0)), now);
    nodes.hear(&word(other, "b", NodeSays::Alive(0)), now);
    nodes.forget_idle(&[one].into());
    assert_eq!(nodes.all(), HashSet::from([other]));
    nodes.hear(&word(one, "a", NodeSays::Alive(0)), now);
    assert_eq!(nodes.all(), HashSet::from([one, other]));
    // Who should say something is dead before long, or says it.
    nodes.take_dead(1, now);
    nodes.forget_idle(&[one].into());
    assert_eq!(nodes.all(), HashSet::from([one, other]));
}

#[tokio::test]
async fn a_node_that_starts_again_under_its_name_ends_the_one_before_it() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let [old, new, other] = [(); 3].map(|()| NodeId::random());
    nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
    nodes.hear(&word(other, "b", NodeSays::Alive(1)), now);
    let heard = nodes.hear(&word(new, "a", NodeSays::Hello), now);
    assert!(heard.wants_answer && heard.has_namesakes);
    nodes.hear(&word(other, "b", NodeSays::Alive(1)), now);
    assert!(nodes.take_dead(0, now).is_empty(), "it may be there still");
    let then = now + STANDS_UP_WITHIN;
    assert_eq!(nodes.take_dead(0, then), [(old, End::Lost)]);
    let heard = nodes.hear(&word(other, "b", NodeSays::Bye), then);
    assert_eq!(heard.gone, [(other, End::Bye)]);
    assert!(nodes.take_dead(0, now + DEAD_AFTER * 2).is_empty());
}

/// It was heard first by what it had said of a room.
#[tokio::test]
async fn a_node_whose_name_was_not_known_ends_the_one_before_it_too() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let [old, new] = [(); 2].map(|()| NodeId::random());
    nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
    nodes.suspect(new, now);
    let heard = nodes.hear(&word(new, "a", NodeSays::Alive(1)), now);
    assert!(heard.wants_answer && heard.has_namesakes);
    let then = now + STANDS_UP_WITHIN;
    assert_eq!(nodes.take_dead(0, then), [(old, End::Lost)]);
}

/// Containers of one host name, all on one port.
#[tokio::test]
async fn two_nodes_of_one_name_live_side_by_side() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let twins = [(); 2].map(|()| NodeId::random());
    for node in twins {
        nodes.hear(&word(node, "a", NodeSays::Hello), now);
    }
    let answered = now + STANDS_UP_WITHIN / 2;
    for node in twins {
        let heard = nodes.hear(&word(node, "a", NodeSays::Alive(1)), answered);
        assert_eq!(heard, Heard::default(), "nothing is to be said about it");
    }
    assert!(nodes.take_dead(0, now + STANDS_UP_WITHIN).is_empty());
    // What one of them says of a room is a sign of life too.
    let heard = nodes.hear(&word(NodeId::random(), "a", NodeSays::Hello), answered);
    assert!(heard.has_namesakes);
    for node in twins {
        nodes.overhear(node, answered);
    }
    assert!(nodes.take_dead(0, answered + STANDS_UP_WITHIN).is_empty());
}

/// Frozen, or cut off, for longer than the others had patience.
#[tokio::test]
async fn a_node_that_was_taken_for_dead_and_speaks_is_known_again() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let [frozen, mute] = [(); 2].map(|()| NodeId::random());
    nodes.hear(&word(frozen, "a", NodeSays::Alive(1)), now);
    nodes.suspect(mute, now);
    nodes.take_dead(0, now);
    assert_eq!(nodes.take_dead(0, now + DEAD_AFTER).len(), 2);
    for node in [frozen, mute] {
        nodes.overhear(node, now + DEAD_AFTER);
        let heard = nodes.hear(&word(node, "a", NodeSays::Alive(1)), now + DEAD_AFTER);
        assert!(heard.was_gone && heard.wants_answer);
        let heard = nodes.hear(&word(node, "a", NodeSays::Alive(1)), now + DEAD_AFTER);
        assert_eq!(heard, Heard::default());
    }
    assert_eq!(nodes.all(), HashSet::from([frozen, mute]));
}

/// Cut off from the backplane, it had gone on for a while, and nobody heard of what it stored then.
#[tokio::test]
async fn a_node_that_was_taken_as_dead_is_lost_once_more_when_it_starts_again() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let [old, new] = [(); 2].map(|()| NodeId::random());
    nodes.hear(&word(old, "a", NodeSays::Alive(1)), now);
    nodes.take_dead(0, now);
    assert_eq!(nodes.take_dead(0, now + DEAD_AFTER), [(old, End::Lost)]);
    let heard = nodes.hear(&word(new, "a", NodeSays::Hello), now);
    assert_eq!(heard.gone, [(old, End::Lost)]);
    assert!(
        nodes
            .hear(&word(new, "a", NodeSays::Hello), now)
            .gone
            .is_empty()
    );
}

#[tokio::test]
async fn a_node_says_that_it_is_alive_while_anybody_is_connected_to_any_and_somebody_hears_it() {
    let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
    let (lately, before) = (Some((now, 0)), Some((now, 2)));
    let then = now + BEAT;
    assert!(!nodes.want_word(before, 2, then), "nobody hears it");
    nodes.hear(&word(node, "a", NodeSays::Alive(0)), now);
    assert!(!nodes.want_word(lately, 0, then), "nobody is connected");
    assert!(nodes.want_word(lately, 1, then));
    assert!(!nodes.want_word(lately, 1, now), "it has just said so");
    assert!(
        nodes.want_word(before, 0, then),
        "its last session has ended"
    );
    nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
    assert!(nodes.want_word(lately, 0, then), "others wait for it");
}

/// It has left its marks in the tables, and was gone before this node came, or while nobody was connected.
#[tokio::test]
async fn of_a_node_that_never_spoke_nothing_is_lost_now() {
    let (mut nodes, now) = (Nodes::default(), Instant::now());
    let [mute, heard] = [(); 2].map(|()| NodeId::random());
    nodes.suspect(mute, now);
    nodes.overhear(heard, now);
    assert!(nodes.take_dead(0, now).is_empty());
    let mut dead = nodes.take_dead(0, now + DEAD_AFTER);
    dead.sort_by_key(|(_, end)| *end == End::Lost);
    assert_eq!(dead, [(mute, End::Bye), (heard, End::Lost)]);
}

#[tokio::test]
async fn nobody_dies_of_a_backplane_that_was_away() {
    let (mut nodes, now, node) = (Nodes::default(), Instant::now(), NodeId::random());
    nodes.hear(&word(node, "a", NodeSays::Alive(1)), now);
    nodes.take_dead(0, now);
    nodes.excuse(now + DEAD_AFTER);
    assert!(nodes.take_dead(0, now + DEAD_AFTER).is_empty());
    assert_eq!(
        nodes.take_dead(0, now + DEAD_AFTER * 2),
        [(node, End::Lost)]
    );
}
