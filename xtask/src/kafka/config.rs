//! The broker's settings: a single `KRaft` node, quick to start, that creates only the topics it is asked for.
//!
//! One list of settings serves both forms, the properties file of the jars and the environment of the container.

use std::path::Path;

/// Any 16 bytes in base64url; these read `tallyboard-tests`.
pub(super) const CLUSTER_ID: &str = "dGFsbHlib2FyZC10ZXN0cw";
const CONTAINER_CONTROLLER_PORT: u16 = 9093;

/// The certificate of the listener with TLS, and its key: they are made for tests and protect nothing.
const CERTIFICATE: &str = include_str!("../../../backend/tests/it/certificates/localhost.pem");
const KEY: &str = include_str!("../../../backend/tests/it/certificates/localhost.key.pem");
/// Who may use that listener.
pub(super) const USER: (&str, &str) = ("tallyboard", "only-for-tests");

/// A setting's name and value, as in `server.properties`.
pub(super) type Setting = (&'static str, String);

/// Where a broker of a cluster listens.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) clients: u16,
    pub(super) controller: u16,
}

/// The settings of the broker with this number, counted from 0, in a cluster on this machine.
///
/// Every topic has a copy on each broker, and an acknowledged record is on at least two.
pub(super) fn member(number: usize, cluster: &[Ports], data_dir: &Path) -> Vec<Setting> {
    let ports = cluster[number];
    let copies = cluster.len().to_string();
    let voters = cluster.iter().zip(1..).map(|(ports, id)| format!("{id}@127.0.0.1:{}", ports.controller));
    let voters = voters.collect::<Vec<_>>().join(",");
    let mut settings = local(ports.clients, ports.controller, data_dir);
    let mut set = |name: &'static str, value: String| {
        settings.retain(|(other, _)| *other != name);
        settings.push((name, value));
    };
    set("node.id", (number + 1).to_string());
    set("controller.quorum.voters", voters);
    set("default.replication.factor", copies.clone());
    set("min.insync.replicas", "2".to_owned());
    for topic in INTERNAL_TOPICS {
        set(topic.copies, copies.clone());
    }
    for in_sync in INTERNAL_TOPICS.iter().filter_map(|topic| topic.in_sync) {
        set(in_sync, "2".to_owned());
    }
    // A broker that is cut off is noticed within seconds, so that a test of it doesn't take minutes.
    set("broker.session.timeout.ms", "6000".to_owned());
    set("replica.lag.time.max.ms", "5000".to_owned());
    settings
}

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

/// The settings with one more listener, which speaks TLS and wants a password: `SASL_SSL` with PLAIN.
pub(super) fn with_secure_listener(mut settings: Vec<Setting>, port: u16) -> Vec<Setting> {
    for (name, value) in &mut settings {
        // On the addresses of the plain one.
        let address = |host: &str| format!(",SECURE://{host}:{port}");
        match *name {
            "listeners" if value.starts_with("PLAINTEXT://0.0.0.0") => *value += &address("0.0.0.0"),
            "listeners" | "advertised.listeners" => *value += &address("127.0.0.1"),
            "listener.security.protocol.map" => *value += ",SECURE:SASL_SSL",
            _ => {}
        }
    }
    let (user, password) = USER;
    let login = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";"
    );
    settings.extend([
        ("listener.name.secure.ssl.keystore.type", "PEM".to_owned()),
        ("listener.name.secure.ssl.keystore.key", one_line(KEY)),
        ("listener.name.secure.ssl.keystore.certificate.chain", one_line(CERTIFICATE)),
        ("listener.name.secure.sasl.enabled.mechanisms", "PLAIN".to_owned()),
        ("listener.name.secure.plain.sasl.jaas.config", login),
    ]);
    settings
}

/// PEM without ends of lines, which neither a properties file nor a variable carries well.
fn one_line(pem: &str) -> String {
    pem.lines()
        .map(|line| if line.starts_with("-----BEGIN") { format!("{line} ") } else { line.to_owned() })
        .collect()
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
    for topic in INTERNAL_TOPICS {
        settings.extend(
            [Some(topic.copies), topic.in_sync].into_iter().flatten().map(|name| (name, "1".to_owned())),
        );
    }
    settings
}

/// Settings of a topic that Kafka keeps for itself.
struct InternalTopic {
    copies: &'static str,
    in_sync: Option<&'static str>,
}

const INTERNAL_TOPICS: [InternalTopic; 3] = [
    InternalTopic { copies: "offsets.topic.replication.factor", in_sync: None },
    InternalTopic {
        copies: "transaction.state.log.replication.factor",
        in_sync: Some("transaction.state.log.min.isr"),
    },
    InternalTopic {
        copies: "share.coordinator.state.topic.replication.factor",
        in_sync: Some("share.coordinator.state.topic.min.isr"),
    },
];

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
    fn a_member_of_a_cluster_has_copies_of_everything() {
        let ports = |clients| Ports { clients, controller: clients + 1 };
        let text =
            properties_text(&member(1, &[ports(1000), ports(2000), ports(3000)], Path::new("/tmp/two")));
        let has = |line: &str| {
            assert_eq!(
                text.lines().filter(|other| *other == line).count(),
                1,
                "{line} is not once in\n{text}"
            );
        };
        has("node.id=2");
        has("listeners=PLAINTEXT://127.0.0.1:2000,CONTROLLER://127.0.0.1:2001");
        has("controller.quorum.voters=1@127.0.0.1:1001,2@127.0.0.1:2001,3@127.0.0.1:3001");
        has("default.replication.factor=3");
        has("min.insync.replicas=2");
        has("transaction.state.log.min.isr=2");
        has("offsets.topic.replication.factor=3");
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
    fn the_listener_with_tls_stands_beside_the_plain_one() {
        for (settings, bind) in [(local(1, 2, Path::new("/tmp/x")), "127.0.0.1"), (container(1), "0.0.0.0")] {
            let text = properties_text(&with_secure_listener(settings, 3));
            let value = |name: &str| {
                let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
                lines.next().unwrap().to_owned()
            };
            assert!(value("listeners").ends_with(&format!(",SECURE://{bind}:3")));
            assert_eq!(value("advertised.listeners"), "PLAINTEXT://127.0.0.1:1,SECURE://127.0.0.1:3");
            assert!(value("listener.security.protocol.map").ends_with(",SECURE:SASL_SSL"));
            let certificate = value("listener.name.secure.ssl.keystore.certificate.chain");
            assert!(certificate.starts_with("-----BEGIN CERTIFICATE----- MII"), "{certificate}");
            assert!(certificate.ends_with("=-----END CERTIFICATE-----") && !certificate.contains('\n'));
        }
    }

    #[test]
    fn the_cluster_id_is_16_bytes() {
        // Unpadded base64 of 16 bytes.
        assert_eq!(CLUSTER_ID.len(), 22);
    }
}
