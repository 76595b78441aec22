//! `cargo xtask`: everything that is done to Tallyboard from a checkout, on any machine.
//!
//! A chore first does the set-up that it needs and that is missing, says what it does and how long it takes, and never
//! repeats what is already there. The commands below are all there is; each has a module of the same name.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "xtask is a program that talks to its user")]

mod bench;
mod chaos;
mod ci;
mod dashboard;
mod dev;
mod http;
mod kafka;
mod process;
mod progress;
mod run;
mod setup;
mod simulate;
mod smoke;
mod tests;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{process::Interrupted, simulate::Seeds, workspace::Workspace};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tallyboard's chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Set up, build, and start the demo on port 8080; Ctrl-C stops it
    Run {
        /// Further arguments for `tallyboard serve`
        #[arg(last = true)]
        serve: Vec<String>,
    },
    /// Set up, build, and run every test: Rust, Apache Kafka, browser
    Test {
        /// Further arguments for `cargo test`; with any, the browser tests are left out
        #[arg(last = true)]
        cargo_test: Vec<String>,
    },
    /// Serve the dashboard with live reload on port 8081, beside a backend
    Dev,
    /// Check the formatting, lints (host and wasm) and documentation; runs no test
    Ci,
    /// Only the set-up that the other commands would do
    Setup,
    /// Build the dashboard, then the release binary with the dashboard in it
    Build,
    /// Run the simulation on more seeds than the tests do, or one of them again, or on planted bugs
    Simulate {
        /// So many seeds
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
        /// The first of them; by default one that nobody has run yet
        #[arg(long)]
        from: Option<u64>,
        /// Replay this one and tell its events
        #[arg(long, conflicts_with_all = ["seeds", "from"])]
        seed: Option<u64>,
        /// Plant bugs in a copy of the sources, or the one that is named, and show that the simulation finds them
        #[arg(long, num_args = 0..=1, value_name = "NAME", conflicts_with_all = ["seeds", "from", "seed"])]
        planted: Option<Option<String>>,
    },
    /// Start `cargo xtask run` on a free port, see the results move, stop it with Ctrl-C
    Smoke,
    /// Measure, beside Spark and a bare Kafka client, and write docs/benchmarks.md; nothing else should run meanwhile
    Bench {
        /// Only these; all by default
        names: Vec<String>,
    },
    /// Keep an Apache Kafka broker with temporary data running until Ctrl-C
    Kafka {
        /// The port of 127.0.0.1 to listen on
        #[arg(long, default_value_t = 9092)]
        port: u16,
    },
    /// Kill, freeze and damage everything of an election on three brokers at random, and count the votes; no test of
    /// `test`, as it takes minutes
    Chaos(chaos::Plan),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match process::watch_signals().and_then(|()| perform(arguments.chore)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("interrupted");
            // What a shell reports for a process that SIGINT ended.
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(chore: Chore) -> Result<()> {
    let workspace = Workspace::locate()?;
    match chore {
        Chore::Run { serve } => run::run(&workspace, &serve),
        Chore::Test { cargo_test } => tests::test(&workspace, &cargo_test),
        Chore::Dev => dev::dev(&workspace),
        Chore::Ci => ci::ci(&workspace),
        Chore::Setup => setup::for_tests(&workspace).map(drop),
        Chore::Build => run::build(&workspace).map(drop),
        Chore::Simulate { planted: Some(bug), .. } => simulate::find_planted(&workspace, bug.as_deref()),
        Chore::Simulate { seeds, from, seed, planted: None } => {
            let many = Seeds::Many { from, count: seeds };
            simulate::simulate(&workspace, &seed.map_or(many, Seeds::One))
        }
        Chore::Smoke => smoke::smoke(),
        Chore::Bench { names } => bench::bench(&workspace, &names),
        Chore::Kafka { port } => kafka::keep_running(&workspace, port),
        Chore::Chaos(plan) => chaos::chaos(&workspace, &plan),
    }
}
