//! The sender: made-up votes in portions, each of which is sent again as a whole until it was taken as a whole.
//!
//! Record number *k* is a function of the seed and *k*, so it is known what was sent, whoever died on the way. A
//! portion that is repeated brings votes a second time; they are second votes of their voters.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{self, Process};

/// How many seconds a portion lasts: short enough that few are repeated as a whole.
const PORTION_SECONDS: u64 = 4;

/// Sends until it is dropped.
pub(super) struct Sender {
    program: PathBuf,
    bootstrap: String,
    dir: PathBuf,
    seed: u64,
    rate: u32,
    /// The first record of the portion that is under way.
    next: u64,
    process: Option<Process>,
    repeats: u32,
}

impl Sender {
    pub(super) fn new(program: &Path, bootstrap: &str, dir: &Path, seed: u64, rate: u32) -> Self {
        let (program, bootstrap, dir) = (program.to_owned(), bootstrap.to_owned(), dir.join("sender"));
        Self { program, bootstrap, dir, seed, rate, next: 0, process: None, repeats: 0 }
    }

    fn portion(&self) -> u64 {
        u64::from(self.rate) * PORTION_SECONDS
    }

    fn simulate(&self, skip: u64, count: u64) -> Command {
        let mut command = process::command(&self.program);
        command.args(["simulate", "--seed", &self.seed.to_string(), "--skip", &skip.to_string()]);
        command.args(["--count", &count.to_string()]);
        command.args(["--duplicates", "0.05", "--late", "0.02", "--invalid", "0.05"]);
        command
    }

    /// Goes on with the next portion where one is done, and repeats one that failed.
    pub(super) fn tick(&mut self) -> Result<()> {
        if !self.is_under_way()? {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let mut command = self.simulate(self.next, self.portion());
        command.args(["--kafka", &self.bootstrap, "--rate", &format!("{}/s", self.rate)]);
        // Votes of a voter must keep their order: a batch that was given up half-way and sent again would break it.
        command.args(["--kafka-property", "message.timeout.ms=0", "--data-dir"]).arg(&self.dir);
        std::fs::create_dir_all(&self.dir)?;
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log"))?;
        self.process = Some(Process::spawn(command.stdout(log.try_clone()?).stderr(log))?);
        Ok(())
    }

    fn is_under_way(&mut self) -> Result<bool> {
        let Some(process) = &mut self.process else { return Ok(false) };
        let Some(status) = process.try_wait()? else { return Ok(true) };
        self.process = None;
        if status.success() {
            self.next += self.portion();
        } else {
            self.repeats += 1;
        }
        Ok(false)
    }

    /// Kills the sender in the middle of a portion; false where there is none.
    pub(super) fn kill(&mut self) -> Result<bool> {
        if !self.is_under_way()? {
            return Ok(false);
        }
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            self.repeats += 1;
        }
        Ok(true)
    }

    /// Brings the portion that is under way to its end; how many records were sent then.
    pub(super) fn pause(&mut self) -> Result<u64> {
        let after = self.next + self.portion();
        loop {
            process::pause()?;
            if !self.is_under_way()? {
                if self.next >= after {
                    return Ok(self.next);
                }
                self.send()?;
            }
        }
    }

    pub(super) fn repeats(&self) -> u32 {
        self.repeats
    }

    /// What an exact count of these records gives, by the generator itself.
    pub(super) fn expected(&self, records: std::ops::Range<u64>) -> Result<Value> {
        let mut command = self.simulate(records.start, records.end - records.start);
        let text = process::output(command.arg("--expected").stderr(Stdio::null()))?;
        let expected: Value =
            serde_json::from_str(&text).context("what `tallyboard simulate --expected` prints")?;
        if expected["records"] != records.end - records.start {
            bail!("every made-up voter has voted; a night of so many votes needs a larger election");
        }
        Ok(expected)
    }
}
