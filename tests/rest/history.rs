//! The order of a channel's messages, over restarts.

use collabflow_actors::store::{NewMessage, Store};
use collabflow_protocol::{
    id::{MessageId, ObjectId},
    model::MessageDraft,
    time::Timestamp,
};
use serde_json::json;

use crate::app::App;

/// A process that was started in the same second, or whose clock was set back, makes ids that are greater none the less.
#[tokio::test]
async fn what_is_written_after_a_restart_comes_last() {
    let mut app = App::new().await;
    let ada = app.person("Ada").await;
    let (_, project) = app.project(&ada).await;
    // The last id of a process whose clock was an hour ahead.
    let seconds = u32::try_from(collabflow_actors::id::now().millis() / 1_000 + 3_600);
    let last = ObjectId::from_parts(seconds.expect("this century"), [0xff; 5], 0xff_ffff);
    let id = |text: &str| text.parse::<ObjectId>().expect("an id");
    let message = NewMessage {
        id: MessageId(last),
        channel: id(&project).into(),
        sender: id(&ada.id).into(),
        draft: MessageDraft {
            content: "before".into(),
            client_id: None,
        },
        now: Timestamp::from_millis(1_750_000_000_000).expect("a time"),
    };
    app.store.post_message(message).await.expect("it is stored");
    app = app.restarted().await;
    let path = format!("/api/channels/{project}/messages");
    for content in ["after", "last"] {
        app.post(&path, &ada, json!({ "content": content }))
            .await
            .expect(201);
    }
    let page = app.get(&path, &ada).await.expect(200).body;
    let contents: Vec<_> = page["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| message["content"].as_str())
        .collect();
    assert_eq!(contents, [Some("before"), Some("after"), Some("last")]);
}
