//! Watching the database (`mongodb.watch`): what another program changes is told at once.
//!
//! A change stream goes on from its token after a break; where the server has lost what came after that, all are to
//! reload.

use std::{sync::Arc, time::Duration};

use collabflow_actors::{
    backplane::entry_id,
    store::{Elsewhere, StoreError, Watched},
};
use mongodb::{
    bson::{Document, doc},
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, ResumeToken},
    },
    error::{Error, ErrorKind},
    options::FullDocumentBeforeChangeType,
};
use tokio::time;

use super::{
    db::{Db, names},
    elsewhere,
};

/// Before a try to go on.
const PAUSE: Duration = Duration::from_millis(500);
/// The server answers about once a second, even where nothing happens.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// The server no longer has what came after the token, or cannot read it.
const LOST: [i32; 3] = [260, 280, 286];
/// What it watches.
const WATCHED: [&str; 6] = [
    names::TASKS,
    names::MESSAGES,
    names::PROJECTS,
    names::WORKSPACES,
    names::CHANNELS,
    names::USERS,
];

pub(super) type Event = ChangeStreamEvent<Document>;
type Stream = ChangeStream<Event>;

/// A watch over the database.
pub struct Watch {
    db: Db,
    stream: Stream,
    /// Where it goes on after a break.
    token: Option<ResumeToken>,
}

/// How a stream goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resumed {
    Whole,
    WithGap,
}

impl Watch {
    /// Begins to watch: what happens from now on is told.
    pub(super) async fn begin(db: &Db) -> Result<Self, StoreError> {
        keep_images_of_deleted(db).await;
        let stream = open(db, None).await;
        let stream = stream.map_err(|error| super::error::refused(&error))?;
        Ok(Self {
            db: db.clone(),
            token: stream.resume_token(),
            stream,
        })
    }

    /// The next changes, whenever they come.
    pub async fn next(&mut self) -> Vec<Watched> {
        loop {
            match self.event().await {
                Ok(event) => {
                    let read = elsewhere::read(&self.db, &event).await;
                    let changes = read.unwrap_or_else(|error| {
                        tracing::warn!(%error, "a change of another program cannot be read: all are to reload");
                        vec![Elsewhere::Unread]
                    });
                    let watched = named(&event.id, changes);
                    self.token = Some(event.id);
                    if !watched.is_empty() {
                        return watched;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "watching MongoDB has broken off: it goes on when MongoDB is back");
                    if self.reopen().await == Resumed::WithGap {
                        let (id, change) = (rand::random(), Elsewhere::Missed);
                        return vec![Watched { id, change }];
                    }
                }
            }
        }
    }

    /// The next event; an error where the stream has ended, or the server is silent.
    async fn event(&mut self) -> Result<Event, Error> {
        loop {
            let next = time::timeout(SILENT_FOR, self.stream.next_if_any()).await;
            if let Some(event) = next.map_err(|_| broken("the server is silent"))?? {
                return Ok(event);
            }
            if !self.stream.is_alive() {
                // The database, or a collection, is gone: nothing comes after this place.
                self.token = None;
                return Err(broken("what was watched is gone"));
            }
            // The place to go on from moves on where nothing happens, too: else the server may forget it.
            self.token = self.stream.resume_token().or(self.token.take());
        }
    }

    async fn reopen(&mut self) -> Resumed {
        let mut resumed = Resumed::Whole;
        loop {
            time::sleep(PAUSE).await;
            if self.token.is_none() {
                resumed = Resumed::WithGap;
            }
            match time::timeout(SILENT_FOR, open(&self.db, self.token.clone())).await {
                Ok(Ok(stream)) => {
                    self.token = self.token.take().or_else(|| stream.resume_token());
                    self.stream = stream;
                    return resumed;
                }
                Ok(Err(error)) if is_lost(&error) => {
                    tracing::warn!(%error, "changes of other programs were missed: all are to reload");
                    self.token = None;
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

/// What an event says, by names that are the same on all nodes: they see it under the same token.
fn named(token: &ResumeToken, changes: Vec<Elsewhere>) -> Vec<Watched> {
    let token = serde_json::to_vec(token).expect("a token is a document");
    let named = changes.into_iter().zip(0_u8..).map(|(change, number)| {
        let id = entry_id([&token[..], &[number]]);
        Watched { id, change }
    });
    named.collect()
}

async fn open(db: &Db, token: Option<ResumeToken>) -> Result<Stream, Error> {
    let watched = doc! { "$match": { "ns.coll": { "$in": WATCHED.to_vec() } } };
    db.database()
        .watch()
        .pipeline([watched])
        .full_document_before_change(FullDocumentBeforeChangeType::WhenAvailable)
        .resume_after(token)
        .await
}

fn broken(reason: &'static str) -> Error {
    ErrorKind::Custom(Arc::new(reason)).into()
}

fn is_lost(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if LOST.contains(&command.code))
}

/// What is deleted elsewhere then says where it was. Without the right to ask for that, fewer rooms can be told; of a
/// task, all projects that somebody is looking at.
async fn keep_images_of_deleted(db: &Db) {
    for collection in [names::TASKS, names::PROJECTS, names::CHANNELS] {
        // An error says that it is there already.
        let _ = db.read(db.database().create_collection(collection)).await;
        let images = doc! {
            "collMod": collection, "changeStreamPreAndPostImages": { "enabled": true },
        };
        if let Err(error) = db.read(db.database().run_command(images)).await {
            tracing::info!(%error, collection, "MongoDB keeps no images of what is deleted: less is known of deletions elsewhere");
        }
    }
}
