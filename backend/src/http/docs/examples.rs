//! The examples of the documents: the golden files of the wire, and what the code writes of them.

use serde_json::{Value, json};
use tallyboard_shared::{
    election::Election,
    results::Results,
    versions::{PlaceHistory, PlacePoint, VersionPoint, Versions},
};

use super::refusals;
use crate::{export::Format, http::ingest::Receipt, roles::disclosure::disclose};

/// The example of a body of OpenAPI: what the route answers with this status, or takes where there is none.
pub(super) fn of(path: &str, status: Option<&str>, kind: &str) -> Value {
    if kind == "application/problem+json" {
        return written(&refusals::example(path, status).body());
    }
    match (path, status, kind) {
        ("/api/v1/results", ..) => golden("results"),
        ("/api/v1/results.csv", ..) => export(Format::Csv).into(),
        ("/api/v1/results.nist.json", ..) => {
            serde_json::from_str(&export(Format::Nist)).expect("a report is JSON")
        }
        ("/api/v1/versions", ..) => written(&versions()),
        ("/api/v1/timeline", ..) => golden("timeline"),
        ("/api/v1/locations/{id}/history", ..) => written(&history()),
        ("/api/v1/map", ..) => map(),
        ("/api/v1/election", ..) => written(&election()),
        ("/api/v1/stream", ..) => events().into(),
        ("/api/v1/votes", None, "application/json") => golden("vote"),
        ("/api/v1/votes", None, _) => format!("{0}\n{0}\n", golden("vote")).into(),
        ("/api/v1/votes", ..) => written(&Receipt::example()),
        ("/api", ..) => first_line(include_str!("page.html")),
        ("/api/page.js", ..) => first_line(include_str!("page.js")),
        ("/api/page.css", ..) => first_line(include_str!("page.css")),
        ("/api/openapi.json", ..) => {
            let info = json!({ "title": "Tallyboard", "version": env!("CARGO_PKG_VERSION") });
            json!({ "openapi": "3.1.0", "info": info, "paths": {} })
        }
        ("/api/asyncapi.yaml", ..) => "asyncapi: 3.0.0\n".into(),
        ("/livez", ..) => "alive\n".into(),
        ("/readyz", Some("503"), _) => "nothing published yet\n".into(),
        ("/readyz", ..) => "ready\n".into(),
        ("/metrics", ..) => "# TYPE tallyboard_votes_counted gauge\ntallyboard_votes_counted 40\n".into(),
        _ => unreachable!("every body has an example, {path} {status:?} {kind} too"),
    }
}

fn versions() -> Versions {
    let results = results();
    let newest = VersionPoint { version: results.version, as_of: results.as_of, votes: results.totals.votes };
    let an_hour = jiff::SignedDuration::from_hours(1);
    let first = VersionPoint { version: 1, as_of: newest.as_of - an_hour, votes: 0 };
    Versions { newest: newest.version, versions: vec![first, newest] }
}

fn history() -> PlaceHistory {
    let results = results();
    let place = results.locations[0].clone();
    let newest = PlacePoint {
        version: results.version,
        as_of: results.as_of,
        votes: place.votes,
        turnout: place.turnout,
        contests: place.contests,
    };
    let first = PlacePoint {
        version: 1,
        as_of: newest.as_of - jiff::SignedDuration::from_hours(1),
        votes: 0,
        turnout: place.registered_voters.map(|_| 0.0),
        contests: Vec::new(),
    };
    PlaceHistory { location: place.id, points: vec![first, newest] }
}

fn map() -> Value {
    let square = json!([[[-31.0, 37.0], [-30.0, 37.0], [-30.0, 38.0], [-31.0, 38.0], [-31.0, 37.0]]]);
    let geometry = json!({ "type": "Polygon", "coordinates": square });
    let feature =
        json!({ "type": "Feature", "id": "AL", "properties": { "name": "Alder" }, "geometry": geometry });
    json!({ "type": "FeatureCollection", "features": [feature] })
}

/// The election whose results the others are.
pub(super) fn election() -> Election {
    let election = golden("welcome")["election"].take();
    serde_json::from_value(election).expect("golden files are checked by tests")
}

pub(super) fn results() -> Results {
    serde_json::from_value(golden("results")).expect("golden files are checked by tests")
}

fn export(format: Format) -> String {
    let election = election();
    let results = disclose(&election, results());
    String::from_utf8(format.write(&election, &results, None)).expect("exports are UTF-8")
}

fn events() -> String {
    let (update, status) = (golden("update"), golden("status"));
    let (version, as_of) = (&update["version"], update["as_of"].as_str().unwrap_or_default());
    format!("data: {status}\n\ndata: {update}\nid: {version}@{as_of}\n\n")
}

fn first_line(file: &str) -> Value {
    file.split_inclusive('\n').next().unwrap_or_default().into()
}

fn written(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("examples have only text keys")
}

/// The message in a golden file, behind the head that its tool writes.
pub(super) fn golden(name: &str) -> Value {
    let file = file(name);
    let body = file.strip_prefix("---\n").and_then(|rest| Some(rest.split_once("\n---\n")?.1));
    serde_json::from_str(body.unwrap_or(file)).expect("golden files are checked by tests")
}

fn file(name: &str) -> &'static str {
    match name {
        "vote" => include_str!("../../../../shared/tests/snapshots/wire_format__vote.snap"),
        "results" => include_str!("../../../../shared/tests/snapshots/wire_format__results.snap"),
        "timeline" => include_str!("../../../../shared/tests/snapshots/wire_format__timeline.snap"),
        "welcome" => include_str!("../../../../shared/tests/snapshots/wire_format__welcome.snap"),
        "update" => include_str!("../../../../shared/tests/snapshots/wire_format__update.snap"),
        "status" => include_str!("../../../../shared/tests/snapshots/wire_format__status.snap"),
        "goodbye" => include_str!("../../../../shared/tests/snapshots/wire_format__goodbye.snap"),
        "resume" => include_str!("../../../../shared/tests/snapshots/wire_format__resume.snap"),
        "ping" => include_str!("../../../../shared/tests/snapshots/wire_format__ping.snap"),
        other => unreachable!("a message has a golden file, {other} too"),
    }
}
