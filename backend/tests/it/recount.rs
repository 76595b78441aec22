//! `tallyboard recount` by its exit code and its words: equal after a count, and every kind of forgery is found.

use std::{collections::BTreeMap, path::Path};

use tallyboard::{
    journal::{
        Journal, NewRecord, Position, Topics,
        embedded::EmbeddedJournal,
        kafka::{KafkaJournal, KafkaSettings},
        read_to_end,
    },
    roles::{newest::newest_publication, publication::PublicationRecord},
};

use crate::{
    server::{Server, demo_definition, free_address, run},
    support::{fresh_prefix, kafka_servers, kafka_settings},
};

/// Where a test's count lies: the arguments that name it, and the journal behind them.
struct Ballots {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    topics: Topics,
    kafka: Option<KafkaSettings>,
}

impl Ballots {
    fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, arguments: Vec::new(), topics: Topics::new(""), kafka: None }
    }

    fn kafka() -> Self {
        let prefix = fresh_prefix();
        let arguments = ["--kafka", &kafka_servers(), "--topic-prefix", &prefix].map(str::to_owned).to_vec();
        let directory = tempfile::tempdir().unwrap();
        Self { directory, arguments, topics: Topics::new(&prefix), kafka: Some(kafka_settings()) }
    }

    fn open(&self) -> Box<dyn Journal> {
        match &self.kafka {
            Some(settings) => Box::new(KafkaJournal::new(settings.clone()).unwrap()),
            None => Box::new(EmbeddedJournal::open(&self.directory.path().join("journal")).unwrap()),
        }
    }

    fn serve(&self, more: &[&str]) -> Server {
        let mut arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(more);
        Server::start(self.directory.path(), &free_address(), &arguments)
    }

    /// Counts a few thousand made-up votes.
    fn count(&self) {
        let mut server = self.serve(&["--simulate", "5000/s"]);
        server.results_of(5000);
        assert!(server.stop().success());
    }

    /// Counts what is there, up to the last record.
    fn count_on(&self) {
        let definition = demo_definition();
        let records = self.open().bounds(&self.topics.votes).unwrap();
        let mut server = self.serve(&["--election", definition.to_str().unwrap()]);
        server.results_of(records.values().map(|bounds| bounds.end).sum());
        assert!(server.stop().success());
    }

    fn recount(&self, more: &[&str]) -> (Option<i32>, String) {
        let data_dir = self.directory.path().to_str().unwrap();
        let mut arguments = vec!["recount", "--data-dir", data_dir];
        arguments.extend(self.arguments.iter().map(String::as_str));
        arguments.extend(more);
        let (status, text) = run(&arguments);
        (status.code(), text)
    }

    #[track_caller]
    fn is_different(&self, more: &[&str], words: &[&str]) {
        let (code, text) = self.recount(more);
        assert_eq!(code, Some(1), "{text}");
        for word in words {
            assert!(text.contains(word), "no `{word}` in:\n{text}");
        }
    }

    #[track_caller]
    fn is_equal(&self) -> String {
        let (code, text) = self.recount(&[]);
        assert!(code == Some(0) && text.contains("\nequal\n"), "{code:?}\n{text}");
        text
    }
}

/// Publishes a version on which a candidate has one vote more at one place.
fn forge_a_publication(ballots: &Ballots) -> (u64, String) {
    let journal = ballots.open();
    let newest = newest_publication(&*journal, &ballots.topics.results).unwrap().unwrap();
    let (election, mut results) = (newest.election, newest.results);
    results.version += 1;
    let place = results.locations.iter_mut().find(|place| place.votes > 0).unwrap();
    let votes = place.contests[0].votes.as_mut().unwrap();
    let (candidate, count) = votes.iter_mut().next().unwrap();
    *count += 1;
    let words = format!(
        "locations/{}/contests/president/votes/{candidate}: published {count}, recounted {}",
        place.id,
        *count - 1
    );
    let forged = PublicationRecord::Snapshot {
        election: Box::new(election),
        results: Box::new(results.clone()),
        timeline: None,
    };
    let record = NewRecord::new(results.version.to_string(), serde_json::to_vec(&forged).unwrap());
    journal.append(&ballots.topics.results, vec![record]).unwrap();
    (results.version, words)
}

/// Writes a row that says something else than the results.
fn forge_a_row(ballots: &Ballots, version: u64) -> String {
    let row = serde_json::json!({"state": "Nowhere", "count": 1, "version": version});
    let journal = ballots.open();
    let newest = newest_publication(&*journal, &ballots.topics.results).unwrap().unwrap();
    let place = &newest.results.locations[0];
    let record = NewRecord::new(place.id.as_str(), row.to_string());
    journal.append(&ballots.topics.turnout, vec![record]).unwrap();
    format!(
        "{}/{}/state: published \"Nowhere\", recounted \"{}\"",
        ballots.topics.turnout, place.id, place.name
    )
}

/// Appends a vote that is there already once more, under a key of another partition.
fn copy_a_vote_into_another_partition(ballots: &Ballots) -> String {
    let journal = ballots.open();
    let mut first = None;
    read_to_end(&*journal, &ballots.topics.votes, 3, 0..u64::MAX, |record| {
        let counted = serde_json::from_slice::<serde_json::Value>(record.value).is_ok_and(|vote| {
            vote["candidate_id"] != "nobody" && vote["voting_time"].is_string() && vote["vote"] == 1
        });
        if counted && first.is_none() {
            first = Some((record.position, record.value.to_vec()));
        }
    })
    .unwrap();
    let (position, value) = first.unwrap();
    let mut copy = Position { partition: position.partition, offset: 0 };
    let mut key = 0;
    while copy.partition == position.partition {
        key += 1;
        let record = NewRecord::new(format!("key {key}"), value.clone());
        copy = journal.append(&ballots.topics.votes, vec![record]).unwrap()[0];
    }
    split_voter(position, copy)
}

/// The words of a recount for a voter with these first votes.
fn split_voter(position: Position, copy: Position) -> String {
    let mut places = [position, copy];
    places.sort_unstable_by_key(|place| place.partition);
    let [one, other] = places.map(|place| format!("partition {} offset {}", place.partition, place.offset));
    format!("a voter was counted in several partitions, at {one} and {other}")
}

fn a_recount_agrees_with_the_count_and_finds_what_was_forged(ballots: &Ballots) {
    ballots.count();
    let words = ballots.is_equal();
    assert!(words.contains(" in 12 partitions, "), "{words}");

    let (forged_version, words) = forge_a_publication(ballots);
    let row = forge_a_row(ballots, forged_version);
    let text = ballots.recount(&[]).1;
    assert!(text.contains("no timeline was published"), "{text}");
    ballots.is_different(&[], &[&words, &row, "DIFFERENT"]);
}

fn a_voter_counted_in_two_partitions_is_found(ballots: &Ballots) {
    ballots.count();
    let words = copy_a_vote_into_another_partition(ballots);
    ballots.count_on();
    ballots.is_different(&[], &[&words, "DIFFERENT: 0 figures, 1 voters counted twice"]);
}

/// Publishes a version in which a window of the timeline has one vote more.
fn forge_a_window(ballots: &Ballots) -> String {
    let journal = ballots.open();
    let newest = newest_publication(&*journal, &ballots.topics.results).unwrap().unwrap();
    let (mut results, mut timeline) = (newest.results, newest.timeline.unwrap());
    results.version += 1;
    timeline.version = results.version;
    let window = &mut timeline.windows[0];
    let start = window.start;
    let contest = window.contests.values_mut().next().unwrap();
    contest.votes += 1;
    let words = format!(
        "timeline/windows/{start}/contests/president/votes: published {}, recounted {}",
        contest.votes,
        contest.votes - 1
    );
    let forged = PublicationRecord::Snapshot {
        election: Box::new(newest.election),
        results: Box::new(results.clone()),
        timeline: Some(Box::new(timeline)),
    };
    let record = NewRecord::new(results.version.to_string(), serde_json::to_vec(&forged).unwrap());
    journal.append(&ballots.topics.results, vec![record]).unwrap();
    words
}

#[test]
fn a_forged_window_of_the_timeline_is_found() {
    let ballots = Ballots::embedded();
    ballots.count();
    let words = ballots.is_equal();
    assert!(words.contains(" windows of the timeline"), "{words}");
    let words = forge_a_window(&ballots);
    ballots.is_different(&[], &[&words, "DIFFERENT: 1 figures, 0 voters"]);
}

#[test]
fn without_a_definition_a_voter_counted_in_two_partitions_is_found_in_whatever_contest() {
    let ballots = Ballots::embedded();
    ballots.open().ensure_topics(&ballots.topics.specs(2)).unwrap();
    let vote = |voter: &str, contest: &str| {
        format!(
            r#"{{"voter_id":"{voter}","contest_id":"{contest}","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"p"}}"#
        )
    };
    let journal = ballots.open();
    // A key for each partition.
    let key_of = |partition| {
        let mut number = 0..;
        loop {
            let key = format!("key {}", number.next().unwrap());
            let hash = murmur2::murmur2(key.as_bytes(), 0x9747_b28c) & 0x7fff_ffff;
            if hash % 2 == partition {
                return key;
            }
        }
    };
    let keys = [0, 1].map(key_of);
    // Each partition numbers the two contests in another order.
    let votes = [
        (&keys[0], vote("ada", "k")),
        (&keys[0], vote("bo", "j")),
        (&keys[1], vote("cy", "j")),
        (&keys[1], vote("ada", "k")),
        // Not twice: another contest, which has there the number of the first here.
        (&keys[1], vote("bo", "k")),
    ];
    let votes = votes.map(|(key, vote)| NewRecord::new(key.as_str(), vote));
    let places = journal.append(&ballots.topics.votes, votes.to_vec()).unwrap();
    assert_eq!(places.iter().map(|place| place.partition).collect::<Vec<_>>(), [0, 0, 1, 1, 1]);
    drop(journal);
    let mut server = ballots.serve(&[]);
    server.results_of(5);
    assert!(server.stop().success());
    let words = split_voter(places[0], places[3]);
    ballots.is_different(&[], &[&words, "DIFFERENT: 0 figures, 1 voters counted twice"]);
}

#[test]
fn a_recount_on_the_embedded_journal_agrees_and_finds_what_was_forged() {
    a_recount_agrees_with_the_count_and_finds_what_was_forged(&Ballots::embedded());
}

#[test]
fn a_recount_on_kafka_agrees_and_finds_what_was_forged() {
    a_recount_agrees_with_the_count_and_finds_what_was_forged(&Ballots::kafka());
}

#[test]
fn a_voter_counted_in_two_partitions_is_found_on_the_embedded_journal() {
    a_voter_counted_in_two_partitions_is_found(&Ballots::embedded());
}

#[test]
fn a_voter_counted_in_two_partitions_is_found_on_kafka() {
    a_voter_counted_in_two_partitions_is_found(&Ballots::kafka());
}

/// The newest row of every key, of both topics.
fn newest_rows(ballots: &Ballots) -> Vec<(String, NewRecord)> {
    let journal = ballots.open();
    let mut rows = BTreeMap::new();
    for topic in [&ballots.topics.candidates, &ballots.topics.turnout] {
        read_to_end(&*journal, topic, 0, 0..u64::MAX, |record| {
            let row = NewRecord::new(record.key, record.value);
            rows.insert((topic.clone(), record.key.to_vec()), row);
        })
        .unwrap();
    }
    rows.into_iter().map(|((topic, _), row)| (topic, row)).collect()
}

fn rows_that_a_publisher_never_wrote_are_said_and_written_by_the_next(ballots: &Ballots) {
    ballots.count();
    let before = newest_rows(ballots);
    let counted = {
        let journal = ballots.open();
        let newest = newest_publication(&*journal, &ballots.topics.results).unwrap().unwrap();
        newest.results.inputs.values().sum::<u64>()
    };
    let mut server = ballots.serve(&["--simulate", "5000/s"]);
    server.results_of(counted + 3000);
    assert!(server.stop().success());
    assert!(!ballots.is_equal().contains("as they were before"));

    // As if everyone who published since had been stopped between a version and its rows.
    let journal = ballots.open();
    let mut zombie = journal.exclusive("somebody").unwrap();
    zombie.append_plain(before.clone()).unwrap();
    drop((zombie, journal));
    assert!(ballots.is_equal().contains("rows of the aggregate topics are as they were before: "));

    ballots.count_on();
    assert!(!ballots.is_equal().contains("as they were before"));
    // One old row behind newer ones is none that anybody had left behind.
    let journal = ballots.open();
    let (topic, row) = before.into_iter().next_back().unwrap();
    journal.append(&topic, vec![row]).unwrap();
    drop(journal);
    ballots.is_different(&[], &[&format!("{topic}/"), "/total_votes: published ", "DIFFERENT: 1 figures"]);
}

#[test]
fn rows_that_a_publisher_never_wrote_are_said_and_written_by_the_next_on_the_embedded_journal() {
    rows_that_a_publisher_never_wrote_are_said_and_written_by_the_next(&Ballots::embedded());
}

#[test]
fn rows_that_a_publisher_never_wrote_are_said_and_written_by_the_next_on_kafka() {
    rows_that_a_publisher_never_wrote_are_said_and_written_by_the_next(&Ballots::kafka());
}

#[test]
fn votes_behind_the_published_version_are_mentioned_and_not_counted() {
    let ballots = Ballots::embedded();
    ballots.count();
    ballots.is_equal();
    let more = (0..7).map(|number| NewRecord::new(format!("{number}"), "not counted yet")).collect();
    let before = ballots.open().bounds(&ballots.topics.votes).unwrap();
    ballots.open().append(&ballots.topics.votes, more).unwrap();
    let journal = ballots.open();
    let newest = newest_publication(&*journal, &ballots.topics.results).unwrap().unwrap();
    drop(journal);
    let ends: u64 = before.values().map(|bounds| bounds.end).sum();
    let beyond = ends - newest.results.inputs.values().sum::<u64>() + 7;
    assert!(ballots.is_equal().contains(&format!("{beyond} offsets lie behind this version")));
}

#[test]
fn a_recount_by_another_definition_is_different_and_says_so() {
    let ballots = Ballots::embedded();
    ballots.count();
    let other = ballots.directory.path().join("other.toml");
    let text = std::fs::read_to_string(demo_definition()).unwrap();
    std::fs::write(&other, text.replace("title = \"", "title = \"Another ")).unwrap();
    ballots.is_different(&["--election", other.to_str().unwrap()], &["election/definition_hash: published"]);
    let same = demo_definition();
    assert_eq!(ballots.recount(&["--election", same.to_str().unwrap()]).0, Some(0));
}

#[test]
fn where_there_is_no_recount_the_program_says_why_and_ends_with_2() {
    let ballots = Ballots::embedded();
    let could_not = |words: &str| {
        let (code, text) = ballots.recount(&[]);
        assert!(code == Some(2) && text.contains(words), "{code:?}\n{text}");
    };
    could_not("there is no journal in");
    assert!(!ballots.directory.path().join("journal").exists(), "a recount leaves no trace");
    let mut server = ballots.serve(&["--election", demo_definition().to_str().unwrap()]);
    could_not("with the server stopped");
    server.wait_for("a version", |server| server.results().is_some());
    assert!(server.stop().success());
    publish_more_than_there_is(&ballots);
    could_not("or it lost votes");
}

/// Publishes a version that was counted further than the topic goes.
fn publish_more_than_there_is(ballots: &Ballots) {
    let journal = ballots.open();
    let newest = newest_publication(&*journal, &ballots.topics.results).unwrap().unwrap();
    let (election, mut results) = (newest.election, newest.results);
    results.version += 1;
    results.inputs = BTreeMap::from([(tallyboard_shared::ids::Partition(0), 1_000_000)]);
    let forged = PublicationRecord::Snapshot {
        election: Box::new(election),
        results: Box::new(results.clone()),
        timeline: None,
    };
    let record = NewRecord::new(results.version.to_string(), serde_json::to_vec(&forged).unwrap());
    journal.append(&ballots.topics.results, vec![record]).unwrap();
}

#[test]
fn a_journal_without_a_publication_has_no_recount() {
    let ballots = Ballots::embedded();
    ballots.open().ensure_topics(&ballots.topics.specs(3)).unwrap();
    let (code, text) = ballots.recount(&[]);
    assert!(code == Some(2) && text.contains("nothing has been published"), "{code:?}\n{text}");
    assert!(Path::new(ballots.directory.path()).join("journal").exists());
}
