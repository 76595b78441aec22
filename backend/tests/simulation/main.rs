//! The simulation: the whole pipeline in one thread, under a simulated journal, disk and clock, with every fault that
//! we can think of, one world per seed.
//!
//! The roles are the real ones: their shells are stepped in an order that the seed decides. A world runs with faults,
//! then everything is healed and runs until it is quiet, then `invariants` compares what lies on the topics and what
//! viewers show with `oracle`, which counts again in the plainest way. The same seed is the same world, event by
//! event.
//!
//! `cargo xtask simulate` runs more seeds, and `cargo xtask simulate --seed N` replays one and tells its events.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "a failing seed is told to people")]

mod ballots;
mod brokers;
mod clock;
mod disk;
mod invariants;
mod journal;
mod oracle;
mod plan;
mod process;
#[path = "../promises/mod.rs"]
mod promises;
mod published;
mod trace;
mod world;

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    brokers::FAULTS,
    invariants::Seen,
    trace::Trace,
    world::{Outcome, run, run_incomplete},
};

/// So many seeds run with the tests; more by `cargo xtask simulate`.
const SEEDS: Range<u64> = 0..1000;

/// Names other seeds, `FROM..TO`, or one whose events are told.
const SEEDS_VARIABLE: &str = "TALLYBOARD_SEEDS";

/// So many failing seeds are enough to look at.
const FAILURES_MAX: usize = 20;

/// Runs seeds on all cores, and the first that fails again with its events told.
fn check(seeds: Range<u64>, run: fn(u64, Trace) -> Outcome) -> Seen {
    let (next, sum) = (AtomicU64::new(seeds.start), Mutex::new(Seen::default()));
    let failed = Mutex::new(BTreeMap::new());
    let work = || {
        while failed.lock().unwrap().len() < FAILURES_MAX {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = run(seed, Trace::default());
            sum.lock().unwrap().add(&outcome.seen);
            if let Some(violation) = outcome.violation {
                failed.lock().unwrap().insert(seed, violation);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some(seed) = failed.keys().next() {
        eprintln!("{failed:#?}");
        tell(*seed, run);
        panic!("seed {seed}: it fails only the first time: the world isn't deterministic");
    }
    sum.into_inner().unwrap()
}

/// Runs a seed with its events told, and what the product logs between them, and fails where it does.
fn tell(seed: u64, run: fn(u64, Trace) -> Outcome) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_ansi(false).finish();
    let outcome = tracing::subscriber::with_default(log, || run(seed, Trace::told()));
    if let Some(violation) = outcome.violation {
        panic!("seed {seed}: {violation}\nreplay it: cargo xtask simulate --seed {seed}");
    }
}

#[test]
fn no_fault_costs_or_doubles_a_vote() {
    let seeds = std::env::var(SEEDS_VARIABLE).ok();
    if let Some(seed) = seeds.as_ref().and_then(|seed| seed.parse().ok()) {
        return tell(seed, run);
    }
    let range = |text: &String| {
        let (from, to) = text.split_once("..").expect("FROM..TO");
        from.parse().expect("a number")..to.parse().expect("a number")
    };
    let seeds = seeds.as_ref().map_or(SEEDS, range);
    let count = seeds.end - seeds.start;
    let seen = check(seeds, run);
    eprintln!("{count} seeds: {seen:#?}");
    // Checks that never see anything hold nothing.
    if count >= SEEDS.end {
        let missed: Vec<_> = FAULTS.iter().filter(|fault| !seen.faults.contains_key(*fault)).collect();
        assert!(missed.is_empty(), "never happened: {missed:?}");
        let reasons = tallyboard_shared::reason::Reason::ALL.into_iter();
        let missed: Vec<_> = reasons.filter(|reason| !seen.rejected.contains_key(reason)).collect();
        assert!(missed.is_empty(), "nothing was rejected as {missed:?}");
        assert!(
            seen.late > 0
                && seen.counted > 10 * count
                && seen.versions > 2 * count
                && seen.repeated_rejections > 0
        );
        let rare = [seen.wide_timelines, seen.regions, seen.groups, seen.idle, seen.hidden_ends];
        assert!(rare.iter().all(|seen| *seen > 0), "{rare:?}");
    }
}

#[test]
fn an_incomplete_log_stops_the_count() {
    let seen = check(0..100, run_incomplete);
    assert!(seen.counted > 0, "no log was long enough");
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..20 {
        assert_eq!(
            run(seed, Trace::default()).fingerprint,
            run(seed, Trace::default()).fingerprint,
            "{seed}"
        );
    }
}

impl promises::TestJournal {
    fn simulated(likeness: brokers::Likeness) -> Self {
        use tallyboard::journal::Journal as _;
        let brokers = brokers::Brokers::new(0, likeness, Trace::default());
        let journal = Box::new(journal::SimulatedJournal::connect(&brokers, 0));
        let topics = tallyboard::journal::Topics::new("");
        journal.ensure_topics(&topics.specs(promises::PARTITIONS)).unwrap();
        Self { journal, topics, _directory: None }
    }
}

mod like_kafka {
    crate::promises::every_promise!(crate::promises::TestJournal::simulated(crate::brokers::Likeness::Kafka));
}

mod like_the_embedded_journal {
    crate::promises::every_promise!(crate::promises::TestJournal::simulated(
        crate::brokers::Likeness::Embedded
    ));
}
