//! `tallyboard watch`, read by a program.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::{
    server::{Server, Started, TOKEN, demo_definition, program},
    web::{demo_site, post, vote},
};

/// A running `tallyboard watch`.
pub(crate) struct Watcher {
    child: Started,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watcher {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = program();
        let mut child = Started::by(command.arg("watch").args(arguments).stdout(Stdio::piped()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads until a line has the words; silence ends with the test's own patience.
    pub(crate) fn line_with(&mut self, words: &[&str]) -> String {
        loop {
            let line = self.lines.next().expect("the output goes on").unwrap();
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }
}

#[test]
fn watch_writes_lines_and_comes_back_after_a_restart() {
    let mut site = demo_site();
    let address = site.server.address.clone();
    let mut watcher = Watcher::start(&["--from", &site.server.url("")]);
    watcher.line_with(&["version", "votes 0", "[connected]"]);
    let votes: Vec<_> = (0..20).map(|voter| vote(&format!("v{voter}"), "okafor", "AL")).collect();
    assert_eq!(post(&site.server, TOKEN, &votes.join("\n")).0, 200);
    let line = watcher.line_with(&["votes 20", "[live]"]);
    assert!(line.contains("President: Ines Okafor 20 (100.0 %)"), "{line}");
    assert!(site.server.stop().success());
    watcher.line_with(&["votes 20", "[not connected: trying again]"]);
    let definition = demo_definition();
    let arguments = ["--election", definition.to_str().unwrap()];
    site.server = Server::start(site.directory.path(), &address, &arguments);
    watcher.line_with(&["votes 20", "[live]"]);
    // It ends at once when it is asked to.
    let process = watcher.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    assert!(watcher.child.wait().unwrap().success());
}

#[test]
fn watch_needs_an_address() {
    let (status, text) = crate::server::run(&["watch", "--from", "results.example"]);
    assert!(!status.success() && text.contains("is not the address of a server"), "{text}");
}
