use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use tallyboard_shared::{
    election::Election,
    message::{ClientMessage, ServerMessage},
    reason::Reason,
    results::{CountStatus, Results},
    timeline::Timeline,
    versions::{PlaceHistory, Versions},
};

use super::{asyncapi, examples, openapi};
use crate::{
    http::{ingest, problem::Code},
    journal::Topics,
    roles::{
        disclosure::{disclose, disclose_timeline},
        publication::PublicationRecord,
    },
    tally::decode,
};

/// Compares a document with its copy, or writes the copy where that is asked for.
#[track_caller]
fn is_copied(text: &str, name: &str) {
    let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("TALLYBOARD_WRITE_DOCS").is_some() {
        std::fs::write(&copy, text).unwrap();
    }
    let is_same = std::fs::read_to_string(&copy).is_ok_and(|copied| copied == text);
    assert!(is_same, "docs/{name} isn't what the code says; TALLYBOARD_WRITE_DOCS=1 cargo test writes it");
}

#[test]
fn the_documents_in_docs_are_those_that_are_served() {
    is_copied(&openapi::text(), "openapi.json");
    is_copied(&asyncapi::text(), "asyncapi.yaml");
    for rust in ["`None`", "[`", "Cow"] {
        assert!(!(openapi::text() + &asyncapi::text()).contains(rust), "readers don't read Rust: {rust}");
    }
}

fn documents() -> [Value; 2] {
    let read: Value = serde_saphyr::from_str(&asyncapi::text()).unwrap();
    assert_eq!(read, asyncapi::document(), "YAML says what was meant");
    [serde_json::to_value(openapi::document()).unwrap(), read]
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_a_document_refers_to_is_in_it() {
    for document in documents() {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[test]
fn every_route_says_what_it_is_and_that_it_may_refuse() {
    let [document, _] = documents();
    assert_eq!(document["openapi"], "3.1.0");
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert!(tags.contains(&&operation["tags"][0]), "{method} {path}");
            assert!(ids.insert(operation["operationId"].to_string()), "{method} {path}");
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
        }
    }
}

#[test]
fn refusals_are_listed_by_status_with_their_codes_and_when_to_come_back() {
    let [document, _] = documents();
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                if response["content"]["application/problem+json"].is_null() {
                    continue;
                }
                let what = format!("{method} {path} {status}");
                let said = response["description"].as_str().unwrap();
                let codes: Vec<_> = Code::ALL
                    .iter()
                    .filter(|code| said.contains(&format!("- `{}`: ", code.as_str())))
                    .collect();
                assert!(!codes.is_empty(), "{what}");
                let fits = |code: &&Code| status == "default" || code.status().as_str() == status;
                assert!(codes.iter().all(fits), "{what} {codes:?}");
                let has = |header: &str| !response["headers"][header].is_null();
                assert_eq!(has("Retry-After"), ["429", "503"].contains(&status.as_str()), "{what}");
                assert_eq!(has("WWW-Authenticate"), status == "401", "{what}");
                listed.extend(codes.into_iter().map(|code| code.as_str()));
            }
        }
    }
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let unlisted: Vec<_> = all.difference(&listed).collect();
    assert_eq!(unlisted, [&"not_found"], "only what isn't a route isn't found");
}

#[test]
fn what_may_be_null_is_always_there_and_what_may_be_absent_is_never_null() {
    for document in documents() {
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            // What clients send.
            if name == "Vote" || name == "Address" {
                continue;
            }
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            for (field, described) in schema["properties"].as_object().into_iter().flatten() {
                let parts = described["oneOf"].as_array().into_iter().flatten();
                let is_null = |kind: &Value| kind == "null";
                let may_be_null = described["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null))
                    || parts.into_iter().any(|part| is_null(&part["type"]));
                let is_required = required.contains(&json!(field));
                assert!(!may_be_null || is_required, "{name}.{field}");
            }
        }
    }
    // The examples are what the types write.
    let results = written("results", "contests/0/candidates/1");
    assert!(results["party"].is_null() && results.get("party").is_some());
    assert!(results.get("color").is_none() && results.get("photo_url").is_none());
}

fn written(golden: &str, path: &str) -> Value {
    examples::golden(golden).pointer(&format!("/{path}")).unwrap().clone()
}

#[test]
fn examples_withhold_what_the_rules_withhold() {
    let (election, results) = (examples::election(), examples::results());
    assert!(results.breakdowns.iter().any(|group| group.candidates.is_none()));
    assert_eq!(*disclose(&election, results.clone()), results);
    let Ok(ServerMessage::Welcome(welcome)) = serde_json::from_value(examples::golden("welcome")) else {
        panic!("the golden file is a welcome")
    };
    let results = welcome.results.unwrap();
    assert_eq!(*disclose(&welcome.election, results.clone()), results);
    let timeline: Timeline = serde_json::from_value(examples::golden("timeline")).unwrap();
    let timeline = std::sync::Arc::new(timeline);
    assert_eq!(*disclose_timeline(&election, CountStatus::Counting, &timeline), timeline);
}

#[test]
fn what_producers_must_know_is_said() {
    let [openapi, asyncapi] = documents();
    let post = openapi["paths"]["/api/v1/votes"]["post"]["description"].as_str().unwrap();
    for kind in ingest::MEDIA_TYPES {
        assert!(post.contains(&format!("`{kind}`")), "{kind}");
    }
    let vote = &asyncapi["components"]["messages"]["vote"];
    let key = vote["bindings"]["kafka"]["key"]["description"].as_str().unwrap();
    for said in [post, key, vote["summary"].as_str().unwrap()] {
        assert!(said.contains("murmur2"), "{said}");
    }
    assert!(!vote["headers"]["properties"]["tallyboard-simulation"].is_null());
    let rejected = &asyncapi["components"]["messages"]["rejected_vote"]["headers"]["properties"]["reason"];
    for said in [&openapi["components"]["schemas"]["Reason"], rejected] {
        let said = said["description"].as_str().unwrap();
        assert!(Reason::ALL.iter().all(|reason| said.contains(&format!("- `{reason}`: "))), "{said}");
    }
}

#[test]
fn the_schema_of_a_vote_takes_what_the_count_takes() {
    let [document, _] = documents();
    let schema = json!({ "$ref": "#/components/schemas/Vote", "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let long = "v".repeat(257);
    for (field, value) in [
        ("voter_id", json!("v")),
        ("voter_id", json!("")),
        ("voter_id", json!(long)),
        ("voter_id", json!(7)),
        ("candidate_id", json!("")),
        ("voting_time", json!("")),
        ("location_id", json!("")),
        ("location_id", json!(null)),
        ("contest_id", json!("")),
        ("vote", json!(1.0)),
        ("vote", json!(2)),
        ("vote", json!("1")),
        ("gender", json!(7)),
        ("gender", json!(null)),
        ("registered_age", json!("44")),
        ("registered_age", json!(-1)),
    ] {
        let mut vote = examples::golden("vote");
        vote["address"] = json!({ "state": "Alder" });
        vote[field] = value;
        assert_eq!(validator.is_valid(&vote), decode(vote.to_string().as_bytes()).is_ok(), "{vote}");
    }
}

#[test]
fn a_channel_stands_on_a_server_that_speaks_its_protocol() {
    let [_, document] = documents();
    for (channel, protocol) in [("websocket", "ws"), ("events", "http"), ("votes_topic", "kafka")] {
        let server = document["channels"][channel]["servers"][0]["$ref"].as_str().unwrap();
        assert_eq!(document.pointer(&server[1..]).unwrap()["protocol"], protocol, "{channel}");
    }
}

#[test]
fn every_topic_and_every_message_is_described() {
    let [_, document] = documents();
    for spec in Topics::new("").specs(12) {
        assert_eq!(document["channels"][&spec.name]["address"], spec.name);
    }
    for (channel, messages) in [
        ("websocket", &["welcome", "update", "status", "goodbye", "resume", "ping"][..]),
        ("events", &["welcome", "update", "status", "goodbye"]),
    ] {
        let described: BTreeSet<_> = document["channels"][channel]["messages"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(described, messages.iter().copied().collect());
    }
}

/// Checks an example against its schema.
#[track_caller]
fn check_example(document: &Value, schema: &Value, example: &Value, what: &str) {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{what}");
    // A schema that takes everything says nothing.
    let nonsense = if example.is_string() { json!(1) } else { json!(["nonsense"]) };
    assert!(!validator.is_valid(&nonsense), "{what}");
}

#[test]
fn every_example_fits_its_schema_and_the_types() {
    let [_, document] = documents();
    let mut without = Vec::new();
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        let Some(examples) = message["examples"].as_array() else {
            without.push(name.as_str());
            continue;
        };
        for example in examples {
            let payload = &example["payload"];
            if name == "rejected_vote" {
                // Its payload is whatever was sent.
                check_example(&document, &message["headers"], &example["headers"], name);
            } else {
                check_example(&document, &message["payload"], payload, name);
            }
            match name.as_str() {
                "welcome" | "update" | "status" | "goodbye" => reads::<ServerMessage>(payload, name),
                "resume" | "ping" => reads::<ClientMessage>(payload, name),
                "publication" => reads::<PublicationRecord>(payload, name),
                _ => {}
            }
        }
    }
    assert_eq!(without, ["partition_tally"], "what is internal has none");
}

#[track_caller]
fn reads<T: serde::de::DeserializeOwned>(example: &Value, what: &str) {
    let read = serde_json::from_value::<T>(example.clone());
    assert!(read.is_ok(), "{what}: {:?}", read.err());
}

#[test]
fn every_body_has_an_example_that_fits_its_schema_and_the_types() {
    let [document, _] = documents();
    let mut bodies = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let request = operation.get("requestBody").map(|body| ("request", body));
            let responses = operation["responses"].as_object().unwrap().iter();
            for (status, body) in responses.map(|(status, body)| (status.as_str(), body)).chain(request) {
                for (kind, content) in body["content"].as_object().into_iter().flatten() {
                    let what = format!("{method} {path} {status} {kind}");
                    let example = &content["example"];
                    assert!(!example.is_null(), "{what}");
                    check_example(&document, &content["schema"], example, &what);
                    bodies += 1;
                    match (path.as_str(), status, kind.as_str()) {
                        ("/api/v1/results", "200", _) => reads::<Results>(example, &what),
                        ("/api/v1/election", "200", _) => reads::<Election>(example, &what),
                        ("/api/v1/timeline", "200", _) => reads::<Timeline>(example, &what),
                        ("/api/v1/versions", "200", _) => reads::<Versions>(example, &what),
                        ("/api/v1/locations/{id}/history", "200", _) => reads::<PlaceHistory>(example, &what),
                        ("/api/v1/votes", "request", "application/json") => {
                            assert!(decode(example.to_string().as_bytes()).is_ok(), "{what}");
                        }
                        ("/api/v1/votes", "request", _) => {
                            let lines = example.as_str().unwrap().lines();
                            assert!(lines.map(str::as_bytes).all(|line| decode(line).is_ok()), "{what}");
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    assert!(bodies > 30, "{bodies}");
}
