//! What each route tells of the votes, and how to find therein whose votes by candidate it shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a route tells of the votes.
#[derive(Clone, Copy)]
pub(super) enum Tells {
    /// Nothing: whatever was counted it answers the same.
    Nothing,
    /// Sums of the whole election: it names no place and no group.
    Sums,
    /// Also how places, regions and groups voted, which this finds.
    Splits(fn(&str) -> Splits),
}

/// Whose votes by candidate are shown, with the version.
type Splits = BTreeSet<(u64, String)>;

/// Every route of the OpenAPI document.
pub(super) const ROUTES: [(&str, Tells); 19] = [
    ("/api", Tells::Nothing),
    ("/api/asyncapi.yaml", Tells::Nothing),
    ("/api/openapi.json", Tells::Nothing),
    ("/api/page.css", Tells::Nothing),
    ("/api/page.js", Tells::Nothing),
    ("/api/v1/election", Tells::Nothing),
    ("/api/v1/locations/{id}/history", Tells::Splits(in_history)),
    ("/api/v1/map", Tells::Nothing),
    ("/api/v1/results", Tells::Splits(in_results)),
    ("/api/v1/results.csv", Tells::Splits(in_table)),
    ("/api/v1/results.nist.json", Tells::Splits(in_report)),
    (super::STREAM, Tells::Splits(in_message)),
    ("/api/v1/timeline", Tells::Sums),
    ("/api/v1/versions", Tells::Sums),
    ("/api/v1/votes", Tells::Nothing),
    ("/livez", Tells::Nothing),
    ("/metrics", Tells::Sums),
    ("/readyz", Tells::Nothing),
    (super::SOCKET, Tells::Splits(in_message)),
];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn in_results(text: &str) -> Splits {
    of_results(&json(text))
}

/// In results, or in the step to others.
fn of_results(results: &Value) -> Splits {
    let of_places = |key: &'static str, kind: &'static str| {
        let places = list(&results[key]).filter(|place| shows_a_split(place));
        places.map(move |place| format!("{kind} {}", word(&place["id"])))
    };
    let groups = list(&results["breakdowns"]).filter(|group| !group["candidates"].is_null());
    let splits = of_places("locations", "place")
        .chain(of_places("regions", "region"))
        .chain(groups.map(|group| format!("group {}", word(&group["group"]))));
    splits.map(|split| (number(&results["version"]), split)).collect()
}

fn shows_a_split(place: &Value) -> bool {
    list(&place["contests"]).any(|contest| !contest["votes"].is_null())
}

fn in_message(text: &str) -> Splits {
    let message = json(text);
    match word(&message["type"]) {
        "welcome" => of_results(&message["results"]),
        "update" => of_results(&message),
        "status" => Splits::new(),
        other => panic!("{other} isn't expected"),
    }
}

fn in_table(text: &str) -> Splits {
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let rows = table.deserialize().map(|row| row.unwrap());
    let splits = rows.filter_map(|row: BTreeMap<String, String>| {
        let kind = match &*row["level"] {
            "location" => "place",
            "region" => "region",
            "election" => return None,
            other => panic!("{other} isn't expected"),
        };
        let cells = ["candidate_id", "candidate", "party", "votes"];
        let is_told = cells.iter().any(|cell| !row[*cell].is_empty());
        is_told.then(|| (row["version"].parse().unwrap(), format!("{kind} {}", row["location_id"])))
    });
    splits.collect()
}

fn in_report(text: &str) -> Splits {
    let report = json(text);
    let version = &report["ExternalIdentifier"][0];
    assert_eq!(version["OtherType"], "tallyboard-results-version");
    let version = word(&version["Value"]).parse().unwrap();
    let names = list(&report["GpUnit"]).map(|unit| {
        let name = match word(&unit["OtherType"]) {
            "election" => None,
            kind => Some(format!("{kind} {}", word(&unit["ExternalIdentifier"][0]["Value"]))),
        };
        (word(&unit["@id"]), name)
    });
    let names: BTreeMap<_, _> = names.collect();
    let contests = list(&report["Election"]).flat_map(|election| list(&election["Contest"]));
    let selections = contests.flat_map(|contest| list(&contest["BallotSelection"]));
    let counts = selections.flat_map(|selection| list(&selection["VoteCounts"]));
    let units = counts.filter_map(|count| names[word(&count["GpUnitId"])].clone());
    units.map(|unit| (version, unit)).collect()
}

fn in_history(text: &str) -> Splits {
    let history = json(text);
    let place = word(&history["location"]);
    let kind = if place == "north" { "region" } else { "place" };
    let points = list(&history["points"]).filter(|point| shows_a_split(point));
    points.map(|point| (number(&point["version"]), format!("{kind} {place}"))).collect()
}
