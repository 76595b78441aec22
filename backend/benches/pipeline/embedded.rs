//! The embedded journal: durable votes a second, appended in batches of 1,000 with an answer for each.

use std::time::{Duration, Instant};

use tallyboard::{
    journal::{Journal, NewRecord, Topics, embedded::EmbeddedJournal},
    simulate::Shape,
};

use crate::{
    table::{Row, median, per_second, thousands},
    votes::{PARTITIONS, Votes},
};

const COUNT: u64 = 2_000_000;
const BATCH: usize = 1000;
const RUNS: u32 = 3;

pub(crate) fn run() {
    let votes = Votes::new(Shape::Short);
    let rate = |callers: usize| {
        per_second(COUNT, median((0..RUNS).map(|_| append(&votes, callers).as_secs_f64()).collect()))
    };
    let four = rate(4);
    let figure = format!("{} votes/s", thousands(four));
    let what = "embedded journal: durable short votes in batches of 1,000, four callers";
    Row::with_aim(what, figure, "≥ 500,000/s", four >= 500_000.0).print();
    let one = rate(1);
    Row::plain("the same, one caller", format!("{} votes/s", thousands(one))).print();
}

/// The time that appending takes; the votes are made up outside of it.
fn append(votes: &Votes, callers: usize) -> Duration {
    // In the target directory: a temporary one is often memory, where being durable costs nothing.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let journal = EmbeddedJournal::open(directory.path()).unwrap();
    let topics = Topics::new("");
    journal.ensure_topics(&topics.specs(PARTITIONS)).unwrap();
    let mut time = Duration::ZERO;
    let portion = 500_000;
    for first in (0..COUNT).step_by(portion) {
        let records = votes.records(first..first + portion as u64);
        let batches: Vec<Vec<NewRecord>> = records.chunks(BATCH).map(<[_]>::to_vec).collect();
        let mut shares: Vec<Vec<_>> = (0..callers).map(|_| Vec::new()).collect();
        for (number, batch) in batches.into_iter().enumerate() {
            shares[number % callers].push(batch);
        }
        let started = Instant::now();
        std::thread::scope(|scope| {
            for share in shares {
                let (journal, topic) = (&journal, &topics.votes);
                scope.spawn(move || {
                    for batch in share {
                        journal.append(topic, batch).unwrap();
                    }
                });
            }
        });
        time += started.elapsed();
    }
    time
}
