//! The whole pipeline, measured from outside: `cargo xtask bench [NAME…]`, or `cargo bench -p tallyboard --bench
//! pipeline -- NAME…` with a Kafka in `TALLYBOARD_TEST_KAFKA`.
//!
//! Each module is a benchmark of its name. It prints the rows that go into docs/benchmarks.md on the standard output,
//! a JSON object a line, and tells on the standard error what it does. Nothing else should run on the machine
//! meanwhile; what is compared runs in turns, so that a machine that changes its pace does so for both.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "rows go to the one, progress to the other")]

mod beside;
mod consume;
mod embedded;
mod fanout;
mod feed;
mod latency;
mod memory;
mod restart;
mod server;
mod spark;
mod table;
mod votes;

use std::time::Duration;

/// The program's, for what is measured beside it too: a bare consumer is faster with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Far longer than anything takes; a benchmark that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(600);

/// The benchmarks, in their order.
const BENCHMARKS: [(&str, fn()); 8] = [
    ("consume", consume::run),
    ("spark", spark::run),
    ("latency", latency::run),
    ("embedded", embedded::run),
    ("restart", restart::run),
    ("memory", memory::run),
    ("fanout", fanout::run),
    ("beside", beside::run),
];

/// Says what is being done.
fn say(what: &str) {
    eprintln!("    {what}");
}

fn main() {
    // Cargo adds `--bench` of its own.
    let names: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    for name in &names {
        assert!(BENCHMARKS.iter().any(|(known, _)| known == name), "there is no benchmark `{name}`");
    }
    for (name, run) in BENCHMARKS {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            say(name);
            run();
        }
    }
}
