//! Chat messages: the log of each channel, by ascending id.

use collabflow_actors::store::{MessagePage, NewMessage, PostOutcome, StoreError, new_message};
use collabflow_protocol::{
    id::{ChannelId, MessageId},
    model::Message,
};
use mongodb::bson::{Document, doc};
use tokio::time::Instant;

use super::{
    db::{Db, names},
    fields::{Fields, date, oid},
    operation::{Inserted, OURS, settle},
    people::People,
    user::text,
};

fn read(stored: &Document, people: &People) -> Option<Message> {
    Some(Message {
        id: stored.id("_id")?,
        channel: stored.id("channel")?,
        sender: people.get(stored.id("sender")),
        content: stored.owned("content").unwrap_or_default(),
        client_id: stored.owned("clientId"),
        created_at: stored.made_at(),
        updated_at: stored.changed_at(),
    })
}

async fn show(db: &Db, stored: &[Document]) -> Result<Vec<Message>, StoreError> {
    let people = People::find(db, stored.iter().filter_map(|one| one.id("sender"))).await?;
    Ok(stored.iter().filter_map(|one| read(one, &people)).collect())
}

pub(super) async fn show_one(db: &Db, stored: Document) -> Result<Option<Message>, StoreError> {
    Ok(show(db, &[stored]).await?.pop())
}

/// A repeat is known by the unique index on (`channel`, `sender`, `clientId`), and looked for only where it says so.
pub(super) async fn post(
    db: &Db,
    deadline: Instant,
    new: NewMessage,
) -> Result<PostOutcome, StoreError> {
    let sender = new.sender;
    let repeat = new.draft.client_id.as_ref().map(|client_id| {
        doc! { "channel": oid(new.channel), "sender": oid(sender), "clientId": text(client_id) }
    });
    settle!(db, deadline, operation => {
        if let Some(repeat) = repeat.clone()
            && let Some(first) = db.find(names::MESSAGES, repeat).await?
            && first.id("_id") != Some(new.id)
        {
            let first = show_one(db, first).await?;
            return Ok(first.map(|first| PostOutcome::Repeated(Box::new(first))));
        }
        let mut document = doc! {
            "_id": oid(new.id),
            "channel": oid(new.channel),
            "sender": oid(sender),
            "content": &new.draft.content,
            "createdAt": date(new.now),
            "updatedAt": date(new.now),
            "__v": 0,
            OURS: operation.mark(),
        };
        if let Some(client_id) = &new.draft.client_id {
            document.insert("clientId", client_id);
        }
        let people = People::find(db, [sender]).await?;
        let posted = || new_message(new.clone(), people.get(Some(sender)));
        match operation.insert(names::MESSAGES, &document).await? {
            Inserted::Yes => Ok(Some(PostOutcome::Posted(Box::new(posted())))),
            // Of two at once, the other one was first: it is found by the next try.
            Inserted::Taken if repeat.is_some() => Ok(None),
            Inserted::Taken => {
                let id = new.id;
                Err(StoreError::Failed(format!("message {id} is there already")))
            }
        }
    })
}

pub(super) async fn page(
    db: &Db,
    channel: ChannelId,
    limit: u32,
    before: Option<MessageId>,
) -> Result<Option<MessagePage>, StoreError> {
    let mut filter = doc! { "channel": oid(channel) };
    if let Some(before) = before {
        let is_of_channel = doc! { "_id": oid(before), "channel": oid(channel) };
        if db.find(names::MESSAGES, is_of_channel).await?.is_none() {
            return Ok(None);
        }
        filter.insert("_id", doc! { "$lt": oid(before) });
    }
    let collection = db.collection(names::MESSAGES);
    let call = collection
        .find(filter)
        .sort(doc! { "_id": -1 })
        .limit(i64::from(limit) + 1);
    let mut stored = db.list(call).await?;
    let more = stored.len() > limit as usize;
    stored.truncate(limit as usize);
    stored.reverse();
    let messages = show(db, &stored).await?;
    Ok(Some(MessagePage { messages, more }))
}

pub(super) async fn greatest(db: &Db) -> Result<Option<MessageId>, StoreError> {
    let collection = db.collection(names::MESSAGES);
    let call = collection
        .find_one(doc! {})
        .sort(doc! { "_id": -1 })
        .projection(doc! { "_id": 1 });
    let stored: Option<Document> = db.read(call).await?;
    Ok(stored.and_then(|stored| stored.id("_id")))
}
