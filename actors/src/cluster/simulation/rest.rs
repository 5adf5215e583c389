//! What must hold when everything has come to rest.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use collabflow_protocol::id::UserId;

use super::{
    client::Client,
    view::{Told, View},
    world::World,
};
use crate::{
    key::RoomKey,
    store::{Store as _, TaskQuery},
};

pub(super) async fn check(world: &World, clients: &[Arc<Client>]) {
    check_documents(world, clients).await;
    check_presence(world, clients);
    check_order(world, clients);
    for (number, running) in world.running() {
        for unrest in running.node.registry.unrest() {
            world.find(format!("node {number}: {unrest}"));
        }
        if running.node.broken_actors() > 0 {
            world.find(format!("node {number}: actors have broken"));
        }
    }
}

async fn check_documents(world: &World, clients: &[Arc<Client>]) {
    let (RoomKey::Project(project), RoomKey::Chat(chat)) = (world.project, world.chat) else {
        return;
    };
    let tasks = world.store.tasks(project, TaskQuery::default()).await;
    let tasks = tasks.expect("tasks").tasks;
    let messages = world.store.messages(chat, u32::MAX, None).await;
    let messages = messages.expect("messages").expect("a channel").messages;
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    world.check_acknowledged(&ids).await;
    for client in clients {
        let difference = client.look(|views| {
            let tasks = views
                .get(&world.project)
                .map(|view| view.compare_tasks(&tasks));
            let chat = views
                .get(&world.chat)
                .map(|view| view.compare_messages(&messages));
            tasks.unwrap_or(Ok(())).and(chat.unwrap_or(Ok(())))
        });
        if let Err(difference) = difference {
            client.find(&format!("at rest, {difference}"));
        }
    }
}

/// Who is in the project's room is who has it open.
fn check_presence(world: &World, clients: &[Arc<Client>]) {
    let is_there =
        |client: &&Arc<Client>| client.is_connected() && client.rooms().contains(&world.project);
    let there: BTreeSet<UserId> = clients
        .iter()
        .filter(is_there)
        .map(|client| client.user.id)
        .collect();
    for client in clients.iter().filter(is_there) {
        let shown = client.look(|views| views[&world.project].users.clone());
        if shown != there {
            client.find(&format!(
                "at rest, {shown:?} are shown, and {there:?} are there"
            ));
        }
    }
}

/// Of two clients, both were told what they both were told in one order, where neither had to reload.
fn check_order(world: &World, clients: &[Arc<Client>]) {
    for room in [world.project, world.chat] {
        let rows: Vec<_> = clients
            .iter()
            .filter_map(|client| {
                client.look(|views| {
                    views
                        .get(&room)
                        .map(|view| (client.number, settled(world, view)))
                })
            })
            .collect();
        for (at, (one, row)) in rows.iter().enumerate() {
            let places: HashMap<Told, usize> = row
                .iter()
                .enumerate()
                .map(|(place, told)| (*told, place))
                .collect();
            for (other, others) in &rows[at + 1..] {
                let common: Vec<_> = others
                    .iter()
                    .filter(|told| places.contains_key(told))
                    .collect();
                if let Some(pair) = common
                    .windows(2)
                    .find(|pair| places[pair[0]] > places[pair[1]])
                {
                    world.find(format!(
                        "c{one} and c{other} were told in another order: {pair:?}"
                    ));
                }
            }
        }
    }
}

/// What a client was told, without what it was told between a fault and being told to reload.
fn settled(world: &World, view: &View) -> Vec<Told> {
    let faults = world.faults.lock();
    let (mut settled, mut start) = (Vec::new(), 0);
    for (resync, end) in &view.resyncs {
        let part = &view.sequence[start..*end];
        let since = part.first().map(|(at, _)| *at);
        let fault = faults
            .iter()
            .filter(|at| since.is_some_and(|since| **at >= since) && *at <= resync)
            .min();
        // What was wrong before this part began may have lasted into it.
        let is_whole = |at| fault.is_some_and(|fault| at < fault);
        settled.extend(
            part.iter()
                .filter(|(at, _)| is_whole(at))
                .map(|(_, told)| *told),
        );
        start = *end;
    }
    settled.extend(view.sequence[start..].iter().map(|(_, told)| *told));
    settled
}
