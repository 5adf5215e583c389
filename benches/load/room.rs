//! A server with its room full of listeners, and what they hear of one who speaks.

use std::{
    cell::RefCell,
    process::Command,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use collabflow_protocol::id::ChannelId;
use tokio::sync::Notify;

use super::{
    client::{self, Client, Sender},
    process::Process,
};

/// How long the last message of a window may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a server's clients come into its room.
pub(crate) enum Entry<'a> {
    /// With a token, and by a join.
    Join(&'a [String], ChannelId),
    /// They are there as soon as they are connected.
    Connect(usize),
}

/// A server and its room.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    process: Process,
    speaker: Sender,
    heard: Rc<Heard>,
    connections: usize,
    /// Resident memory before the first connection.
    empty: u64,
    /// Resident memory by connection when all were in the room, and nothing was said yet.
    pub(crate) idle_kb: f64,
}

/// What is said, how often, and who hears it.
#[derive(Clone, Copy)]
pub(crate) struct Traffic<'a> {
    pub(crate) text: &'a str,
    /// How what is heard of it begins.
    pub(crate) heard_as: &'static str,
    pub(crate) listeners: usize,
    pub(crate) times: u32,
    pub(crate) interval: Duration,
}

/// What was measured while it was said.
pub(crate) struct Sample {
    /// The server's processor time for each message that arrived.
    pub(crate) cpu: Duration,
    /// Of each message, from its sending to its receipt.
    pub(crate) latencies: Vec<Duration>,
    /// The last message, as it was heard.
    pub(crate) text: String,
}

#[derive(Default)]
struct Heard {
    window: RefCell<Window>,
    all: Notify,
}

#[derive(Default)]
struct Window {
    number: u64,
    heard_as: &'static str,
    expected: usize,
    sent: Vec<Instant>,
    latencies: Vec<Duration>,
    text: String,
}

impl Room {
    /// Starts a server and fills its room. To be called within a `LocalSet`.
    pub(crate) async fn fill(
        name: &'static str,
        command: &Command,
        entry: Entry<'_>,
    ) -> anyhow::Result<Self> {
        let process = Process::start(command).with_context(|| format!("start {name}"))?;
        let empty = process.resident()?;
        let clients = match entry {
            Entry::Connect(count) => client::open_all(process.address(), count).await?,
            Entry::Join(tokens, channel) => {
                let mut clients = client::open_all(process.address(), tokens.len()).await?;
                client::connect_all(&mut clients, tokens).await?;
                client::join_all(&mut clients, channel).await?;
                clients
            }
        };
        let connections = clients.len();
        let speaker = clients.first().context("a client")?.sender();
        let heard = Rc::new(Heard::default());
        for client in clients {
            tokio::task::spawn_local(listen(client, Rc::clone(&heard)));
        }
        let mut room = Self {
            name,
            process,
            speaker,
            heard,
            connections,
            empty,
            idle_kb: 0.0,
        };
        room.idle_kb = room.kb()?;
        Ok(room)
    }

    /// Resident memory by connection.
    pub(crate) fn kb(&self) -> anyhow::Result<f64> {
        let added = self.process.resident()?.saturating_sub(self.empty);
        Ok(added as f64 / self.connections as f64 / 1e3)
    }

    /// Says something again and again, and waits until all of it was heard.
    pub(crate) async fn measure(&self, traffic: Traffic<'_>) -> anyhow::Result<Sample> {
        let expected = traffic.listeners * traffic.times as usize;
        self.heard.begin(traffic.heard_as, expected);
        let before = self.process.cpu()?;
        let mut at = tokio::time::Instant::now();
        for _ in 0..traffic.times {
            at += traffic.interval;
            tokio::time::sleep_until(at).await;
            self.heard.window.borrow_mut().sent.push(Instant::now());
            self.speaker.send(traffic.text).await?;
        }
        tokio::time::timeout(PATIENCE, self.heard.all.notified())
            .await
            .with_context(|| self.heard.complaint(self.name))?;
        let cpu = self.process.cpu()? - before;
        let (latencies, text) = self.heard.end();
        Ok(Sample {
            cpu: cpu / u32::try_from(expected)?,
            latencies,
            text,
        })
    }
}

impl Heard {
    fn begin(&self, heard_as: &'static str, expected: usize) {
        let mut window = self.window.borrow_mut();
        *window = Window {
            number: window.number + 1,
            heard_as,
            expected,
            latencies: Vec::with_capacity(expected),
            ..Window::default()
        };
    }

    fn end(&self) -> (Vec<Duration>, String) {
        let mut window = self.window.borrow_mut();
        window.expected = 0;
        (
            std::mem::take(&mut window.latencies),
            std::mem::take(&mut window.text),
        )
    }

    fn complaint(&self, name: &str) -> String {
        let window = self.window.borrow();
        let (heard, expected) = (window.latencies.len(), window.expected);
        format!("{name}: {heard} of {expected} messages have arrived")
    }
}

/// Listens for as long as the connection lives. All that one client hears, it hears in the order of its sending.
async fn listen(mut client: Client, heard: Rc<Heard>) -> anyhow::Result<()> {
    let (mut number, mut next) = (0, 0);
    loop {
        let take = |text: &str| {
            let mut window = heard.window.borrow_mut();
            if !text.starts_with(window.heard_as) || window.latencies.len() == window.expected {
                return;
            }
            if number != window.number {
                (number, next) = (window.number, 0);
            }
            let latency = window.sent[next].elapsed();
            next += 1;
            window.latencies.push(latency);
            if window.latencies.len() == window.expected {
                text.clone_into(&mut window.text);
                heard.all.notify_one();
            }
        };
        client.next(take).await?;
    }
}
