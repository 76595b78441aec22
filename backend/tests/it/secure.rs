//! Encryption, the headers by which browsers protect the page, and that secrets stay secret.

use std::{net::TcpStream, path::Path, sync::Arc};

use tallyboard_shared::message::ServerMessage;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio_tungstenite::tungstenite;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::{
    server::{Server, Started, TOKEN, demo_definition, free_address, program, run},
    watch::Watcher,
    web::{demo_site, post, vote},
};

/// Made for these tests, for `localhost`; it protects nothing.
pub(crate) fn certificate(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/certificates").join(name);
    path.to_str().unwrap().to_owned()
}

fn client_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate("localhost.pem")).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[test]
fn the_server_encrypts_when_it_has_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let (definition, address) = (demo_definition(), free_address());
    let log = directory.path().join("log.txt");
    let output = std::fs::File::create(&log).unwrap();
    let mut command = program();
    command.args(["serve", "--listen", &address, "--election", definition.to_str().unwrap(), "--data-dir"]);
    command.arg(directory.path()).env("TALLYBOARD_INGEST_TOKEN", TOKEN).stderr(output);
    command.args([
        "--tls-cert",
        &certificate("localhost.pem"),
        "--tls-key",
        &certificate("localhost.key.pem"),
    ]);
    let mut child = Started::by(&mut command);
    let pem = std::fs::read(certificate("localhost.pem")).unwrap();
    let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
    let tls = TlsConfig::builder().root_certs(roots).build();
    let agent = ureq::Agent::from(ureq::Agent::config_builder().tls_config(tls).build());
    let url = format!("https://{address}/livez");
    let deadline = std::time::Instant::now() + crate::server::PATIENCE;
    let response = loop {
        match agent.get(&url).call() {
            Ok(response) => break response,
            Err(error) => assert!(
                std::time::Instant::now() < deadline && child.try_wait().unwrap().is_none(),
                "{error}: {}",
                std::fs::read_to_string(&log).unwrap()
            ),
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert!(response.headers().contains_key("strict-transport-security"));
    // Whoever speaks in plain gets nothing.
    assert!(ureq::get(format!("http://{address}/livez")).call().is_err());
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(client_config()), name).unwrap();
    let stream = StreamOwned::new(connection, TcpStream::connect(&address).unwrap());
    let (mut socket, _) = tungstenite::client(format!("wss://{address}/ws"), stream).unwrap();
    let welcome: ServerMessage = serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap();
    assert!(matches!(welcome, ServerMessage::Welcome(_)));
    commands_trust_whom_they_are_told_to(&format!("https://{address}"));
}

/// The commands that are clients of a server, against one whose certificate no public authority vouches for.
fn commands_trust_whom_they_are_told_to(url: &str) {
    let (ca, definition) = (certificate("localhost.pem"), demo_definition());
    let mut watcher = Watcher::start(&["--from", url, "--ca", &ca]);
    watcher.line_with(&["votes 0", "[live]"]);
    let export = ["export", "--from", url, "--format", "json"];
    let simulate = [
        "simulate",
        "--to",
        url,
        "--election",
        definition.to_str().unwrap(),
        "--count",
        "100",
        "--rate",
        "max",
    ];
    for command in [&export[..], &simulate] {
        let (status, text) = run(&[command, &["--ca", &ca]].concat());
        assert!(status.success(), "{text}");
    }
    watcher.line_with(&["votes 100", "[live]"]);
    let mut doubtful = Watcher::start(&["--from", url]);
    doubtful.line_with(&["nothing published yet", "not connected"]);
    let (status, text) = run(&export);
    assert!(!status.success() && text.contains("certificate"), "{text}");
    let (status, text) = run(&[&export[..], &["--ca", &certificate("localhost.key.pem")]].concat());
    assert!(!status.success() && text.contains("holds no certificate") && !text.contains("BEGIN"), "{text}");
}

#[test]
fn files_that_are_no_certificate_are_named_and_not_shown() {
    let key = certificate("localhost.key.pem");
    let refused = |arguments: &[&str], sentence: &str| {
        let address = free_address();
        let arguments = [&["serve", "--listen", &address], arguments].concat();
        let (status, text) = run(&arguments);
        assert!(!status.success() && text.contains(sentence), "{arguments:?}: {text}");
        assert!(!text.contains("BEGIN"), "{text}");
    };
    refused(&["--tls-cert", &key, "--tls-key", &key], "holds no certificate");
    let definition = demo_definition();
    let definition = definition.to_str().unwrap();
    refused(
        &["--tls-cert", &certificate("localhost.pem"), "--tls-key", definition],
        "failed to read the key",
    );
    refused(&["--tls-cert", "missing.pem", "--tls-key", &key], "failed to read the certificate missing.pem");
    refused(&["--tls-cert", &key], "--tls-key");
}

#[test]
fn browsers_are_told_what_the_page_may_do() {
    let site = demo_site();
    for path in ["/", "/api/v1/results", "/api/v1/nothing", "/metrics"] {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let response = ureq::Agent::from(config).get(site.server.url(path)).call().unwrap();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        let policy = header("content-security-policy");
        assert!(
            policy.contains("'wasm-unsafe-eval'") && !policy.contains("'unsafe-eval'"),
            "{path}: {policy}"
        );
        let scripts = policy.split(';').find(|part| part.contains("script-src")).unwrap();
        assert!(scripts.contains("'sha256-") && !scripts.contains("'unsafe-inline'"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(!response.headers().contains_key("strict-transport-security"));
    }
}

#[test]
fn secrets_and_voters_are_in_no_log_no_metric_and_no_help() {
    let directory = tempfile::tempdir().unwrap();
    let definition = demo_definition();
    let arguments = ["--election", definition.to_str().unwrap(), "--log", "trace"];
    let mut server = Server::start(directory.path(), &free_address(), &arguments);
    server.wait_for("readiness", |server| server.get("/readyz").is_some_and(|(status, _)| status == 200));
    let lines = [
        vote("a-secret-voter", "okafor", "AL"),
        vote("a-secret-voter", "haddad", "AL"),
        vote("a-secret-voter", "nobody", "AL"),
        r#"{"voter_id":"a-secret-voter","#.into(),
    ];
    assert_eq!(post(&server, TOKEN, &lines.join("\n")).0, 200);
    assert_eq!(post(&server, "a-wrong-token", &lines[0]).0, 401);
    let results = server.results_of(2);
    let mut told =
        vec![server.log(), server.get("/metrics").unwrap().1, serde_json::to_string(&results).unwrap()];
    let help = program()
        .args(["serve", "--help"])
        .env("TALLYBOARD_INGEST_TOKEN", TOKEN)
        .env("TALLYBOARD_KAFKA_PROPERTY", "sasl.password=a-secret-password")
        .output()
        .unwrap();
    told.push(String::from_utf8(help.stdout).unwrap());
    for secret in [TOKEN, "a-secret-voter", "a-wrong-token", "a-secret-password"] {
        for text in &told {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret:?} was told");
        }
    }
    assert!(told[0].contains("TRACE") && told[0].len() > 1000, "everything was logged");
}
