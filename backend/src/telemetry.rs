//! Logs and metrics: one subscriber, one recorder, set up once.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Logs to standard error, as text or, with `json`, an object a line; `filter` as in `info,tallyboard=debug`.
pub fn init_logs(filter: &str, json: bool) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(logs.json()).init();
    } else {
        registry.with(logs.compact()).init();
    }
}

/// Collects metrics, and renders them for Prometheus.
///
/// # Errors
/// Where something else collects them already.
pub fn init_metrics() -> Result<PrometheusHandle, BuildError> {
    metrics_builder()?.install_recorder()
}

/// What collects metrics, to be installed.
pub(crate) fn metrics_builder() -> Result<PrometheusBuilder, BuildError> {
    // From a single publication on loopback to a transaction over a slow network.
    let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
    PrometheusBuilder::new().set_buckets(&buckets)
}
