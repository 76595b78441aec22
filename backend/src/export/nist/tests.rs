use std::collections::BTreeSet;

use super::*;
use crate::{election, export::samples::sample};

/// The rules of the published schema for the classes that a report uses.
const SCHEMA: &str = include_str!("../../../tests/data/nist-1500-100-v2.schema.json");

fn report(as_of: &str) -> Value {
    let (election, results) = sample(as_of);
    serde_json::from_slice(&write(&election, &results, &results)).unwrap()
}

#[track_caller]
fn check(report: &Value) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, [""; 0], "{report:#}");
    // What a schema can't say: ids are unique, and what is named by one is there and of the class that is wanted.
    let mut known = BTreeMap::<String, String>::new();
    let mut named = Vec::new();
    walk(report, &mut |object| {
        if let Some(id) = object.get("@id") {
            let class = object["@type"].as_str().unwrap().to_owned();
            assert_eq!(known.insert(id.as_str().unwrap().to_owned(), class), None, "{id} is there twice");
        }
        for (field, class) in REFERENCES {
            let ids = object.get(field).cloned().unwrap_or_default();
            let ids = if ids.is_string() { vec![ids] } else { ids.as_array().cloned().unwrap_or_default() };
            named.extend(ids.into_iter().map(|id| (id.as_str().unwrap().to_owned(), class)));
        }
    });
    assert!(!named.is_empty());
    for (id, class) in named {
        assert_eq!(known.get(&id).map(String::as_str), Some(class), "{id}");
    }
}

/// Fields that name another object, and its class.
const REFERENCES: [(&str, &str); 6] = [
    ("ElectionScopeId", "ElectionResults.ReportingUnit"),
    ("ElectoralDistrictId", "ElectionResults.ReportingUnit"),
    ("ComposingGpUnitIds", "ElectionResults.ReportingUnit"),
    ("GpUnitId", "ElectionResults.ReportingUnit"),
    ("CandidateIds", "ElectionResults.Candidate"),
    ("PartyId", "ElectionResults.Party"),
];

fn walk(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|value| walk(value, visit));
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_report_keeps_the_rules_of_the_published_schema() {
    for as_of in ["2024-11-05T06:00:00Z", "2024-11-05T12:00:00.123Z", "2024-11-06T12:00:00Z"] {
        check(&report(as_of));
    }
    let demo = election::demo();
    for election in [election::undefined(), demo] {
        let results =
            crate::tally::merge(&election, std::iter::empty(), 1, tallyboard_shared::Timestamp::UNIX_EPOCH);
        check(&serde_json::from_slice(&write(&election, &results, &results)).unwrap());
    }
}

#[test]
fn the_rules_refuse_what_the_published_schema_refuses() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let sound = report("2024-11-05T12:00:00Z");
    assert!(validator.is_valid(&sound));
    let breaks: [(&str, Value); 7] = [
        ("/Status", json!("final")),
        ("/GeneratedDate", json!("yesterday")),
        ("/SequenceStart", json!("1")),
        ("/Election/0/StartDate", json!("2024-11-05T07:00:00Z")),
        ("/Election/0/Contest/0/VotesAllowed", Value::Null),
        ("/Election/0/Contest/0/BallotSelection/0/CandidateIds", json!([])),
        ("/GpUnit/0/Type", json!("planet")),
    ];
    for (place, wrong) in breaks {
        let mut broken = sound.clone();
        *broken.pointer_mut(place).unwrap() = wrong;
        assert!(!validator.is_valid(&broken), "{place}");
    }
    let mut unknown = sound;
    unknown["Votes"] = json!(1);
    assert!(!validator.is_valid(&unknown));
}

#[test]
fn a_report_has_the_figures_of_the_results_and_says_what_is_withheld() {
    let report = report("2024-11-05T12:00:00Z");
    assert_eq!(
        (&report["Status"], &report["IsTest"], &report["TestType"]),
        (&json!("unofficial-partial"), &json!(true), &json!("test"))
    );
    assert_eq!(report["ExternalIdentifier"][0]["Value"], "7");
    let names: BTreeMap<_, _> = report["GpUnit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| (unit["@id"].as_str().unwrap(), unit["Name"].as_str().unwrap()))
        .collect();
    let council = &report["Election"][0]["Contest"][0];
    let counts = |selection: usize| {
        let counts = council["BallotSelection"][selection]["VoteCounts"].as_array().unwrap();
        counts
            .iter()
            .map(|count| (names[count["GpUnitId"].as_str().unwrap()], count["Count"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    // The election and a region have the same name.
    assert_eq!(counts(0), [("Harbor", 34), ("North Quay", 30)]);
    assert_eq!(counts(1), [("Harbor", 12), ("North Quay", 12)]);
    let suppressed: BTreeSet<_> = council["SummaryCounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|summary| summary["IsSuppressedForPrivacy"] == true)
        .map(|summary| summary["GpUnitId"].as_str().unwrap())
        .collect();
    assert_eq!(suppressed, BTreeSet::from(["gpunit-place-2", "gpunit-region-0"]));
    assert_eq!(report["GpUnit"][0]["ComposingGpUnitIds"], json!(["gpunit-region-0"]));
    assert_eq!(
        report["GpUnit"][1]["ComposingGpUnitIds"],
        json!(["gpunit-place-0", "gpunit-place-1", "gpunit-place-2"])
    );
    assert_eq!(report["GpUnit"][3]["VotersRegistered"], 100);
}

#[test]
fn a_part_is_reported_with_the_sums_of_the_whole_and_under_the_same_ids() {
    let (election, whole) = sample("2024-11-05T12:00:00Z");
    let part = |places: &[&str]| {
        let is_chosen = |place: &LocationResult| places.contains(&place.id.as_str());
        let mut part = Results::clone(&whole);
        part.locations.retain(is_chosen);
        part.regions.retain(is_chosen);
        let report: Value = serde_json::from_slice(&write(&election, &whole, &part)).unwrap();
        check(&report);
        report["GpUnit"].as_array().unwrap().clone()
    };
    let all = part(&["all", "N", "S"]);
    assert_eq!(all[0]["VotersParticipated"], 46);
    let mut election_alone = all[0].clone();
    election_alone.as_object_mut().unwrap().remove("ComposingGpUnitIds");
    assert_eq!(part(&["N"]), [election_alone, all[3].clone()]);
    let mut region = all[1].clone();
    region.as_object_mut().unwrap().remove("ComposingGpUnitIds");
    assert_eq!(part(&["all", "S"]), [all[0].clone(), region, all[2].clone(), all[4].clone()]);
}
