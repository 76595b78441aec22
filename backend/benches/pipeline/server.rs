//! The program as a user starts it.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tallyboard_shared::Timestamp;

use crate::{PATIENCE, votes::large_definition};

/// The bearer token of the server's ingest.
const TOKEN: &str = "a token for benchmarks";

/// A running `tallyboard serve`; killed when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    log: PathBuf,
    /// When the process was started.
    pub(crate) started: Timestamp,
}

/// The program.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallyboard"));
    command.stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a server of the large republic with its data in `directory`, and waits for nothing.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        std::fs::create_dir_all(directory).unwrap();
        let definition = directory.join("election.toml");
        std::fs::write(&definition, large_definition()).unwrap();
        let log = directory.join("log.jsonl");
        let output = std::fs::File::create(&log).unwrap();
        let started = Timestamp::now();
        let child = program()
            .args(["--log-format", "json", "serve", "--listen", &address, "--data-dir"])
            .arg(directory)
            .arg("--election")
            .arg(definition)
            .args(arguments)
            .env("TALLYBOARD_INGEST_TOKEN", TOKEN)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let server = Self { child, address, log, started };
        server.wait_for("an answer", || server.get("/livez").is_some());
        server
    }

    /// Looks again and again.
    pub(crate) fn wait_for(&self, what: &str, mut is_there: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_there() {
            assert!(Instant::now() < deadline, "no {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The body of an answer with status 200.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://{}{path}", self.address);
        ureq::get(&url).call().ok()?.body_mut().with_config().limit(1 << 30).read_to_string().ok()
    }

    /// Posts a vote, again and again until it is taken.
    pub(crate) fn vote(&self, value: &[u8]) {
        let url = format!("http://{}/api/v1/votes", self.address);
        self.wait_for("receipt", || {
            let post = ureq::post(&url).header("authorization", format!("Bearer {TOKEN}"));
            let post =
                post.header("tallyboard-simulation", "1").header("content-type", "application/x-ndjson");
            post.send(value).is_ok()
        });
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// When the first line was logged that contains `words`.
    pub(crate) fn logged_at(&self, words: &str) -> Timestamp {
        let log = self.log();
        let line = log.lines().find(|line| line.contains(words));
        let line = line.unwrap_or_else(|| panic!("`{words}` isn't in the log:\n{log}"));
        let line: Value = serde_json::from_str(line).unwrap();
        line["timestamp"].as_str().unwrap().parse().unwrap()
    }

    /// Memory of the process in bytes: what it has now, and the most that it ever had.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// The processor time that the process has spent.
    pub(crate) fn cpu(&self) -> Duration {
        crate::fanout::cpu(&self.child.id().to_string())
    }

    /// kill −9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
