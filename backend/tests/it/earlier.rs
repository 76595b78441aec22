//! Earlier versions and parts of a version, as the program answers them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tallyboard_shared::{Timestamp, results::Results, versions::Versions};

use crate::{
    server::Server,
    support::{fresh_prefix, kafka_servers},
    web::{Site, demo_definition_site, post, site, vote},
};

/// Status, headers of interest and body.
struct Answer {
    status: u16,
    etag: String,
    caching: String,
    body: Value,
}

fn get(server: &Server, path: &str, if_none_match: Option<&str>) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut request = ureq::Agent::from(config).get(server.url(path));
    if let Some(tag) = if_none_match {
        request = request.header("if-none-match", tag);
    }
    let mut response = request.call().unwrap();
    let text = |name: &str| {
        response.headers().get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    let (etag, caching) = (text("etag"), text("cache-control"));
    let body = response.body_mut().read_to_string().unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
    Answer { status: response.status().as_u16(), etag, caching, body }
}

#[track_caller]
fn refused(server: &Server, path: &str, status: u16, code: &str) {
    let answer = get(server, path, None);
    assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{path}: {}", answer.body);
}

/// Casts votes one after the other and keeps what was shown of each version.
fn cast_and_watch(site: &mut Site, votes: u64) -> BTreeMap<u64, Value> {
    let mut seen = BTreeMap::new();
    for voter in 1..=votes {
        let place = if voter % 3 == 0 { "BR" } else { "AL" };
        assert_eq!(
            post(&site.server, crate::server::TOKEN, &vote(&format!("v{voter}"), "okafor", place)).0,
            200
        );
        site.server.results_of(voter);
        let shown = get(&site.server, "/api/v1/results", None).body;
        seen.insert(shown["version"].as_u64().unwrap(), shown);
    }
    seen
}

fn earlier_versions_are_as_they_were_shown(mut site: Site) {
    let seen = cast_and_watch(&mut site, 15);
    let newest = *seen.keys().last().unwrap();
    for (version, shown) in &seen {
        let path = format!("/api/v1/results?version={version}");
        let answer = get(&site.server, &path, None);
        assert_eq!((answer.status, &answer.body), (200, shown));
        if *version < newest {
            assert_eq!(answer.caching, "public, max-age=31536000, immutable");
            assert_eq!(get(&site.server, &path, Some(&answer.etag)).status, 304);
        }
    }
    let first = get(&site.server, "/api/v1/results?version=1", None);
    assert_eq!((first.status, &first.body["totals"]["votes"]), (200, &json!(0)));
    for version in [0, newest + 1000, u64::MAX] {
        refused(&site.server, &format!("/api/v1/results?version={version}"), 404, "version_not_found");
    }
    let versions: Versions =
        serde_json::from_value(get(&site.server, "/api/v1/versions", None).body).unwrap();
    let numbers: Vec<_> = versions.versions.iter().map(|point| point.version).collect();
    assert!(numbers.is_sorted() && numbers[0] == 1 && versions.newest >= newest, "{numbers:?}");
    assert_eq!(numbers.last(), Some(&versions.newest));
    for point in &versions.versions {
        let answer = get(&site.server, &format!("/api/v1/results?version={}", point.version), None).body;
        let results: Results = serde_json::from_value(answer).unwrap();
        assert_eq!((results.as_of, results.totals.votes), (point.as_of, point.votes));
    }
}

#[test]
fn earlier_versions_are_as_they_were_shown_on_the_embedded_journal() {
    earlier_versions_are_as_they_were_shown(demo_definition_site(&[]));
}

#[test]
fn earlier_versions_are_as_they_were_shown_on_kafka() {
    let (servers, prefix) = (kafka_servers(), fresh_prefix());
    let kafka = ["--kafka", &servers, "--topic-prefix", &prefix];
    earlier_versions_are_as_they_were_shown(demo_definition_site(&kafka));
}

#[test]
fn a_part_of_a_version_has_a_tag_of_its_own() {
    let mut site = demo_definition_site(&[]);
    let seen = cast_and_watch(&mut site, 12);
    let (version, whole) = seen.iter().next_back().unwrap();
    for base in ["/api/v1/results?".to_owned(), format!("/api/v1/results?version={}&", version - 1)] {
        let part = get(&site.server, &format!("{base}locations=AL,Brant"), None);
        let names: Vec<_> =
            part.body["locations"].as_array().unwrap().iter().map(|place| &place["id"]).collect();
        assert_eq!(names, ["AL", "BR"]);
        assert_eq!(part.body["contests"].as_array().unwrap().len(), 1);
        let again = get(&site.server, &format!("{base}locations=AL,Brant"), Some(&part.etag));
        assert_eq!(again.status, 304);
        let other = get(&site.server, &format!("{base}locations=AL"), Some(&part.etag));
        assert_eq!(other.status, 200);
        let contest = whole["contests"][0]["id"].as_str().unwrap();
        assert_eq!(get(&site.server, &format!("{base}contest={contest}"), None).status, 200);
        refused(&site.server, &format!("{base}locations=Atlantis"), 404, "unknown_location");
        refused(&site.server, &format!("{base}contest=mayor"), 404, "unknown_contest");
        refused(&site.server, &format!("{base}locations=,"), 400, "bad_query");
    }
    let contest = whole["contests"][0]["id"].as_str().unwrap();
    let timeline = get(&site.server, &format!("/api/v1/timeline?contest={contest}"), None);
    assert_eq!((timeline.status, timeline.body["windows"].as_array().unwrap().is_empty()), (200, false));
    refused(&site.server, "/api/v1/timeline?contest=mayor", 404, "unknown_contest");
    refused(&site.server, "/api/v1/results?version=1&version=2", 400, "bad_query");
}

#[test]
fn what_an_embargo_held_back_is_shown_after_the_close_in_sums_only() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("election.toml");
    // Long enough to vote and to look, short enough to wait for.
    let closes_at = Timestamp::now() + std::time::Duration::from_secs(10);
    let definition = format!(
        "id = \"e\"\ntitle = \"E\"\nmode = \"test\"\nembargo = \"until_close\"\ncloses_at = \"{closes_at}\"
        contests = [{{ id = \"k\", title = \"K\", candidates = [{{ id = \"okafor\", name = \"O\" }}] }}]
        locations = [{{ id = \"AL\", name = \"Alder\", registered_voters = 100 }}]"
    );
    std::fs::write(&file, definition).unwrap();
    let mut site = site(&["--election", file.to_str().unwrap()]);
    site.server.wait_for("results", |server| server.results().is_some());
    let votes: Vec<_> = (0..20).map(|voter| vote(&format!("v{voter}"), "okafor", "AL")).collect();
    assert_eq!(post(&site.server, crate::server::TOKEN, &votes.join("\n")).0, 200);
    let version = site.server.results_of(20).version;
    let one_more = vote("late", "okafor", "AL");
    assert_eq!(post(&site.server, crate::server::TOKEN, &one_more).0, 200);
    site.server.results_of(21);

    let path = format!("/api/v1/results?version={version}");
    let figures = |body: &Value| {
        let votes = &body["contests"][0]["candidates"][0]["votes"];
        (votes.clone(), body["locations"][0]["contests"][0]["votes"].clone())
    };
    let before = get(&site.server, &path, None);
    assert_eq!((before.status, before.caching.as_str()), (200, "public, max-age=1"));
    assert_eq!(figures(&before.body), (Value::Null, Value::Null));
    assert_eq!(before.body["totals"]["votes"], 20);

    site.server
        .wait_for("the close", |server| get(server, "/api/v1/results", None).body["status"] == "closed");
    let after = get(&site.server, &path, Some(&before.etag));
    assert_eq!((after.status, after.caching.as_str()), (200, "public, max-age=31536000, immutable"));
    assert_eq!(figures(&after.body), (json!(20), Value::Null));
    let newest = get(&site.server, "/api/v1/results", None);
    assert_eq!(figures(&newest.body), (json!(21), json!({"okafor": 21})));
}
