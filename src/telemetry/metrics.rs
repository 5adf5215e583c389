//! The numbers of `/metrics`: one recorder for the process, installed before the first node of it starts.
//!
//! Several nodes in one process, as tests have them, share it: counters are of all, and what is measured when somebody
//! looks is of the node that was asked last.

use std::{
    sync::{LazyLock, OnceLock},
    time::Duration,
};

use collabflow_actors::{metrics as engine, node::Node};
use metrics::{Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const BUILD: &str = "collabflow_build_info";
const REFUSED: &str = "collabflow_connections_refused_total";
const STORE_DURATION: &str = "collabflow_store_duration_seconds";

const GAUGES: &[engine::Described] = &[(BUILD, "Always 1; the label says which version this is")];
const COUNTERS: &[engine::Described] = &[(REFUSED, "Connections turned away, by reason")];
const HISTOGRAMS: &[engine::Described] = &[(
    STORE_DURATION,
    "From a call of the store to its answer, by kind of call",
)];

/// The upper bounds of the histograms, in seconds.
const BUCKETS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];
/// How often samples that nobody has asked for are put into their buckets, so that they do not pile up.
const UPKEEP: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to count, once for the process.
pub fn install() {
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(BUCKETS)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        // Where another recorder is installed already, the numbers are with that one.
        metrics::set_global_recorder(recorder).ok()?;
        describe();
        engine::begin();
        for reason in ["limit", "draining"] {
            counter!(REFUSED, "reason" => reason).increment(0);
        }
        for kind in ["store_writer", "store_reader"] {
            counter!(engine::RESTARTS, "kind" => kind).increment(0);
        }
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
        Some(handle)
    });
}

fn describe() {
    for (name, what) in engine::GAUGES.iter().chain(GAUGES) {
        describe_gauge!(*name, *what);
    }
    for (name, what) in engine::COUNTERS.iter().chain(COUNTERS) {
        describe_counter!(*name, *what);
    }
    for (name, what) in engine::HISTOGRAMS.iter().chain(HISTOGRAMS) {
        describe_histogram!(*name, *what);
    }
}

/// The numbers as Prometheus reads them; `None` where they are with another recorder.
#[must_use]
pub fn render(node: &Node) -> Option<String> {
    let handle = HANDLE.get()?.as_ref()?;
    node.measure();
    Some(handle.render())
}

/// Keeps samples from piling up while nobody asks for them.
pub async fn keep_up() {
    let Some(Some(handle)) = HANDLE.get() else {
        return;
    };
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

/// A connection or session that was not let in.
pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// Something of this crate has broken, and goes on.
pub(crate) fn restarted(kind: &'static str) {
    counter!(engine::RESTARTS, "kind" => kind).increment(1);
}

/// How long reads of the store take.
pub(crate) static STORE_READ: LazyLock<Histogram> =
    LazyLock::new(|| metrics::histogram!(STORE_DURATION, "kind" => "read"));
/// How long writes of the store take, the wait for their commit included.
pub(crate) static STORE_WRITE: LazyLock<Histogram> =
    LazyLock::new(|| metrics::histogram!(STORE_DURATION, "kind" => "write"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_the_readme() {
        let readme = include_str!("../../README.md");
        let all = [
            engine::GAUGES,
            engine::COUNTERS,
            engine::HISTOGRAMS,
            GAUGES,
            COUNTERS,
            HISTOGRAMS,
        ];
        for (name, _) in all.into_iter().flatten() {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }
}
