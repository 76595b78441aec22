//! Child processes: start them, wait for them, stop them with all that they started.
//!
//! Every child gets a process group of its own, so that Ctrl-C reaches xtask alone and xtask decides what it
//! means: the group is asked to end (SIGTERM), and killed when its time is over or at a second signal. A child that goes
//! out of scope is stopped, so a failed step leaves nothing running. Unix only.

use std::{
    ffi::OsStr,
    fmt,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// How often a running child is looked at: unnoticeable to a person, and cheap.
const POLL_INTERVAL: Duration = Duration::from_millis(25);
/// How long an interrupted tool (cargo, npm, Playwright, a nested xtask with its server) may take to end by itself.
const TOOL_GRACE: Duration = Duration::from_secs(25);

static SIGNALS_SEEN: AtomicUsize = AtomicUsize::new(0);

/// The user pressed Ctrl-C, or someone sent SIGTERM, before the chore was done.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Starts counting SIGINT and SIGTERM, which from now on no longer end this process by themselves.
pub(crate) fn watch_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("watching for signals")?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            SIGNALS_SEEN.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    Ok(())
}

/// Whether a SIGINT or SIGTERM has come.
pub(crate) fn is_interrupted() -> bool {
    SIGNALS_SEEN.load(Ordering::SeqCst) > 0
}

/// Sleeps for one poll interval, or fails when a signal has come.
pub(crate) fn pause() -> Result<()> {
    if is_interrupted() {
        bail!(Interrupted);
    }
    thread::sleep(POLL_INTERVAL);
    Ok(())
}

/// A command without what `cargo run` set for xtask itself; `RUSTUP_TOOLCHAIN` stays, so that children use the
/// toolchain that the user chose.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name == "CARGO" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if own {
            command.env_remove(name);
        }
    }
    // Chores ask nothing, and a background process group that reads from a terminal would be stopped.
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let mut process = Process::spawn(command)?;
    let status = process.wait()?;
    process.check(status)
}

/// Runs a command to its end, or kills it when `limit` has passed.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut process = Process::spawn(command)?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = process.try_wait()? {
            return process.check(status);
        }
        if Instant::now() > deadline {
            bail!("{} did not end within {} s", process.name, limit.as_secs());
        }
        if let Err(interrupted) = pause() {
            process.stop(TOOL_GRACE)?;
            return Err(interrupted);
        }
    }
}

/// Runs a short command and returns its standard output; its errors go where ours go.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = name_of(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{name}` could not be started"))?;
    if !output.status.success() {
        bail!("`{name}` failed: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A running child and its process group.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
}

impl Process {
    /// Starts a command in a process group of its own.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        if is_interrupted() {
            bail!(Interrupted);
        }
        let name = name_of(command);
        let child =
            command.process_group(0).spawn().with_context(|| format!("`{name}` could not be started"))?;
        let group = Pid::from_child(&child);
        Ok(Self { name, child, group })
    }

    /// Waits for the child to end by itself; a signal to xtask stops it.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if let Err(interrupted) = pause() {
                self.stop(TOOL_GRACE)?;
                return Err(interrupted);
            }
        }
    }

    /// How the child ended, if it did.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("waiting for `{}`", self.name))
    }

    /// Asks the child to end, and kills it after `grace` or at one more signal to xtask.
    pub(crate) fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        let signals_before = SIGNALS_SEEN.load(Ordering::SeqCst);
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + grace;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline || SIGNALS_SEEN.load(Ordering::SeqCst) > signals_before {
                self.signal(Signal::KILL)?;
                return self.child.wait().with_context(|| format!("waiting for `{}`", self.name));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ends the child and everything that it started without giving them a chance.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if self.try_wait()?.is_none() {
            self.signal(Signal::KILL)?;
            self.child.wait().with_context(|| format!("waiting for `{}`", self.name))?;
        }
        Ok(())
    }

    /// Sends a signal to the child and everything that it started.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match kill_process_group(self.group, signal) {
            // The group has just ended: what the signal was for has happened.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("sending a signal to `{}`", self.name)),
        }
    }

    /// Turns anything but success into an error that names the command.
    pub(crate) fn check(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("`{}` failed: {status}", self.name);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: a child that is itself an xtask has children in groups that we don't know.
        if let Err(error) = self.stop(TOOL_GRACE) {
            eprintln!("warning: {error:#}");
        }
    }
}

fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let error = run(command("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c exit 3` failed") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let started = Instant::now();
        let error = run_within(command("sleep").arg("30"), Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_child_that_ignores_the_polite_signal_is_killed() {
        let mut child =
            Process::spawn(command("sh").args(["-c", "trap '' TERM; sleep 30 & wait; wait"])).unwrap();
        let status = child.stop(Duration::from_millis(300)).unwrap();
        assert!(!status.success());
    }

    #[test]
    fn output_is_captured() {
        assert_eq!(output(command("echo").arg("votes")).unwrap(), "votes\n");
    }
}
