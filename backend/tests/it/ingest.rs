//! Votes by HTTP: who may send them, how many, and what is told of each.

use serde_json::{Value, json};

use crate::{
    server::{Server, TOKEN, free_address, run},
    web::{demo_definition_site, demo_site, post, vote},
};

/// The SHA-256 of `abc`.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn statuses(receipt: &Value) -> Vec<&str> {
    receipt["lines"].as_array().unwrap().iter().map(|line| line["status"].as_str().unwrap()).collect()
}

#[test]
fn the_very_same_vote_is_a_duplicate_and_another_one_is_for_the_count_to_judge() {
    let mut site = demo_site();
    let first = vote("ada", "okafor", "AL");
    let other = vote("ada", "haddad", "AL");
    let (status, receipt) = post(&site.server, TOKEN, &[&*first, &first, &other].join("\n"));
    assert_eq!(status, 200, "{receipt}");
    assert_eq!(statuses(&receipt), ["accepted", "duplicate", "accepted"]);
    let place = |line: usize| (&receipt["lines"][line]["partition"], &receipt["lines"][line]["offset"]);
    assert_eq!(place(0), place(1));
    // Spelled otherwise it is the same, and lines are counted as they were sent.
    let spelled =
        first.replacen(r#""location_id":"AL""#, r#""address":{"state":"Alder"},"contest_id":"president""#, 1);
    assert_ne!(spelled, first);
    let (_, receipt_of_spelled) = post(&site.server, TOKEN, &format!("\n\n{spelled}\n\r\nrubbish\n"));
    assert_eq!(statuses(&receipt_of_spelled), ["duplicate", "refused"]);
    let lines = receipt_of_spelled["lines"].as_array().unwrap().iter().map(|line| &line["line"]);
    assert_eq!(lines.collect::<Vec<_>>(), [&json!(3), &json!(5)]);
    assert_eq!(receipt_of_spelled["lines"][0]["offset"], receipt["lines"][0]["offset"]);
    // The client didn't hear the answer, and sends everything again.
    let (status, again) =
        post(&site.server, TOKEN, &[&*first, &other, &vote("bo", "okafor", "AL")].join("\n"));
    assert_eq!(status, 200, "{again}");
    assert_eq!(statuses(&again), ["duplicate", "duplicate", "accepted"]);
    assert_eq!(again["lines"][0]["offset"], receipt["lines"][0]["offset"]);
    assert_eq!(
        (&again["accepted"], &again["duplicates"], &again["refused"]),
        (&json!(1), &json!(2), &json!(0))
    );
    let results = site.server.results_of(3);
    assert_eq!((results.totals.votes, results.totals.rejected_sum()), (2, 1));
    // After a restart nothing is remembered: the vote is stored again, and the count finds it.
    assert!(site.server.stop().success());
    let definition = crate::server::demo_definition();
    let arguments = ["--election", definition.to_str().unwrap()];
    site.server = Server::start(site.directory.path(), &free_address(), &arguments);
    site.server.wait_for("the results", |server| server.results().is_some());
    let (_, receipt) = post(&site.server, TOKEN, &first);
    assert_eq!(statuses(&receipt), ["accepted"]);
    let results = site.server.results_of(4);
    assert_eq!((results.totals.votes, results.totals.rejected_sum()), (2, 2));
}

#[test]
fn tokens_have_names_and_rates_and_the_log_says_who_sent_how_much_and_not_what() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens");
    std::fs::write(&file, format!("# counties\ncounty-7 {ABC} 1/s\n")).unwrap();
    let site = demo_definition_site(&["--ingest-tokens", file.to_str().unwrap()]);
    let votes: Vec<_> = (0..50_000).map(|voter| vote(&format!("secret-{voter}"), "okafor", "AL")).collect();
    let (status, receipt) = post(&site.server, "abc", &votes.join("\n"));
    assert_eq!((status, &receipt["accepted"]), (200, &json!(50_000)));
    // What was sent at once is waited for by the next, but for ten seconds' worth.
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent = ureq::Agent::from(config);
    let request = agent.post(site.server.url("/api/v1/votes")).header("authorization", "Bearer abc");
    let mut response = request.send(&votes[..1000].join("\n")).unwrap();
    assert_eq!(response.status(), 429);
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((49_000..=49_990).contains(&seconds), "{seconds}");
    let problem: Value = serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(problem["code"], "rate_limited");
    // The other token has no limit, and no other token is taken.
    assert_eq!(post(&site.server, TOKEN, &vote("di", "okafor", "AL")).0, 200);
    assert_eq!(post(&site.server, "abcd", &vote("di", "okafor", "AL")).0, 401);
    let log = site.server.log();
    let audit = |words: &[&str]| {
        log.lines()
            .filter(|line| line.contains("votes by HTTP"))
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    assert!(audit(&["token=\"county-7\"", "outcome=\"stored\"", "lines=50000", "accepted=50000"]), "{log}");
    assert!(audit(&["token=\"county-7\"", "outcome=\"rate_limited\""]), "{log}");
    assert!(audit(&["token=\"default\"", "accepted=1"]), "{log}");
    assert!(audit(&["token=\"unknown\"", "outcome=\"unauthorized\""]), "{log}");
    assert!(!log.contains("secret-") && !log.contains(TOKEN) && !log.contains("Bearer"));
    let (_, metrics) = site.server.get("/metrics").unwrap();
    assert!(!metrics.contains("secret-") && !metrics.contains(ABC));
}

#[test]
fn a_file_of_tokens_that_is_wrong_is_said_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens");
    std::fs::write(&file, "county-7 secret\n").unwrap();
    let data = directory.path().join("data");
    let (status, text) = run(&[
        "serve",
        "--listen",
        &free_address(),
        "--data-dir",
        data.to_str().unwrap(),
        "--ingest-tokens",
        file.to_str().unwrap(),
    ]);
    assert!(!status.success() && text.contains("line 1: the second word is not a SHA-256"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
