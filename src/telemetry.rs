//! The log: to standard error, filtered as configured, but for the one line that says where the server listens.

pub mod metrics;

use std::{io, io::IsTerminal, net::SocketAddr};

use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// What is logged under this target is always shown.
const ALWAYS: &str = "collabflow::listening";

/// Starts logging; whoever has already started it, as tests do, is left alone.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let always = Targets::new().with_target(ALWAYS, LevelFilter::INFO);
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_filter(filter.or(always));
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

/// Says where the server listens, whatever the filter.
pub fn listening(address: SocketAddr) {
    tracing::info!(target: ALWAYS, "listening on http://{address}");
}
