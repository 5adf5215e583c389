//! The upgrade as a state machine, against a model of it: whatever a client does, and at whichever moment, nothing that
//! it is told is lost, doubled or out of order; the WebSocket carries nothing before the client says `5`; what ends the
//! session ends it, and nothing else does.
//!
//! A random sequence of steps is taken over real sockets. One that fails is shrunk and printed by proptest.

mod client;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::time::Duration;
use tokio::runtime;

use crate::house::{House, Person};
use client::Client;

/// What a client may do, the sensible and the senseless.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Polls; while a poll waits, that is a duplicate.
    Get,
    /// Goes away while a poll waits.
    AbortGet,
    /// Sends an event that is answered, by the transport it is on.
    Send,
    /// Somebody else says something.
    Emit,
    /// Opens a WebSocket beside the polls, or beside another one.
    OpenProbe,
    /// `2probe`, perhaps again.
    Probe,
    /// `5`, perhaps without having probed.
    Upgrade,
    /// A frame that has no place in a probe.
    WrongFrame,
    /// Closes the probe's socket.
    CloseProbe,
    /// Posts a close packet.
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Get),
        1 => Just(Step::AbortGet),
        3 => Just(Step::Send),
        4 => Just(Step::Emit),
        4 => Just(Step::OpenProbe),
        4 => Just(Step::Probe),
        3 => Just(Step::Upgrade),
        1 => Just(Step::WrongFrame),
        1 => Just(Step::CloseProbe),
        1 => Just(Step::Close),
    ];
    vec(step, 1..24)
}

/// A server with somebody on it who speaks, and somebody who listens.
pub(crate) struct Place {
    house: House,
    speaker: Person,
    listener: Person,
    channel: String,
    /// Whether pings come all the time, and so at each moment of an upgrade.
    is_lively: bool,
}

impl Place {
    async fn new(ping_interval: Duration, is_lively: bool) -> Self {
        let house = House::with(|config| {
            config.engine.ping_interval = ping_interval;
            config.limits.requests_per_second = 10_000;
            config.limits.requests_burst = 10_000;
        })
        .await;
        let speaker = house.person("Ada").await;
        let listener = house.person("Ben").await;
        let channel = house.project(&speaker, &[&listener]).await;
        Self {
            house,
            speaker,
            listener,
            channel,
            is_lively,
        }
    }
}

fn holds(cases: u32, ping_interval: Duration, is_lively: bool) {
    // One thread: what the server does without waiting, it does at one moment.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let place = runtime.block_on(Place::new(ping_interval, is_lively));
    let config = Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let mut client = Client::open(&place).await;
            for step in steps {
                client.take(step).await;
            }
            client.conclude().await;
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn a_client_may_do_anything_at_any_moment_of_an_upgrade() {
    holds(120, Duration::from_secs(25), false);
}

#[test]
fn pings_may_come_at_any_moment_of_an_upgrade() {
    holds(80, Duration::from_millis(15), true);
}
