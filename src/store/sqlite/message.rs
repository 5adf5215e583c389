//! Chat messages: the log of each channel, by ascending id.

use collabflow_actors::store::{MessagePage, NewMessage, PostOutcome, new_message};
use collabflow_protocol::{
    id::{ChannelId, MessageId, ObjectId},
    model::Message,
};
use rusqlite::{Connection, Result, params};

use super::{
    row::{Columns, all, exists, one, run},
    user,
};

macro_rules! select_message {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.channel, u.id, u.name, u.email, u.avatar, m.content, m.client_id,
                m.created_at, m.updated_at
            FROM messages m LEFT JOIN users u ON u.id = m.sender ",
            $rest
        )
    };
}

fn read(columns: &mut Columns<'_>) -> Result<Message> {
    Ok(Message {
        id: columns.id()?,
        channel: columns.id()?,
        sender: columns.user()?,
        content: columns.value()?,
        client_id: columns.value()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

pub(super) fn post(db: &Connection, new: NewMessage) -> Result<PostOutcome> {
    if let Some(client_id) = &new.draft.client_id {
        let sql = select_message!("WHERE m.channel = ?1 AND m.sender = ?2 AND m.client_id = ?3");
        let params = params![new.channel.0.bytes(), new.sender.0.bytes(), client_id];
        if let Some(first) = one(db, sql, params, read)? {
            return Ok(PostOutcome::Repeated(Box::new(first)));
        }
    }
    let sender = new.sender;
    let message = new_message(new, user::find(db, sender)?);
    let sql = "INSERT INTO messages
            (channel, id, sender, content, client_id, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let params = params![
        message.channel.0.bytes(),
        message.id.0.bytes(),
        sender.0.bytes(),
        message.content,
        message.client_id,
        message.created_at.millis(),
        message.updated_at.millis(),
    ];
    run(db, sql, params)?;
    Ok(PostOutcome::Posted(Box::new(message)))
}

pub(super) fn page(
    db: &Connection,
    channel: ChannelId,
    limit: u32,
    before: Option<MessageId>,
) -> Result<Option<MessagePage>> {
    let bytes = channel.0.bytes();
    if let Some(before) = before {
        let sql = "SELECT 1 FROM messages WHERE channel = ?1 AND id = ?2";
        if !exists(db, sql, params![bytes, before.0.bytes()])? {
            return Ok(None);
        }
    }
    // Before the end is before a key that is longer, and so greater, than any id.
    let end = before.map_or_else(|| vec![0xff; 13], |id| id.0.bytes().to_vec());
    let sql = select_message!("WHERE m.channel = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3");
    let one_more = i64::from(limit) + 1;
    let mut messages = all(db, sql, params![bytes, end, one_more], read)?;
    let more = messages.len() > limit as usize;
    messages.truncate(limit as usize);
    messages.reverse();
    Ok(Some(MessagePage { messages, more }))
}

/// One look into each channel: the messages between are not read.
pub(super) fn greatest(db: &Connection) -> Result<Option<MessageId>> {
    let sql = "WITH RECURSIVE channels (channel) AS (
            SELECT min(channel) FROM messages
            UNION ALL
            SELECT (SELECT min(m.channel) FROM messages m WHERE m.channel > channels.channel)
            FROM channels WHERE channels.channel IS NOT NULL
        )
        SELECT max((SELECT max(m.id) FROM messages m WHERE m.channel = channels.channel))
        FROM channels";
    Ok(one(db, sql, [], |columns| columns.maybe_id())?.flatten())
}

/// Deletes the messages of what is deleted.
pub(super) fn delete_all(db: &Connection, channel: ObjectId) -> Result<()> {
    let sql = "DELETE FROM messages WHERE channel = ?1";
    run(db, sql, [channel.bytes()]).map(drop)
}
