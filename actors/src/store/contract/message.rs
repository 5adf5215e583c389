//! Messages: the log of a channel, and repeats by the sender's own id.

use collabflow_protocol::{
    id::{ChannelId, UserId},
    model::{Message, User},
};

use super::stage::{Stage, found, ok};
use crate::store::{MessagePage, NewMessage, PostOutcome};

super::cases![
    a_message_is_stored_as_it_was_posted,
    a_log_is_read_from_its_end_in_parts,
    a_part_begins_before_a_message_of_the_channel,
    a_client_id_makes_one_message,
    client_ids_of_senders_and_channels_do_not_meet,
    messages_without_a_client_id_are_never_repeats,
    two_posts_at_once_make_one_message,
    senders_are_shown_as_they_are_now,
    the_greatest_id_is_known,
];

/// A channel needs no document: a project's own has none.
fn loose(stage: &Stage) -> ChannelId {
    stage.id()
}

fn keyed(stage: &Stage, channel: ChannelId, sender: UserId, key: &str) -> NewMessage {
    let mut new = stage.new_message(channel, sender, "words");
    new.draft.client_id = Some(key.to_owned());
    new
}

fn repeated(outcome: PostOutcome) -> Message {
    match outcome {
        PostOutcome::Repeated(message) => *message,
        other => panic!("not repeated: {other:?}"),
    }
}

async fn posted(stage: &Stage, new: NewMessage) -> Message {
    match ok(stage.store.post_message(new)).await {
        PostOutcome::Posted(message) => *message,
        other => panic!("not posted: {other:?}"),
    }
}

async fn a_message_is_stored_as_it_was_posted(stage: Stage) {
    let sender = stage.account("Ada").await;
    let channel = loose(&stage);
    let new = keyed(&stage, channel, sender.id, "key");
    let expected = Message {
        id: new.id,
        channel,
        sender: Some(sender),
        content: "words".into(),
        client_id: Some("key".into()),
        created_at: new.now,
        updated_at: new.now,
    };
    assert_eq!(posted(&stage, new).await, expected);
    let page = found(stage.store.messages(channel, 10, None)).await;
    let whole = MessagePage {
        messages: vec![expected],
        more: false,
    };
    assert_eq!(page, whole);
}

async fn a_log_is_read_from_its_end_in_parts(stage: Stage) {
    let sender = stage.account("Ada").await;
    let (channel, other) = (loose(&stage), loose(&stage));
    let mut log = Vec::new();
    for number in 0..7 {
        log.push(stage.post(channel, &sender, &format!("{number}")).await);
        stage.post(other, &sender, "elsewhere").await;
    }
    for limit in 1..=8 {
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = found(stage.store.messages(channel, limit, before)).await;
            assert!(page.messages.len() <= limit as usize);
            before = page.messages.first().map(|message| message.id);
            seen.splice(0..0, page.messages);
            if !page.more || seen.len() > log.len() {
                break;
            }
        }
        assert_eq!(seen, log, "in parts of {limit}");
    }
    let empty = found(stage.store.messages(loose(&stage), 10, None)).await;
    assert_eq!(empty, MessagePage::default());
}

async fn a_part_begins_before_a_message_of_the_channel(stage: Stage) {
    let sender = stage.account("Ada").await;
    let (channel, other) = (loose(&stage), loose(&stage));
    let first = stage.post(channel, &sender, "first").await;
    let second = stage.post(channel, &sender, "second").await;
    let elsewhere = stage.post(other, &sender, "elsewhere").await;
    let before = |id| ok(stage.store.messages(channel, 10, Some(id)));
    assert_eq!(before(elsewhere.id).await, None);
    assert_eq!(before(stage.id()).await, None);
    let empty = Some(MessagePage::default());
    assert_eq!(before(first.id).await, empty);
    let part = before(second.id).await.expect("it is of the channel");
    assert_eq!(part.messages, [first]);
}

async fn a_client_id_makes_one_message(stage: Stage) {
    let sender = stage.account("Ada").await;
    let channel = loose(&stage);
    let first = posted(&stage, keyed(&stage, channel, sender.id, "key")).await;
    let mut again = keyed(&stage, channel, sender.id, "key");
    again.draft.content = "other words".into();
    assert_eq!(repeated(ok(stage.store.post_message(again)).await), first);
    let other = posted(&stage, keyed(&stage, channel, sender.id, "other")).await;
    let page = found(stage.store.messages(channel, 10, None)).await;
    assert_eq!(page.messages, [first, other]);
}

async fn client_ids_of_senders_and_channels_do_not_meet(stage: Stage) {
    let (ada, eve) = (stage.account("Ada").await, stage.account("Eve").await);
    let (channel, other) = (loose(&stage), loose(&stage));
    for (channel, sender) in [(channel, &ada), (channel, &eve), (other, &ada)] {
        posted(&stage, keyed(&stage, channel, sender.id, "key")).await;
    }
}

async fn messages_without_a_client_id_are_never_repeats(stage: Stage) {
    let sender = stage.account("Ada").await;
    let channel = loose(&stage);
    let mut log = Vec::new();
    for _ in 0..3 {
        log.push(stage.post(channel, &sender, "the same").await);
    }
    let page = found(stage.store.messages(channel, 10, None)).await;
    assert_eq!(page.messages, log);
}

async fn two_posts_at_once_make_one_message(stage: Stage) {
    let sender = stage.account("Ada").await;
    let channel = loose(&stage);
    let call = || {
        let new = keyed(&stage, channel, sender.id, "key");
        ok(stage.store.post_message(new))
    };
    let (first, second) = (call(), call());
    let second = repeated(second.await);
    assert_eq!(first.await, PostOutcome::Posted(Box::new(second)));
}

async fn the_greatest_id_is_known(stage: Stage) {
    assert_eq!(ok(stage.store.greatest_message()).await, None);
    let sender = stage.account("Ada").await;
    let channels = [loose(&stage), loose(&stage), loose(&stage)];
    for place in [1, 0, 2, 2, 0, 1] {
        let last = stage.post(channels[place], &sender, "words").await;
        let greatest = ok(stage.store.greatest_message()).await;
        assert_eq!(greatest, Some(last.id), "after one in channel {place}");
    }
}

async fn senders_are_shown_as_they_are_now(stage: Stage) {
    let ghost = User {
        id: stage.id(),
        ..stage.account("Ada").await
    };
    let channel = loose(&stage);
    let message = stage.post(channel, &ghost, "boo").await;
    assert_eq!(message.sender, None);
    ok(stage.store.remember(ghost.clone())).await;
    let page = found(stage.store.messages(channel, 10, None)).await;
    assert_eq!(page.messages[0].sender, Some(ghost));
}
