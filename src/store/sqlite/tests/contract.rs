use collabflow_actors::store::contract::{self, Odd, Subject};
use futures_util::future::{BoxFuture, FutureExt, ready};
use rusqlite::params;

use super::*;

struct Embedded {
    store: Arc<SqliteStore>,
    place: Place,
}

impl Subject for Embedded {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<SqliteStore>::clone(&self.store)
    }

    fn plant(&self, odd: Odd) -> BoxFuture<'_, ()> {
        plant(&self.place.connection(), odd).expect("it is stored");
        ready(()).boxed()
    }
}

/// Writes as another program would, beside the open store.
fn plant(db: &Connection, odd: Odd) -> rusqlite::Result<()> {
    match odd {
        Odd::Channel {
            document,
            by,
            members,
        } => {
            let sql = "INSERT INTO channels VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let params = params![
                document.id.0.bytes(),
                document.name,
                document.project.map(|id| id.0.bytes()),
                document.workspace.map(|id| id.0.bytes()),
                by.0.bytes(),
                document.created_at.millis(),
                document.updated_at.millis(),
            ];
            db.execute(sql, params)?;
            for (user, role) in members {
                member::put(db, document.id.0, user, role)?;
            }
        }
        Odd::Words {
            task,
            status,
            priority,
        } => {
            let sql = "UPDATE tasks SET status = ?2, priority = ?3 WHERE id = ?1";
            db.execute(sql, params![task.0.bytes(), status, priority])?;
        }
        Odd::Position { task, position } => {
            let sql = "UPDATE tasks SET position = ?2 WHERE id = ?1";
            db.execute(sql, params![task.0.bytes(), position])?;
        }
        Odd::Role { of, user, role } => {
            let sql = "INSERT INTO members (parent, user, role) VALUES (?1, ?2, ?3)";
            let params = params![of.id().bytes(), user.0.bytes(), role];
            db.execute(sql, params)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_contract_holds() {
    contract::holds(async || {
        let place = Place::new();
        let store = Arc::new(place.open());
        Embedded { store, place }
    })
    .await;
}
