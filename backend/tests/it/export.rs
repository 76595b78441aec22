//! Results as files: from the server, and from the journal.

use serde_json::{Value, json};

use crate::{
    server::{TOKEN, run},
    support::{fresh_prefix, kafka_servers},
    web::{Site, demo_definition_site, post, vote},
};

fn cast(site: &mut Site, from: u64, votes: u64) -> u64 {
    let lines: Vec<_> = (from..from + votes)
        .map(|voter| vote(&format!("v{voter}"), "okafor", if voter % 2 == 0 { "AL" } else { "BR" }))
        .collect();
    assert_eq!(post(&site.server, TOKEN, &lines.join("\n")).0, 200);
    site.server.results_of(from + votes).version
}

#[test]
fn an_export_is_the_same_from_the_server_and_from_the_journal() {
    let prefix = fresh_prefix();
    let servers = kafka_servers();
    let mut site = demo_definition_site(&["--kafka", &servers, "--topic-prefix", &prefix]);
    let earlier = cast(&mut site, 0, 30);
    let newest = cast(&mut site, 30, 30);
    let url = site.server.url("");
    for (format, path) in
        [("csv", "/api/v1/results.csv"), ("json", "/api/v1/results"), ("nist", "/api/v1/results.nist.json")]
    {
        for version in [earlier, newest] {
            let number = version.to_string();
            let (status, body) = site.server.get(&format!("{path}?version={version}")).unwrap();
            assert_eq!(status, 200, "{body}");
            assert!(body.contains(&number) && body.contains("simulation"), "{body}");
            let asked = ["export", "--log", "off", "--format", format, "--version", &number];
            let (status, from_server) = run(&[&asked[..], &["--from", &url]].concat());
            assert!(status.success() && from_server == body, "{from_server}");
            let (status, from_journal) =
                run(&[&asked[..], &["--kafka", &servers, "--topic-prefix", &prefix]].concat());
            assert!(status.success() && from_journal == body, "{from_journal}\n{body}");
        }
    }
    let (status, text) = run(&["export", "--format", "csv", "--from", &url, "--version", "999999"]);
    assert!(!status.success() && text.contains("there is no version 999999"), "{text}");
}

#[test]
fn an_export_bears_version_time_and_mode_and_withholds_small_places() {
    let mut site = demo_definition_site(&[]);
    cast(&mut site, 0, 25);
    let (_, results) = site.server.get("/api/v1/results").unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let response = ureq::get(site.server.url("/api/v1/results.csv?locations=AL")).call().unwrap();
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8; header=present");
    let name = headers["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"marenne-2026-v") && name.ends_with(".csv\""), "{name}");
    let table = response.into_body().read_to_string().unwrap();
    let rows: Vec<_> = table.lines().skip(1).filter(|row| row.contains(",location,")).collect();
    assert_eq!(rows.len(), 1, "{table}");
    assert!(rows[0].contains(",simulation,") && rows[0].ends_with(",13"), "{rows:?}");
    assert!(rows[0].contains(results["as_of"].as_str().unwrap()));
    // Two voters of one place more: their split is withheld, here as everywhere.
    let few: Vec<_> = (0..2).map(|voter| vote(&format!("few{voter}"), "okafor", "CO")).collect();
    assert_eq!(post(&site.server, TOKEN, &few.join("\n")).0, 200);
    site.server.results_of(27);
    let (_, report) = site.server.get("/api/v1/results.nist.json").unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["IsTest"], &report["TestType"]), (&json!(true), &json!("simulation")));
    let contest = &report["Election"][0]["Contest"][0];
    let suppressed = contest["SummaryCounts"].as_array().unwrap();
    assert!(suppressed.iter().any(|summary| summary["IsSuppressedForPrivacy"] == true), "{contest}");
}

#[test]
fn the_embedded_journal_is_exported_with_the_server_stopped() {
    let mut site = demo_definition_site(&[]);
    cast(&mut site, 0, 20);
    let (_, body) = site.server.get("/api/v1/results").unwrap();
    let data = site.directory.path().to_str().unwrap();
    let file = site.directory.path().join("results.json");
    let asked = ["export", "--format", "json", "--data-dir", data, "--output", file.to_str().unwrap()];
    let (status, text) = run(&asked);
    assert!(!status.success() && text.contains("with the server stopped"), "{text}");
    assert!(site.server.stop().success());
    let (status, text) = run(&asked);
    assert!(status.success(), "{text}");
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let exported = read(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(exported["contests"], read(&body)["contests"]);
}
