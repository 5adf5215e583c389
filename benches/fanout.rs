//! What a message costs the server for each member that it is delivered to, beside a bare floor.
//!
//! One room of 1,000 members, one of whom speaks 20 times a second: `cargo bench --bench fanout`. Each server runs on a
//! core of its own, all clients on the other. The servers take turns, several rounds of each, so that whatever else the
//! machine does meets all of them. See `benches/README.md`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A program, which prints.

mod load {
    pub(crate) mod client;
    pub(crate) mod floor;
    pub(crate) mod process;
    pub(crate) mod room;
    pub(crate) mod stage;
}

use std::{
    iter,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clap::Parser;
use load::{
    process::pin_clients,
    room::{Entry, Room, Sample, Traffic},
    stage::Stage,
};
use tokio::{runtime, task::LocalSet};

const COLLABFLOW: &str = "collabflow";
const OTHER_BUILD: &str = "the other build";
const FLOOR: &str = "bare floor";
const NODE: &str = "Socket.IO on Node";
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/socketio.mjs");
const PEER_NEEDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/clients/node_modules/socket.io"
);
/// Messages before the first that counts.
const WARM_UP: u32 = 20;

/// Server CPU per delivered message, beside a bare floor.
#[derive(Parser)]
struct Options {
    /// Members of the room.
    #[arg(long, default_value_t = 1_000)]
    members: usize,
    /// Messages that one of them sends each second.
    #[arg(long, default_value_t = 20)]
    per_second: u32,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a turn lasts.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Another build of the server, to be compared with this one.
    #[arg(long, value_name = "BINARY")]
    beside: Option<PathBuf>,
    /// Leave Socket.IO on Node out.
    #[arg(long)]
    without_node: bool,
    /// Be the floor, and write this text.
    #[arg(long, hide = true)]
    floor: Option<String>,
    /// Cargo's way of saying that this is a bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(text) = &options.floor {
        return load::floor::run(text, options.members);
    }
    pin_clients()?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, compare(&options))
}

/// A kind of message.
struct Kind {
    title: &'static str,
    said: String,
    heard_as: &'static str,
    /// Whether its sender hears it too.
    is_heard_by_sender: bool,
    /// What ends it.
    ended_by: Option<String>,
}

impl Kind {
    fn all(stage: &Stage) -> [Self; 2] {
        let channel = stage.channel;
        let typing = |is_typing| {
            format!(r#"42["chat:typing",{{"channelId":"{channel}","isTyping":{is_typing}}}]"#)
        };
        let content = "A message as people write them: a sentence or two, and no more than that.";
        [
            Self {
                title: "chat:typing (told, and forgotten)",
                said: typing(true),
                heard_as: r#"42["chat:userTyping""#,
                is_heard_by_sender: false,
                ended_by: Some(typing(false)),
            },
            Self {
                title: "chat:message (stored on disk, then told)",
                said: format!(
                    r#"42["chat:message",{{"channelId":"{channel}","content":"{content}"}}]"#
                ),
                heard_as: r#"42["chat:newMessage""#,
                is_heard_by_sender: true,
                ended_by: None,
            },
        ]
    }
}

async fn compare(options: &Options) -> anyhow::Result<()> {
    println!(
        "One room of {} members, one of whom sends {} messages a second; {} rounds of {} s.",
        options.members, options.per_second, options.rounds, options.seconds
    );
    let stage = Stage::set(options.members).await?;
    let rooms = fill_rooms(&stage, options).await?;
    for kind in Kind::all(&stage) {
        let mut text = String::new();
        for room in &rooms {
            let warm_up = measure(room, &kind, options, WARM_UP).await?;
            if room.name == COLLABFLOW {
                text = warm_up.text;
            }
        }
        // The floor writes what this server writes, byte for byte.
        let mut floor = Command::new(std::env::current_exe()?);
        floor.args(["--members", &options.members.to_string(), "--floor", &text]);
        let floor = Room::fill(FLOOR, &floor, Entry::Connect(options.members)).await?;
        measure(&floor, &kind, options, WARM_UP).await?;

        let mut rows: Vec<Row<'_>> = iter::once(&floor).chain(&rooms).map(Row::new).collect();
        for _ in 0..options.rounds {
            for row in &mut rows {
                let times = options.seconds * options.per_second;
                row.add(&measure(row.room, &kind, options, times).await?);
            }
        }
        println!("\n{}, {} bytes each", kind.title, text.len());
        print(&rows)?;
    }
    Ok(())
}

/// Starts every server but the floor, and fills its room.
async fn fill_rooms(stage: &Stage, options: &Options) -> anyhow::Result<Vec<Room>> {
    let join = || Entry::Join(&stage.tokens, stage.channel);
    let mut rooms = vec![Room::fill(COLLABFLOW, &stage.collabflow(), join()).await?];
    if let Some(binary) = &options.beside {
        let other = stage.collabflow_of(binary);
        rooms.push(Room::fill(OTHER_BUILD, &other, join()).await?);
    }
    if options.without_node || !Path::new(PEER_NEEDS).exists() {
        println!("Without Socket.IO on Node, which `npm ci` in tests/clients installs.");
    } else {
        let mut node = Command::new("node");
        node.arg(PEER)
            .envs(stage.env())
            .env("NODE_ENV", "production");
        rooms.push(Room::fill(NODE, &node, join()).await?);
    }
    Ok(rooms)
}

async fn measure(
    room: &Room,
    kind: &Kind,
    options: &Options,
    times: u32,
) -> anyhow::Result<Sample> {
    let hears_sender = kind.is_heard_by_sender && room.name != FLOOR;
    let traffic = Traffic {
        text: &kind.said,
        heard_as: kind.heard_as,
        listeners: options.members - usize::from(!hears_sender),
        times,
        interval: Duration::from_secs(1) / options.per_second,
    };
    let sample = room.measure(traffic).await?;
    if let Some(text) = &kind.ended_by {
        let (times, interval) = (1, Duration::ZERO);
        room.measure(Traffic {
            text,
            times,
            interval,
            ..traffic
        })
        .await?;
    }
    Ok(sample)
}

/// What was measured of one server.
struct Row<'a> {
    room: &'a Room,
    /// Microseconds of processor time by message, round by round.
    costs: Vec<f64>,
    /// Milliseconds from sending to receipt.
    latencies: Vec<f64>,
}

impl<'a> Row<'a> {
    const fn new(room: &'a Room) -> Self {
        Self {
            room,
            costs: Vec::new(),
            latencies: Vec::new(),
        }
    }

    fn add(&mut self, sample: &Sample) {
        self.costs.push(sample.cpu.as_secs_f64() * 1e6);
        let latencies = sample.latencies.iter();
        self.latencies
            .extend(latencies.map(|latency| latency.as_secs_f64() * 1e3));
    }
}

/// Prints a table; the first row is what the others are compared with, round by round.
fn print(rows: &[Row<'_>]) -> anyhow::Result<()> {
    println!(
        "{:<20}{:>12}{:>14}{:>10}{:>11}{:>11}{:>18}",
        "", "CPU/message", "spread", "to floor", "p50", "p99", "kB/connection"
    );
    for row in rows {
        let floor = &rows[0].costs;
        let ratios = sorted(
            row.costs
                .iter()
                .zip(floor)
                .map(|(cost, floor)| cost / floor),
        );
        let (costs, latencies) = (
            sorted(row.costs.iter().copied()),
            sorted(row.latencies.iter().copied()),
        );
        println!(
            "{:<20}{:>9.2} µs{:>14}{:>10.2}{:>8.1} ms{:>8.1} ms{:>18}",
            row.room.name,
            at(&costs, 0.5),
            format!("{:.2}–{:.2}", at(&costs, 0.0), at(&costs, 1.0)),
            at(&ratios, 0.5),
            at(&latencies, 0.5),
            at(&latencies, 0.99),
            format!("{:.1}, then {:.1}", row.room.idle_kb, row.room.kb()?),
        );
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which this share of the sorted values lies.
fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[((last as f64 * share).round() as usize).min(last)]
}
