//! The servers: all roles in one process, and each role in processes of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use rustix::process::Signal;

use crate::{
    kafka::free_port,
    process::{self, Process},
};

/// Name and roles of each server; no role means all of them.
const SERVERS: [(&str, &str); 6] = [
    ("everything", ""),
    ("counter-1", "counter"),
    (ON_SMALL_DISK, "counter"),
    ("publisher", "publisher"),
    ("viewer-1", "viewer"),
    ("viewer-2", "viewer"),
];

/// The server whose disk is filled.
pub(super) const ON_SMALL_DISK: &str = "counter-2";

/// Topics of ours and how many partitions they have.
pub(super) const TOPICS: [(&str, u32); 6] = [
    ("votes_topic", 12),
    ("rejected_votes", 12),
    ("partition_tallies", 1),
    ("election_results", 1),
    ("aggregated_votes_per_candidate", 1),
    ("aggregated_turnout_by_location", 1),
];

/// Where a viewer is asked, and how often it was started: a restarted one may show what it showed before.
#[derive(Clone)]
pub(super) struct ViewerAddress {
    pub(super) name: &'static str,
    pub(super) url: String,
    pub(super) starts: Arc<AtomicU64>,
}

/// All servers; killed when they go out of scope.
pub(super) struct Fleet {
    program: PathBuf,
    bootstrap: String,
    servers: Vec<Server>,
}

struct Server {
    name: &'static str,
    address: String,
    data_dir: PathBuf,
    log: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
    is_frozen: bool,
    starts: Arc<AtomicU64>,
}

impl Fleet {
    pub(super) fn new(program: &Path, bootstrap: &str, definition: &Path, dir: &Path) -> Result<Self> {
        let server = |(name, role): (&'static str, &str)| {
            let data_dir = dir.join(name);
            fs::create_dir_all(&data_dir)?;
            let address = format!("127.0.0.1:{}", free_port()?);
            let (definition, data) = (definition.display().to_string(), data_dir.display().to_string());
            let mut arguments = vec!["serve", "--kafka", bootstrap, "--listen", &address];
            arguments.extend(["--election", &definition, "--data-dir", &data]);
            if !role.is_empty() {
                arguments.extend(["--role", role]);
            }
            let arguments = arguments.into_iter().map(str::to_owned).collect();
            let (log, starts) = (dir.join(format!("{name}.log")), Arc::default());
            Ok(Server { name, address, data_dir, log, arguments, process: None, is_frozen: false, starts })
        };
        let servers = SERVERS.into_iter().map(server).collect::<Result<_>>()?;
        Ok(Self { program: program.to_owned(), bootstrap: bootstrap.to_owned(), servers })
    }

    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }

    pub(super) fn name(&self, server: usize) -> &'static str {
        self.servers[server].name
    }

    pub(super) fn data_dirs(&self) -> Vec<PathBuf> {
        self.servers.iter().map(|server| server.data_dir.clone()).collect()
    }

    /// Those who show results.
    pub(super) fn viewers(&self) -> Vec<ViewerAddress> {
        let shows = |name: &str| name.starts_with("viewer") || name == "everything";
        let viewers = self.servers.iter().filter(|server| shows(server.name));
        viewers
            .map(|server| ViewerAddress {
                name: server.name,
                url: format!("http://{}", server.address),
                starts: Arc::clone(&server.starts),
            })
            .collect()
    }

    pub(super) fn start_all(&mut self) -> Result<()> {
        (0..self.servers.len()).try_for_each(|server| self.start(server))
    }

    pub(super) fn start(&mut self, server: usize) -> Result<()> {
        let server = &mut self.servers[server];
        let log = fs::File::options().create(true).append(true).open(&server.log)?;
        let mut command = process::command(&self.program);
        command.args(&server.arguments).stdout(log.try_clone()?).stderr(log);
        server.starts.fetch_add(1, Ordering::SeqCst);
        server.process = Some(Process::spawn(&mut command)?);
        Ok(())
    }

    /// One of the servers that run, by the dice.
    pub(super) fn draw_running(&self, rng: &mut Rng) -> Option<usize> {
        let runs = |server: &Server| server.process.is_some() && !server.is_frozen;
        let running = (0..self.servers.len()).filter(|server| runs(&self.servers[*server]));
        rng.choice(running.collect::<Vec<_>>())
    }

    pub(super) fn kill(&mut self, server: usize) -> Result<()> {
        self.servers[server].process.take().map_or(Ok(()), |mut process| process.kill())
    }

    pub(super) fn freeze(&mut self, server: usize) -> Result<()> {
        self.servers[server].is_frozen = true;
        self.signal(server, Signal::STOP)
    }

    pub(super) fn thaw(&mut self, server: usize) -> Result<()> {
        self.servers[server].is_frozen = false;
        self.signal(server, Signal::CONT)
    }

    fn signal(&self, server: usize, signal: Signal) -> Result<()> {
        self.servers[server].process.as_ref().map_or(Ok(()), |process| process.signal(signal))
    }

    /// Fails where a server ended although nobody killed it: none may give up for what happens here.
    pub(super) fn notice_ends(&mut self) -> Result<()> {
        for server in &mut self.servers {
            let Some(process) = &mut server.process else { continue };
            if let Some(status) = process.try_wait()? {
                let log = fs::read_to_string(&server.log)?;
                let lines: Vec<_> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(10)..].join("\n");
                bail!("{} ended by itself ({status}):\n{last}", server.name);
            }
        }
        Ok(())
    }

    /// Counts again what is published.
    pub(super) fn recount(&self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["recount", "--kafka", &self.bootstrap]).stdin(Stdio::null());
        let output = command.output().context("the recount could not be started")?;
        if !output.status.success() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            bail!(
                "the recount disagrees ({}):\n{}{}",
                output.status,
                text(&output.stdout),
                text(&output.stderr)
            );
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A frozen server wouldn't hear that it is asked to end.
        if let Some(mut process) = self.process.take()
            && let Err(error) = process.kill()
        {
            crate::progress::note(&format!("{} may still be running: {error:#}", self.name));
        }
    }
}
