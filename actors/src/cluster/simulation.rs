//! Several nodes in one process, over one store and a backplane with faults, on a paused clock: whatever goes wrong, at
//! rest everything that was acknowledged is stored and was told once or is reloaded, in one order, and every page shows
//! what is stored and who is there.
//!
//! What goes wrong is rolled from a seed. A failure names its seed, and what went wrong when. More seeds, or one again:
//!
//! ```text
//! SIMULATION_SEEDS=10000 cargo test -p collabflow-actors --lib cluster::simulation
//! SIMULATION_SEED=4711 cargo test -p collabflow-actors --lib cluster::simulation -- --nocapture
//! ```
//!
//! With `SIMULATION_KILLS=1` nodes die as well, and start again.

mod client;
mod dice;
mod engine;
mod fault;
mod line;
mod plan;
mod rest;
mod view;
mod world;
mod writer;

use std::{
    env,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{
    runtime,
    time::{Duration, Instant, sleep, sleep_until},
};

use self::{
    client::Client,
    dice::Dice,
    plan::{Plan, WRITES_FOR},
    world::World,
};

/// How many seeds one run of the tests tries.
const SEEDS: u64 = 150;
/// After the last fault is mended, everything comes to rest within this.
const RESTS_AFTER: Duration = Duration::from_secs(60);

#[test]
fn whatever_goes_wrong_all_clients_end_with_what_is_stored() {
    let one: Option<u64> = env::var("SIMULATION_SEED")
        .ok()
        .and_then(|n| n.parse().ok());
    if let Some(seed) = one {
        let findings = run(seed, true).findings;
        assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
        return;
    }
    let many: Option<u64> = env::var("SIMULATION_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let end = many.unwrap_or(SEEDS);
    let (next, appended) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed: Mutex<Vec<(u64, Outcome)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(seed, false);
                    appended.fetch_add(outcome.appended, Ordering::Relaxed);
                    if !outcome.findings.is_empty() {
                        failed.lock().push((seed, outcome));
                    }
                }
            });
        }
    });
    assert!(appended.into_inner() > end, "entries went through the logs");
    let failed = failed.into_inner();
    let mut text = String::new();
    for (seed, outcome) in failed.iter().take(3) {
        let _ = writeln!(
            text,
            "seed {seed}: {:#?}\n{}",
            outcome.findings, outcome.notes
        );
    }
    let seeds: Vec<_> = failed.iter().map(|(seed, _)| seed).collect();
    assert!(
        failed.is_empty(),
        "{} of {end} seeds failed: {seeds:?}\n{text}",
        failed.len()
    );
}

struct Outcome {
    findings: Vec<String>,
    notes: String,
    appended: u64,
}

/// One schedule, from its seed.
fn run(seed: u64, is_traced: bool) -> Outcome {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let dice = Dice::new(seed);
        let plan = Plan::roll(&dice);
        let world = World::new(&plan, dice.fork(), is_traced).await;
        world.note(&format!("{plan:?}"));
        for number in 0..plan.nodes {
            world.start_node(number).await;
        }
        let clients: Vec<Arc<Client>> = (0..plan.clients)
            .map(|n| {
                let user = world.users[n % world.users.len()].clone();
                let client = Client::new(n, user, &world, dice.fork());
                world.add_client(&client);
                client
            })
            .collect();
        let until = Instant::now() + WRITES_FOR;
        let writing = clients.iter().map(|client| {
            let client = Arc::clone(client);
            let nodes = plan.nodes as u64;
            tokio::spawn(async move {
                sleep(client.dice.up_to(Duration::from_millis(500))).await;
                let node = usize::try_from(client.dice.below(nodes)).unwrap_or(0);
                client.connect(node).await;
                client.join(client.world.project).await;
                client.join(client.world.chat).await;
                client.write(until).await;
            })
        });
        let writing: Vec<_> = writing.collect();
        for (at, fault) in &plan.faults {
            sleep_until(until - WRITES_FOR + *at).await;
            world.break_by(*fault);
        }
        for written in join_all(writing).await {
            if let Err(error) = written {
                world.find(format!("a client broke: {error}"));
            }
        }
        world.mend().await;
        sleep(RESTS_AFTER).await;
        rest::check(&world, &clients).await;
        Outcome {
            findings: world.findings(),
            notes: world.notes(),
            appended: world.engine.appended(),
        }
    })
}
