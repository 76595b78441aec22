//! `docker-compose.yml`, read by a parser: what a user starts has pinned images, health checks and volumes.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::kafka;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn compose() -> Value {
    let text = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("docker-compose.yml has no {pointer}"))
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn images_are_pinned_to_exact_versions() {
    let compose = compose();
    for (name, service) in at(&compose, "/services").as_object().unwrap() {
        let Some(image) = service.get("image") else {
            assert!(service.get("build").is_some(), "{name} has neither image nor build");
            continue;
        };
        let (_, tag) = image.as_str().unwrap().split_once(':').expect("an image has a tag");
        let numbers: Vec<_> = tag.split('.').collect();
        let exact = numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok());
        assert!(exact, "{name}: {tag} is no exact version");
    }
}

#[test]
fn kafka_is_the_tested_version_with_health_check_and_volume() {
    let compose = compose();
    assert_eq!(at(&compose, "/services/kafka/image"), &format!("apache/kafka:{}", kafka::VERSION));
    assert!(at(&compose, "/services/kafka/healthcheck/test").is_array());
    let volumes = strings(at(&compose, "/services/kafka/volumes"));
    let (volume, path) = volumes[0].split_once(':').unwrap();
    assert!(at(&compose, "/volumes").get(volume).is_some(), "{volume} is not declared");
    assert_eq!(at(&compose, "/services/kafka/environment/KAFKA_LOG_DIRS"), path);
}

#[test]
fn kafka_is_reached_from_containers_and_from_the_host() {
    let compose = compose();
    let environment = at(&compose, "/services/kafka/environment");
    let advertised = environment["KAFKA_ADVERTISED_LISTENERS"].as_str().unwrap();
    let listeners = environment["KAFKA_LISTENERS"].as_str().unwrap();
    let protocols = environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].as_str().unwrap();
    for listener in advertised.split(',') {
        let (name, address) = listener.split_once("://").unwrap();
        let port = address.rsplit(':').next().unwrap();
        assert!(listeners.contains(&format!("{name}://:{port}")), "{name} is not listened on");
        assert!(protocols.contains(&format!("{name}:PLAINTEXT")), "{name} has no protocol");
    }
    let inside = at(&compose, "/services/tallyboard/environment/TALLYBOARD_KAFKA").as_str().unwrap();
    assert!(advertised.contains(&format!("PLAINTEXT://{inside}")), "{inside} is not advertised");
    let published = strings(at(&compose, "/services/kafka/ports"))[0];
    let host_port = published.rsplit(':').next().unwrap();
    assert!(advertised.contains(&format!("HOST://localhost:{host_port}")), "{published} is not advertised");
}

#[test]
fn tallyboard_is_built_here_waits_for_kafka_and_listens() {
    let compose = compose();
    let service = at(&compose, "/services/tallyboard");
    assert_eq!(at(service, "/depends_on/kafka/condition"), "service_healthy");
    let dockerfile = at(service, "/build/dockerfile").as_str().unwrap();
    assert!(root().join(at(service, "/build/context").as_str().unwrap()).join(dockerfile).is_file());
    assert_eq!(at(service, "/environment/TALLYBOARD_LISTEN"), "0.0.0.0:8080");
    assert!(strings(at(service, "/ports")).iter().any(|port| port.ends_with(":8080")));
    let data_dir = at(service, "/environment/TALLYBOARD_DATA_DIR").as_str().unwrap();
    let volumes = strings(at(service, "/volumes"));
    assert!(
        volumes.iter().any(|volume| volume.ends_with(&format!(":{data_dir}"))),
        "{data_dir} is no volume"
    );
}
