//! An Apache Kafka for the tests, and for trying things by hand: one `KRaft` broker with data that goes with it.
//!
//! Sources, in this order: the broker that `TALLYBOARD_TEST_KAFKA` names, a running Docker engine, the jars that Apache
//! publishes (fetched by Maven, run by Java). No test knows which it was. The broker ends with the value that stands
//! for it, after a failure or Ctrl-C too.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{
    process::{self, Process},
    progress::{already_there, note, step},
    setup,
    workspace::Workspace,
};

pub(crate) mod cluster;
mod config;

/// One version for the jars, the container and docker-compose.yml.
pub(crate) const VERSION: &str = "4.3.1";
/// The variable that names the broker's listener with TLS and a password.
pub(crate) const SECURE_KAFKA: &str = "TALLYBOARD_TEST_KAFKA_SECURE";
/// A broker is up within seconds; the first start of a container has an image to fetch.
const JARS_START_LIMIT: Duration = Duration::from_secs(60);
const IMAGE_START_LIMIT: Duration = Duration::from_secs(300);
/// An engine that doesn't answer is as good as none.
const DOCKER_ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// What the broker logs when clients are served.
const STARTED: &str = "Kafka Server started";

/// Where the broker comes from.
pub(crate) enum Source {
    /// Someone else's broker: its bootstrap servers.
    Given(String),
    Docker,
    Jars,
}

/// Decides where the broker comes from, without starting anything.
pub(crate) fn choose_source() -> Source {
    if let Some(servers) = env::var("TALLYBOARD_TEST_KAFKA").ok().filter(|servers| !servers.is_empty()) {
        return Source::Given(servers);
    }
    if is_docker_running() { Source::Docker } else { Source::Jars }
}

/// A broker that accepts clients, until it is dropped.
pub(crate) struct Broker {
    bootstrap: String,
    /// Where it takes TLS and a password; `None` where the broker isn't ours.
    secure: Option<String>,
    // Held for their `Drop` alone: it ends what this process started.
    _jvm: Option<Jvm>,
    _container: Option<Container>,
}

struct Jvm {
    // Fields drop in order: the process is killed before its directory goes.
    _process: Process,
    _dir: TempDir,
}

struct Container {
    name: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut remove = process::command("docker");
        remove.args(["rm", "--force", &self.name]).stdout(Stdio::null());
        if let Err(error) = process::output(&mut remove) {
            note(&format!("the container {} may still be running: {error}", self.name));
        }
    }
}

impl Broker {
    /// Starts a broker on a port of 127.0.0.1, or passes on the one that is given.
    pub(crate) fn start(workspace: &Workspace, source: &Source, port: u16) -> Result<Self> {
        let bootstrap = format!("127.0.0.1:{port}");
        let secure_port = free_port()?;
        let secure = Some(format!("127.0.0.1:{secure_port}"));
        match source {
            Source::Given(servers) => {
                note(&format!("Apache Kafka at {servers}, from TALLYBOARD_TEST_KAFKA"));
                Ok(Self { bootstrap: servers.clone(), secure: None, _jvm: None, _container: None })
            }
            Source::Docker => step(&format!("Apache Kafka {VERSION} in a container on {bootstrap}"), || {
                let container = start_container(port, secure_port)?;
                Ok(Self { bootstrap: bootstrap.clone(), secure, _jvm: None, _container: Some(container) })
            }),
            Source::Jars => step(&format!("Apache Kafka {VERSION} on {bootstrap}"), || {
                let jvm = start_jvm(workspace, port, secure_port)?;
                Ok(Self { bootstrap: bootstrap.clone(), secure, _jvm: Some(jvm), _container: None })
            }),
        }
    }

    /// The address for clients, `host:port[,host:port…]`.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The address for clients with TLS and a password; `None` where the broker isn't ours.
    pub(crate) fn secure_bootstrap(&self) -> Option<&str> {
        self.secure.as_deref()
    }
}

/// `cargo xtask kafka`: a broker until Ctrl-C.
pub(crate) fn keep_running(workspace: &Workspace, port: u16) -> Result<()> {
    let source = if is_docker_running() { Source::Docker } else { Source::Jars };
    if matches!(source, Source::Jars) {
        setup::for_kafka(workspace)?;
    }
    let broker = Broker::start(workspace, &source, port)?;
    println!("bootstrap servers: {} (Ctrl-C stops the broker; its data goes with it)", broker.bootstrap());
    if let Some(secure) = broker.secure_bootstrap() {
        let (user, password) = config::USER;
        println!(
            "with TLS (authority: backend/tests/it/certificates/localhost.pem) and a password: {secure} (SASL_SSL, PLAIN, \
             user {user}, password {password})"
        );
    }
    while process::pause().is_ok() {}
    Ok(())
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Fetches the broker's jars into the cache, once per version.
pub(crate) fn fetch_jars(workspace: &Workspace) -> Result<()> {
    let what = format!("Apache Kafka {VERSION}");
    let jars = jars_dir(workspace);
    if jars.is_dir() {
        already_there(&what);
        return Ok(());
    }
    setup::maven()?;
    step(&format!("{what} (55 MB, once)"), || {
        fs::create_dir_all(&workspace.cache)?;
        // Renamed when complete, so that a broken download never counts as there.
        let partial = tempfile::Builder::new().prefix("kafka-partial-").tempdir_in(&workspace.cache)?;
        let mut maven = workspace.command("mvn");
        maven.args(["--batch-mode", "--quiet", "--no-transfer-progress", "dependency:copy-dependencies"]);
        maven.arg("--file").arg(workspace.root.join("xtask/kafka/pom.xml"));
        maven.arg(format!("-DoutputDirectory={}", partial.path().display()));
        process::run(&mut maven)?;
        for artifact in ["kafka_2.13", "kafka-tools"] {
            let jar = format!("{artifact}-{VERSION}.jar");
            if !partial.path().join(&jar).is_file() {
                bail!("Maven brought no {jar}");
            }
        }
        fs::rename(partial.keep(), jars).context("keeping Kafka's jars")
    })
}

fn jars_dir(workspace: &Workspace) -> PathBuf {
    // Jars of another set of artifacts are no broken download of these, and may be in use.
    workspace.cache.join(format!("kafka-with-tools-{VERSION}"))
}

fn is_docker_running() -> bool {
    let mut docker = process::command("docker");
    docker.args(["info", "--format", "{{.ServerVersion}}"]).stdout(Stdio::null()).stderr(Stdio::null());
    process::run_within(&mut docker, DOCKER_ANSWER_LIMIT).is_ok()
}

fn start_container(port: u16, secure_port: u16) -> Result<Container> {
    let name = format!("tallyboard-kafka-{port}");
    let mut docker = process::command("docker");
    docker.args(["run", "--detach", "--rm", "--name", &name]);
    for port in [port, secure_port] {
        docker.args(["--publish", &format!("127.0.0.1:{port}:{port}")]);
    }
    docker.args(["--env", "KAFKA_HEAP_OPTS=-Xmx512m"]);
    for variable in config::environment(&config::with_secure_listener(config::container(port), secure_port)) {
        docker.args(["--env", &variable]);
    }
    docker.arg(format!("apache/kafka:{VERSION}"));
    process::run(docker.stdout(Stdio::null()))?;
    let container = Container { name };
    wait_until_started(port, IMAGE_START_LIMIT, || {
        let mut logs = process::command("docker");
        process::output(logs.args(["logs", &container.name]).stderr(Stdio::null()))
    })?;
    Ok(container)
}

fn start_jvm(workspace: &Workspace, port: u16, secure_port: u16) -> Result<Jvm> {
    let dir = tempfile::Builder::new().prefix("tallyboard-kafka-").tempdir()?;
    let properties = dir.path().join("server.properties");
    let settings = config::local(port, free_port()?, &dir.path().join("data"));
    let settings = config::with_secure_listener(settings, secure_port);
    fs::write(&properties, config::properties_text(&settings))?;

    let log = dir.path().join("broker.log");
    let mut format = java(workspace, &log)?;
    format.args(["kafka.tools.StorageTool", "format", "--cluster-id", config::CLUSTER_ID, "--config"]);
    process::run(format.arg(&properties)).with_context(|| tail(&log))?;

    let mut broker = java(workspace, &log)?;
    let mut process = Process::spawn(broker.arg("kafka.Kafka").arg(&properties))?;
    let started = wait_until_started(port, JARS_START_LIMIT, || match process.try_wait()? {
        Some(status) => bail!("the broker ended: {status}"),
        None => Ok(fs::read_to_string(&log)?),
    });
    started.with_context(|| tail(&log))?;
    Ok(Jvm { _process: process, _dir: dir })
}

/// Java with the broker's jars, writing to `log`.
fn java(workspace: &Workspace, log: &Path) -> Result<Command> {
    let log = fs::File::options().create(true).append(true).open(log)?;
    let mut java = process::command("java");
    java.args(["-Xmx512m", "-Djava.awt.headless=true"]);
    let log_config = workspace.root.join("xtask/kafka/log4j2.properties");
    java.arg(format!("-Dlog4j2.configurationFile={}", log_config.display()));
    java.arg("-cp").arg(jars_dir(workspace).join("*"));
    java.stdout(log.try_clone()?).stderr(log);
    Ok(java)
}

/// Waits until the log says so and the port accepts: either alone comes too early.
fn wait_until_started(port: u16, limit: Duration, mut log: impl FnMut() -> Result<String>) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !(log()?.contains(STARTED) && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()) {
        if Instant::now() > deadline {
            bail!("Kafka did not start within {} s", limit.as_secs());
        }
        process::pause()?;
    }
    Ok(())
}

/// The end of the broker's log, for an error message.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    format!("Kafka's last words:\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pom_names_the_same_version() {
        let pom = include_str!("../kafka/pom.xml");
        assert!(pom.contains(&format!("<kafka.version>{VERSION}</kafka.version>")));
    }

    #[test]
    fn a_log_that_never_says_so_is_given_up_on() {
        let error = wait_until_started(1, Duration::ZERO, || Ok(String::new())).unwrap_err().to_string();
        assert!(error.contains("did not start"), "{error}");
    }
}
