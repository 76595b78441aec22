//! From kill −9 to the first new version: with checkpoints, and when everything is counted again.
//!
//! The clock starts with the process. It ends when a WebSocket client has an update with a vote that was posted after
//! the start: by then everything that was counted before is there again, and counting goes on.

use std::{path::Path, time::Duration};

use tallyboard::{
    journal::{Journal, embedded::EmbeddedJournal},
    simulate::Shape,
};

use crate::{
    feed::Feed,
    say,
    server::Server,
    table::{Row, thousands},
    votes::{PARTITIONS, SHORT, SHORT_COUNT, Votes, forget_results, kafka_servers},
};

/// Checkpoints are written in the background: time enough for one behind the last vote.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(12);

pub(crate) fn run() {
    let votes = Votes::new(Shape::Short);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (_, count) = votes.fill(SHORT, SHORT_COUNT);
    forget_results(SHORT);
    measure(
        &votes,
        "Kafka",
        directory.path(),
        &["--kafka", &kafka_servers(), "--topic-prefix", SHORT],
        count,
    );

    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    say(&format!("appending {SHORT_COUNT} votes to the embedded journal"));
    fill_embedded(&votes, directory.path(), SHORT_COUNT);
    measure(&votes, "the embedded journal", directory.path(), &[], SHORT_COUNT);
}

fn fill_embedded(votes: &Votes, directory: &Path, count: u64) {
    let journal = EmbeddedJournal::open(&directory.join("journal")).unwrap();
    let topics = tallyboard::journal::Topics::new("");
    journal.ensure_topics(&topics.specs(PARTITIONS)).unwrap();
    for first in (0..count).step_by(20_000) {
        journal.append(&topics.votes, votes.records(first..(first + 20_000).min(count))).unwrap();
    }
}

fn measure(votes: &Votes, journal: &str, directory: &Path, arguments: &[&str], count: u64) {
    let mut server = Server::start(directory, arguments);
    let covered_at = Feed::connect(&server).covers(count);
    let rebuilt = covered_at.duration_since(server.started).as_secs_f64();
    std::thread::sleep(CHECKPOINT_WAIT);
    server.kill();
    let mut server = Server::start(directory, arguments);
    let vote = votes.records(count..count + 1).remove(0);
    server.vote(&vote.value);
    let restarted = Feed::connect(&server).covers(count + 1).duration_since(server.started).as_secs_f64();
    server.kill();
    say(&format!("{journal}: {rebuilt:.2} s from nothing, {restarted:.2} s with checkpoints"));
    let millions = thousands(crate::table::per_second(count, 1.0));
    let what = format!("restart after kill −9 with {millions} votes counted, {journal}");
    Row::with_aim(&what, format!("{restarted:.2} s"), "≤ 3 s", restarted <= 3.0).print();
    let what = format!("the same votes from the first, {journal}");
    Row::plain(&what, format!("{rebuilt:.2} s")).print();
}
