//! What an idle WebSocket connection keeps in memory, before and after it has joined: `cargo bench --bench idle -- 5000`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A program, which prints.

mod load {
    pub(crate) mod client;
    pub(crate) mod process;
    pub(crate) mod stage;
}

use std::time::Duration;

use clap::Parser;
use load::{
    client::{connect_all, join_all, open_all},
    process::{Process, pin_clients},
    stage::Stage,
};
use tokio::runtime;

/// Connections that are opened before the first that counts, so that what is made once is there.
const WARM_UP: usize = 100;

/// Memory of an idle connection.
#[derive(Parser)]
struct Options {
    /// Connections.
    #[arg(default_value_t = 5_000)]
    connections: usize,
    /// Cargo's way of saying that this is a bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    pin_clients()?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(options.connections))
}

async fn measure(connections: usize) -> anyhow::Result<()> {
    let stage = Stage::set(WARM_UP + connections).await?;
    let process = Process::start(&stage.collabflow())?;
    let (warm_up, tokens) = stage.tokens.split_at(WARM_UP);
    let mut warm = open_all(process.address(), WARM_UP).await?;
    connect_all(&mut warm, warm_up).await?;
    join_all(&mut warm, stage.channel).await?;

    println!(
        "{connections} idle connections: resident memory of each, and processor time to get there"
    );
    let mut meter = Meter::start(&process, connections)?;
    let mut clients = open_all(process.address(), connections).await?;
    meter.report("WebSocket, and Engine.IO's handshake")?;
    connect_all(&mut clients, tokens).await?;
    meter.report("a session: CONNECT, and its actor")?;
    join_all(&mut clients, stage.channel).await?;
    meter.report("a seat in a chat room")
}

/// What the connections have come to, step by step.
struct Meter<'a> {
    process: &'a Process,
    connections: u32,
    start: u64,
    resident: u64,
    cpu: Duration,
}

impl<'a> Meter<'a> {
    fn start(process: &'a Process, connections: usize) -> anyhow::Result<Self> {
        let resident = process.resident()?;
        Ok(Self {
            process,
            connections: u32::try_from(connections)?,
            start: resident,
            resident,
            cpu: process.cpu()?,
        })
    }

    /// Prints what this step has added, and what it is in all.
    fn report(&mut self, step: &str) -> anyhow::Result<()> {
        let (resident, cpu) = (self.process.resident()?, self.process.cpu()?);
        let kb = |since: u64| (resident as f64 - since as f64) / f64::from(self.connections) / 1e3;
        println!(
            "  {step:<38}{:>7.2} kB{:>9.2} kB in all{:>9} µs",
            kb(self.resident),
            kb(self.start),
            ((cpu - self.cpu) / self.connections).as_micros(),
        );
        (self.resident, self.cpu) = (resident, cpu);
        Ok(())
    }
}
