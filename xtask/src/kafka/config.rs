//! The broker's settings: a single `KRaft` node, quick to start, that creates only the topics it is asked for.
//!
//! One list of settings serves both forms, the properties file of the jars and the environment of the container.

use std::path::Path;

/// Any 16 bytes in base64url; these read `tallyboard-tests`.
pub(super) const CLUSTER_ID: &str = "dGFsbHlib2FyZC10ZXN0cw";
const CONTAINER_CONTROLLER_PORT: u16 = 9093;

/// A setting's name and value, as in `server.properties`.
pub(super) type Setting = (&'static str, String);

/// The settings of a broker that runs on this machine.
pub(super) fn local(port: u16, controller_port: u16, data_dir: &Path) -> Vec<Setting> {
    let mut settings = common("127.0.0.1", port, controller_port);
    settings.push(("log.dirs", data_dir.display().to_string()));
    settings
}

/// The settings of a broker in a container that publishes `port` under the same number.
pub(super) fn container(port: u16) -> Vec<Setting> {
    // The image keeps its data where its own default says.
    common("0.0.0.0", port, CONTAINER_CONTROLLER_PORT)
}

fn common(bind: &str, port: u16, controller_port: u16) -> Vec<Setting> {
    let mut settings = vec![
        ("node.id", "1".to_owned()),
        ("process.roles", "broker,controller".to_owned()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller_port}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("listeners", format!("PLAINTEXT://{bind}:{port},CONTROLLER://127.0.0.1:{controller_port}")),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        // A first consumer group would wait three seconds for more members.
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        // A misspelled topic must be an error.
        ("auto.create.topics.enable", "false".to_owned()),
        ("num.partitions", "1".to_owned()),
    ];
    // There is one broker to replicate to.
    let single = [
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
        "share.coordinator.state.topic.replication.factor",
        "share.coordinator.state.topic.min.isr",
    ];
    settings.extend(single.map(|name| (name, "1".to_owned())));
    settings
}

/// The text of `server.properties`.
pub(super) fn properties_text(settings: &[Setting]) -> String {
    // A backslash starts an escape in a properties file.
    settings.iter().map(|(name, value)| format!("{name}={}\n", value.replace('\\', "\\\\"))).collect()
}

/// The environment variables that the container image turns into the same settings.
pub(super) fn environment(settings: &[Setting]) -> impl Iterator<Item = String> {
    settings.iter().map(|(name, value)| format!("KAFKA_{}={value}", name.to_uppercase().replace('.', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_one_to_a_line() {
        let text = properties_text(&local(19092, 19093, Path::new("/tmp/kafka data")));
        let has = |line: &str| {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        };
        has("listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093");
        has("controller.quorum.voters=1@127.0.0.1:19093");
        has("transaction.state.log.min.isr=1");
        has("auto.create.topics.enable=false");
        has("log.dirs=/tmp/kafka data");
    }

    #[test]
    fn the_container_gets_the_same_settings_as_variables() {
        let variables: Vec<_> = environment(&container(19092)).collect();
        let has = |variable: &str| assert!(variables.iter().any(|other| other == variable), "{variables:?}");
        has("KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:19092");
        has("KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:19092,CONTROLLER://127.0.0.1:9093");
        has("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1");
    }

    #[test]
    fn the_cluster_id_is_16_bytes() {
        // Unpadded base64 of 16 bytes.
        assert_eq!(CLUSTER_ID.len(), 22);
    }
}
