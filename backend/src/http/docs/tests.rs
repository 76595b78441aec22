use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use tallyboard_shared::message::{ClientMessage, ServerMessage};

use super::{asyncapi, openapi};
use crate::journal::Topics;

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
    assert!(!(openapi::text() + &asyncapi::text()).contains("`None`"), "readers don't read Rust");
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

#[test]
fn every_example_fits_its_schema_and_the_types() {
    let [_, document] = documents();
    let mut examples = 0;
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        let schema = json!({ "allOf": [message["payload"]], "components": document["components"] });
        let validator = jsonschema::validator_for(&schema).unwrap();
        for example in message["examples"].as_array().into_iter().flatten() {
            let payload = &example["payload"];
            let errors: Vec<_> = validator.iter_errors(payload).map(|error| error.to_string()).collect();
            assert_eq!(errors, [""; 0], "{name}");
            examples += 1;
            match name.as_str() {
                "welcome" | "update" | "status" | "goodbye" => {
                    drop(serde_json::from_value::<ServerMessage>(payload.clone()).unwrap());
                }
                "resume" | "ping" => drop(serde_json::from_value::<ClientMessage>(payload.clone()).unwrap()),
                _ => {}
            }
            // A schema that takes everything says nothing.
            assert!(!validator.is_valid(&json!({ "type": "nonsense", "version": "one" })), "{name}");
        }
    }
    assert_eq!(examples, 9);
}
