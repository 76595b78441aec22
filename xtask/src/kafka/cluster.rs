//! Three brokers on this machine, each of which can be stopped, killed and frozen: what faults are tried on.
//!
//! They run from the jars in any case, because a fault is a signal to a process of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    JARS_START_LIMIT,
    config::{self, Ports},
    free_port, java, tail, wait_until_started,
};
use crate::{
    process::{self, Process},
    progress::step,
    workspace::Workspace,
};

const BROKERS: usize = 3;
/// A broker hands its partitions over and closes its logs before it ends.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// A tool is a JVM that asks the brokers a question.
const TOOL_LIMIT: Duration = Duration::from_secs(60);

/// Three brokers that keep a copy of every topic each, until they are dropped.
pub(crate) struct Cluster<'a> {
    workspace: &'a Workspace,
    // Fields drop in order: the processes are killed before their directory goes.
    brokers: Vec<Member<'a>>,
    dir: TempDir,
}

/// One of the brokers.
pub(crate) struct Member<'a> {
    workspace: &'a Workspace,
    port: u16,
    properties: PathBuf,
    log: PathBuf,
    process: Option<Process>,
    is_frozen: bool,
    /// Where the log of this start begins.
    log_start: usize,
}

impl<'a> Cluster<'a> {
    /// Starts the brokers and waits until all of them serve.
    pub(crate) fn start(workspace: &'a Workspace) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("tallyboard-cluster-").tempdir()?;
        let ports: Vec<_> = (0..BROKERS)
            .map(|_| Ok(Ports { clients: free_port()?, controller: free_port()? }))
            .collect::<Result<_>>()?;
        let brokers = (0..BROKERS).map(|number| Member::new(workspace, number, &ports, &dir));
        let mut cluster = Self { workspace, brokers: brokers.collect::<Result<_>>()?, dir };
        step(&format!("{BROKERS} brokers of Apache Kafka on {}", cluster.bootstrap()), || {
            // Nobody is up before most of them are.
            cluster.brokers.iter_mut().try_for_each(Member::start)?;
            cluster.brokers.iter_mut().try_for_each(Member::wait_until_started)
        })?;
        Ok(cluster)
    }

    /// The addresses for clients, `host:port,host:port,host:port`.
    pub(crate) fn bootstrap(&self) -> String {
        let addresses = self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port));
        addresses.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn brokers(&mut self) -> &mut [Member<'a>] {
        &mut self.brokers
    }

    /// Where files for the tools may be put.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Starts one of Kafka's own tools by its class; it writes to `output`.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str], output: &str) -> Result<Process> {
        let mut tool = java(self.workspace, &self.dir.path().join(output))?;
        Process::spawn(tool.args([class, "--bootstrap-server", &self.bootstrap()]).args(arguments))
    }

    /// Runs one of Kafka's own tools to its end, with what it prints in a file.
    pub(crate) fn tool_output(
        &self,
        class: &str,
        arguments: &[&str],
        output: &Path,
        limit: Duration,
    ) -> Result<()> {
        let log = output.with_extension("log");
        let mut tool = java(self.workspace, &log)?;
        tool.args([class, "--bootstrap-server", &self.bootstrap()]).args(arguments);
        tool.stdout(fs::File::create(output)?);
        process::run_within(&mut tool, limit).with_context(|| tail(&log))
    }

    /// Whether every copy of every partition is in sync.
    pub(crate) fn is_in_sync(&self) -> Result<bool> {
        let output = self.dir.path().join("topics.under-replicated");
        let arguments = ["--describe", "--under-replicated-partitions"];
        let asked = self.tool_output("org.apache.kafka.tools.TopicCommand", &arguments, &output, TOOL_LIMIT);
        // The tool's own log goes the same way; partitions begin with their topic.
        Ok(asked.is_ok() && !fs::read_to_string(&output)?.contains("Topic: "))
    }
}

impl<'a> Member<'a> {
    fn new(workspace: &'a Workspace, number: usize, ports: &[Ports], dir: &TempDir) -> Result<Self> {
        let path = |name: &str| dir.path().join(format!("broker-{}.{name}", number + 1));
        let (properties, log) = (path("properties"), path("log"));
        let settings = config::member(number, ports, &path("data"));
        fs::write(&properties, config::properties_text(&settings))?;
        let mut format = java(workspace, &log)?;
        format.args(["kafka.tools.StorageTool", "format", "--cluster-id", config::CLUSTER_ID, "--config"]);
        process::run(format.arg(&properties)).with_context(|| tail(&log))?;
        Ok(Self {
            workspace,
            port: ports[number].clients,
            properties,
            log,
            process: None,
            is_frozen: false,
            log_start: 0,
        })
    }

    /// Starts the broker, which then takes a few seconds to serve.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.log_start = fs::read(&self.log)?.len();
        let mut broker = java(self.workspace, &self.log)?;
        self.process = Some(Process::spawn(broker.arg("kafka.Kafka").arg(&self.properties))?);
        Ok(())
    }

    /// Waits until the broker that was started serves.
    pub(crate) fn wait_until_started(&mut self) -> Result<()> {
        let (log, start) = (&self.log, self.log_start);
        let process = self.process.as_mut().context("the broker was not started")?;
        let started = wait_until_started(self.port, JARS_START_LIMIT, || match process.try_wait()? {
            Some(status) => anyhow::bail!("the broker ended: {status}"),
            None => Ok(String::from_utf8_lossy(fs::read(log)?.get(start..).unwrap_or_default()).into_owned()),
        });
        started.with_context(|| tail(&self.log))
    }

    /// Asks the broker to end, and waits.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP_GRACE)?;
        }
        Ok(())
    }

    /// Ends the broker without giving it a chance.
    pub(crate) fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Cuts the broker off: its connections stay open, and nothing answers.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        self.is_frozen = true;
        self.process.as_ref().map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Lets it go on.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        self.is_frozen = false;
        self.process.as_ref().map_or(Ok(()), |process| process.signal(Signal::CONT))
    }

    /// Whether there is a process, frozen or not.
    pub(crate) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Whether nothing was done to it.
    pub(crate) fn is_well(&self) -> bool {
        self.is_up() && !self.is_frozen
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        // A frozen broker would not hear that it is asked to end, and the data goes anyway.
        if let Err(error) = self.kill() {
            crate::progress::note(&format!("a broker may still be running: {error:#}"));
        }
    }
}
