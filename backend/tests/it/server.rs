//! The program as a user starts it, and clients of it.

use std::{
    fs::File,
    net::TcpListener,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tallyboard_shared::{message::ServerMessage, results::Results};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket, client::IntoClientRequest, stream::MaybeTlsStream,
};

/// Far longer than anything takes; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const TOKEN: &str = "a token for tests";

/// The demonstration's definition, as a user would pass it.
pub(crate) fn demo_definition() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("elections/marenne.toml")
}

/// A process that was started here; killed when it goes out of scope, so that a test that fails leaves none behind.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn by(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
}

impl Deref for Started {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Started {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A running server.
pub(crate) struct Server {
    child: Started,
    pub(crate) address: String,
    log: PathBuf,
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallyboard"));
    command.stdin(Stdio::null());
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

impl Server {
    /// Starts `tallyboard serve` and waits until it answers.
    pub(crate) fn start(data_dir: &Path, address: &str, arguments: &[&str]) -> Self {
        let log = data_dir.join("log.txt");
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = program();
        command.args(["serve", "--listen", address, "--data-dir"]).arg(data_dir).args(arguments);
        command.env("TALLYBOARD_INGEST_TOKEN", TOKEN).stdout(output.try_clone().unwrap()).stderr(output);
        let child = Started::by(&mut command);
        let mut server = Self { child, address: address.to_owned(), log };
        server.wait_for("a live server", |server| {
            server.get("/livez").is_some_and(|(status, _)| status == 200)
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Status and body; `None` where nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let mut response = ureq::Agent::from(config).get(self.url(path)).call().ok()?;
        let body = response.body_mut().with_config().limit(100_000_000).read_to_string().ok()?;
        Some((response.status().as_u16(), body))
    }

    pub(crate) fn results(&self) -> Option<Results> {
        let (status, body) = self.get("/api/v1/results")?;
        (status == 200).then(|| {
            let mut results: Results = serde_json::from_str(&body).unwrap();
            // Reading a decimal fraction may miss its last bit; the counts decide.
            results.derive();
            results
        })
    }

    pub(crate) fn wait_for(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_there(self) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended ({status}) before {what}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "no {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The results once they have counted and rejected `records` in all.
    pub(crate) fn results_of(&mut self, records: u64) -> Results {
        let counted = |server: &Self| {
            server.results().map_or(0, |results| results.totals.votes + results.totals.rejected_sum())
        };
        self.wait_for(&format!("results of {records} records"), |server| counted(server) >= records);
        self.results().unwrap()
    }

    /// The memory that the process holds, in kilobytes; `None` where the system doesn't tell.
    pub(crate) fn memory_kb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends the process without giving it a chance.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &process]).status().unwrap().success());
    }

    /// Asks the process to end, and waits.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server doesn't stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn connect(&self) -> Browser {
        self.try_connect(&[("sec-websocket-protocol", "tallyboard.v1.json")]).unwrap()
    }

    pub(crate) fn try_connect(
        &self,
        headers: &[(&'static str, &str)],
    ) -> Result<Browser, Box<tungstenite::Error>> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().map_err(Box::new)?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = tungstenite::connect(request).map_err(Box::new)?;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        Ok(Browser { socket, results: None, messages: Vec::new() })
    }
}

/// A client that does what the dashboard does with the messages.
pub(crate) struct Browser {
    pub(crate) socket: WebSocket<MaybeTlsStream<std::net::TcpStream>>,
    pub(crate) results: Option<Results>,
    /// The types of the messages, in their order.
    pub(crate) messages: Vec<String>,
}

impl Browser {
    /// The next message; the close code as an error.
    pub(crate) fn next(&mut self) -> Result<ServerMessage, Option<u16>> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    self.messages.push(value["type"].as_str().unwrap().to_owned());
                    let message = serde_json::from_str(&text).unwrap();
                    self.take(&message);
                    return Ok(message);
                }
                Ok(Message::Close(frame)) => return Err(frame.map(|frame| frame.code.into())),
                Ok(_) => {}
                Err(_) => return Err(None),
            }
        }
    }

    fn take(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Welcome(welcome) => {
                self.results.clone_from(&welcome.results);
                self.results.iter_mut().for_each(Results::derive);
            }
            ServerMessage::Update(update) => self.results.as_mut().unwrap().apply(update).unwrap(),
            ServerMessage::Status(_) | ServerMessage::Goodbye(_) => {}
        }
    }

    /// Follows until a version is there.
    pub(crate) fn results_at(&mut self, version: u64) -> Results {
        let deadline = Instant::now() + PATIENCE;
        while self.results.as_ref().is_none_or(|results| results.version < version) {
            self.next().unwrap();
            assert!(Instant::now() < deadline, "version {version} doesn't come");
        }
        self.results.clone().unwrap()
    }
}

/// Runs a command of the program to its end.
pub(crate) fn run(arguments: &[&str]) -> (ExitStatus, String) {
    let output = program().args(arguments).env("TALLYBOARD_INGEST_TOKEN", TOKEN).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status, text)
}
