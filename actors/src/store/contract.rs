//! The suite that every [`Store`] must pass: one case for each promise of the trait.
//!
//! An implementation is run on it by a [`Subject`], which besides the store offers a back door for what other programs
//! may have stored. Each case gets an empty store of its own.

mod account;
mod channel;
mod claims;
mod member;
mod membership;
mod message;
mod order;
mod project;
mod stage;
mod task;
mod task_list;
mod task_move;
mod task_once;
mod task_patch;
mod workspace;

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use collabflow_protocol::{
    id::{TaskId, UserId},
    model::{Channel, Role},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};

use super::{Membered, Store, memory::MemoryStore};
use stage::Stage;

/// A store under test.
pub trait Subject: Send + Sync + 'static {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Stores what no method of the trait would make.
    fn plant(&self, odd: Odd) -> BoxFuture<'_, ()>;
}

/// What another program may have stored.
#[derive(Clone, Debug)]
pub enum Odd {
    /// A channel, with members of its own or without a project.
    Channel {
        /// As it is shown; who made it is `by`.
        document: Channel,
        /// Who made it.
        by: UserId,
        /// Its own members.
        members: Vec<(UserId, Role)>,
    },
    /// Words that mean nothing here, in a task that is stored.
    Words {
        /// Which.
        task: TaskId,
        /// In place of its status.
        status: String,
        /// In place of its priority.
        priority: String,
    },
    /// Another position of a task that is stored.
    Position {
        /// Which.
        task: TaskId,
        /// The key.
        position: String,
    },
    /// One more membership.
    Role {
        /// Where.
        of: Membered,
        /// Whose.
        user: UserId,
        /// Its role, which may be none or no known one.
        role: Option<String>,
    },
}

impl Subject for Arc<MemoryStore> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<MemoryStore>::clone(self)
    }

    fn plant(&self, odd: Odd) -> BoxFuture<'_, ()> {
        MemoryStore::plant(self, odd);
        ready(()).boxed()
    }
}

/// A promise by name, and what shows that it is kept.
type Case = (&'static str, fn(Stage) -> BoxFuture<'static, ()>);

/// Lists the cases of a module.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[
            $((concat!(module_path!(), "::", stringify!($name)), |stage| Box::pin($name(stage)))),*
        ];
    };
}
use cases;

const CASES: [&[Case]; 14] = [
    account::CASES,
    claims::CASES,
    workspace::CASES,
    project::CASES,
    member::CASES,
    membership::CASES,
    task::CASES,
    task_patch::CASES,
    task_move::CASES,
    task_list::CASES,
    task_once::CASES,
    channel::CASES,
    message::CASES,
    order::CASES,
];

/// Runs every case, each on a store of its own, and names all those that fail.
///
/// # Panics
/// Where a promise is not kept.
pub async fn holds<S: Subject>(make: impl AsyncFn() -> S) {
    let mut broken = Vec::new();
    for (name, case) in CASES.into_iter().flatten() {
        let stage = Stage::new(make().await);
        if let Err(panic) = AssertUnwindSafe(case(stage)).catch_unwind().await {
            broken.push(format!("{name}: {}", message(&*panic)));
        }
    }
    assert!(broken.is_empty(), "broken promises:\n{}", broken.join("\n"));
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}
