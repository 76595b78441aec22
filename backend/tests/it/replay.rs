//! The UK general election of 2024, ballot by ballot at one percent, through Apache Kafka.

use std::{collections::BTreeMap, fs::File, path::Path};

use tallyboard::simulate::{ResultTable, TableColumns};
use tallyboard_shared::results::Results;

use crate::{
    server::{Server, free_address, run},
    support::{fresh_prefix, kafka_servers},
};

const SCALE: &str = "0.01";

#[test]
fn every_number_of_the_uk_election_is_equal_after_the_replay() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/uk-general-election-2024-by-constituency.csv");
    if !table.exists() {
        println!("skipped: the table of the UK general election isn't beside the project");
        return;
    }
    let columns = TableColumns {
        location: "Constituency name".into(),
        registered: "Electorate".into(),
        candidates: Some(("Con".into(), "All other candidates".into())),
    };
    let whole = ResultTable::read(File::open(&table).unwrap(), &columns).unwrap();
    assert_eq!(whole.locations.iter().flat_map(|location| &location.votes).sum::<u64>(), 28_809_340);
    let expected = whole.scaled(0.01);
    let ballots: u64 = expected.locations.iter().flat_map(|location| &location.votes).sum();

    let directory = tempfile::tempdir().unwrap();
    let (servers, prefix) = (kafka_servers(), fresh_prefix());
    let kafka = ["--kafka", &servers, "--topic-prefix", &prefix];
    let mut server = Server::start(directory.path(), &free_address(), &kafka);
    let sender = directory.path().join("sender");
    let mut arguments = vec!["simulate", "--rate", "max", "--data-dir", sender.to_str().unwrap()];
    arguments.extend(["--results", table.to_str().unwrap(), "--scale", SCALE]);
    arguments.extend(["--location-column", "Constituency name", "--registered-column", "Electorate"]);
    arguments.extend(["--candidate-columns", "Con..All other candidates"]);
    arguments.extend(kafka);
    let (status, output) = run(&arguments);
    assert!(status.success(), "{output}");

    let results = server.results_of(ballots);
    assert_eq!((results.totals.votes, results.totals.rejected_sum()), (ballots, 0));
    assert_eq!(equal_numbers(&expected, &results), 650 * 13);
}

/// Compares every number of the table, and says how many there were.
fn equal_numbers(expected: &ResultTable, results: &Results) -> usize {
    let mut counted = BTreeMap::new();
    for location in &results.locations {
        for (candidate, votes) in location.contests.iter().flat_map(|contest| contest.votes.iter().flatten())
        {
            counted.insert((location.name.as_str(), candidate.as_str()), *votes);
        }
    }
    let mut numbers = 0;
    for location in &expected.locations {
        for (candidate, votes) in expected.candidates.iter().zip(&location.votes) {
            let seen = counted.get(&(location.name.as_str(), candidate.as_str())).copied().unwrap_or(0);
            assert_eq!(seen, *votes, "{candidate} in {}", location.name);
            numbers += 1;
        }
    }
    numbers
}
