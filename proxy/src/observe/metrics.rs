//! Figures for a monitor, in the text format of Prometheus.
//!
//! The recorder is one for the process, as the log is: rooms count where something happens, and
//! nobody passes a registry around. Without [`install`], as in tests that make a proxy inside their
//! own process, counting does nothing. What is counted for each call has handles that are made once
//! (`policy/metrics.rs`); what is rare is counted by name, here.
//!
//! No label holds foreign text. Names of servers are the owner's, methods come from a list, and
//! everything else is a word of ours, so the number of series is bounded.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

pub use metrics::Counter;
use metrics::{
    Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    set_global_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use parking_lot::Mutex;

use super::process;
use crate::budget;

/// Upper ends of the latency buckets, in seconds: from what the proxy itself takes to the default
/// of `--request-timeout`.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0,
];

/// What renders; `None` until [`install`].
static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// The metrics cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("keep metrics: {0}")]
pub struct MetricsError(String);

/// Begins to keep the metrics of this process. Handles made before count nothing, so it comes before
/// everything else is put together.
///
/// # Errors
///
/// This process keeps metrics already.
pub fn install() -> Result<(), MetricsError> {
    let failed = |error: &dyn fmt::Display| MetricsError(error.to_string());
    let recorder = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .map_err(|error| failed(&error))?
        .build_recorder();
    let handle = recorder.handle();
    set_global_recorder(recorder).map_err(|error| failed(&error))?;
    let _first = HANDLE.set(handle);
    describe();
    gauge!("mcp_proxy_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(())
}

/// What every name means: the `HELP` lines, and the list in `docs/operations.md`.
fn describe() {
    describe_gauge!("mcp_proxy_build_info", "Always 1; which version runs.");
    describe_counter!(
        "mcp_proxy_calls_total",
        "Requests of clients that reached the place of a server, by how they ended."
    );
    describe_histogram!(
        "mcp_proxy_call_seconds",
        "From taking a request until its answer; subscriptions are not in it."
    );
    describe_gauge!(
        "mcp_proxy_calls_in_flight",
        "Requests that wait for an answer."
    );
    describe_gauge!("mcp_proxy_sessions", "Sessions alive.");
    describe_gauge!("mcp_proxy_children", "Server processes, by state.");
    describe_counter!(
        "mcp_proxy_child_starts_total",
        "Server processes that were started."
    );
    describe_counter!(
        "mcp_proxy_child_restarts_total",
        "Servers started again for a session whose server was gone."
    );
    describe_counter!(
        "mcp_proxy_child_exits_total",
        "Server processes that ended, by reason: stopped by us, or died by themselves."
    );
    describe_gauge!(
        "mcp_proxy_child_rss_bytes",
        "Resident memory of the server processes, with everything in their process groups."
    );
    describe_counter!(
        "mcp_proxy_child_cpu_seconds_total",
        "Processor time of the server processes and their groups, in whole seconds, as last looked at."
    );
    describe_counter!(
        "mcp_proxy_bytes_total",
        "Bytes through the pipes of the server processes."
    );
    describe_counter!(
        "mcp_proxy_garbage_lines_total",
        "Lines on a server's standard output that were no messages."
    );
    describe_counter!(
        "mcp_proxy_stderr_dropped_lines_total",
        "Lines on a server's standard error that were not logged, because there were too many at once."
    );
    describe_gauge!(
        "mcp_proxy_server_state",
        "Where a server is in its life: 1 for the state it is in."
    );
    describe_histogram!(
        "mcp_proxy_install_seconds",
        "What it took to have a package, by what came of it."
    );
    describe_gauge!(
        "mcp_proxy_held_bytes",
        "What is held for clients, as far as it is counted towards --memory-budget."
    );
    describe_gauge!(
        "mcp_proxy_memory_budget_bytes",
        "What may be held for clients (--memory-budget)."
    );
    describe_counter!(
        "mcp_proxy_budget_refusals_total",
        "What was refused or cut off because a bound was reached, by bound."
    );
    describe_counter!(
        "mcp_proxy_auth_decisions_total",
        "Requests let in, and requests refused for their token."
    );
    describe_counter!(
        "mcp_proxy_key_fetches_total",
        "Looks at the keys of the authorization server, by outcome."
    );
    describe_counter!(
        "mcp_proxy_refusals_total",
        "Requests that were refused for what their sender may not do, by reason."
    );
    describe_counter!(
        "mcp_proxy_audit_dropped_total",
        "Lines of the audit log that could not be written."
    );
    describe_counter!(
        "mcp_proxy_spans_dropped_total",
        "Spans of calls that did not reach their collector."
    );
    describe_counter!(
        "mcp_proxy_panics_total",
        "Bugs of the proxy that ended what it was doing; the log says where."
    );
    describe_gauge!(
        "process_resident_memory_bytes",
        "Resident memory of the proxy itself."
    );
    describe_gauge!("process_open_fds", "Open file descriptors of the proxy.");
}

/// The page, if there are metrics.
#[must_use]
pub fn render() -> Option<String> {
    HANDLE.get().map(PrometheusHandle::render)
}

/// Puts what was measured into its buckets; to be called about once a second. Between two calls
/// every measured latency is kept as it is, so this bounds memory.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// A package was asked for, and this came of it.
pub fn provided(package: &str, outcome: &'static str, took: Duration) {
    histogram!(
        "mcp_proxy_install_seconds", "package" => package.to_owned(), "outcome" => outcome
    )
    .record(took.as_secs_f64());
}

/// A bound was reached, and something was refused or cut off for it.
pub fn budget(kind: &'static str) {
    counter!("mcp_proxy_budget_refusals_total", "kind" => kind).increment(1);
}

/// What counts the requests that were let in.
pub fn admitted() -> Counter {
    counter!("mcp_proxy_auth_decisions_total", "outcome" => "allowed")
}

/// The keys of the authorization server were looked for.
pub fn looked_for_keys(success: bool) {
    let outcome = if success { "fetched" } else { "failed" };
    counter!("mcp_proxy_key_fetches_total", "outcome" => outcome).increment(1);
}

/// One's part of a gauge that several may have a part of: while a server is exchanged for another
/// there are two of its name. Dropped, its part is gone.
pub struct Share {
    gauge: Gauge,
    part: Mutex<f64>,
}

impl Share {
    /// A part of nothing, so far.
    #[must_use]
    pub const fn of(gauge: Gauge) -> Self {
        Self {
            gauge,
            part: Mutex::new(0.0),
        }
    }

    /// The number of sessions of this server.
    #[must_use]
    pub fn sessions(server: &str) -> Self {
        Self::of(gauge!("mcp_proxy_sessions", "server" => server.to_owned()))
    }

    /// From now on the part is this much.
    pub fn set(&self, count: u64) {
        let mut part = self.part.lock();
        let now = float(count);
        self.gauge.increment(now - *part);
        *part = now;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({})", self.part.lock())
    }
}

/// Looks at this process itself.
pub fn measure_this_process() {
    gauge!("mcp_proxy_held_bytes").set(float(budget::PROCESS.held() as u64));
    gauge!("mcp_proxy_memory_budget_bytes").set(float(budget::PROCESS.limit() as u64));
    if let Some((rss, open)) = process::this() {
        gauge!("process_resident_memory_bytes").set(float(rss));
        gauge!("process_open_fds").set(float(open as u64));
    }
}

/// Gauges are floating point; what is counted here is far below where that begins to matter.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// A task panicked.
pub fn panicked() {
    counter!("mcp_proxy_panics_total").increment(1);
}

/// A request was refused for what its sender may not do.
///
/// `why` is what was wrong with its token, if that was it.
pub fn refused(kind: &'static str, why: Option<&'static str>) {
    if let Some(why) = why {
        let labels = [("outcome", "refused"), ("reason", why)];
        counter!("mcp_proxy_auth_decisions_total", &labels).increment(1);
    }
    counter!("mcp_proxy_refusals_total", "kind" => kind).increment(1);
}
