//! `cargo xtask smoke`: the README's run command, as a user sees it, checked by a program.
//!
//! Starts `cargo xtask run` on a free port with a data directory of its own, wants the page and growing results, sends
//! SIGINT, and wants a clean end in bounded time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use crate::{
    http, kafka,
    process::{self, Process},
    progress::{note, step},
    run::SERVER_GRACE,
};

/// From nothing: tools, dashboard and server are compiled on two slow cores.
const START_LIMIT: Duration = Duration::from_secs(40 * 60);
/// From ready to the second look at growing results.
const MOVE_LIMIT: Duration = Duration::from_secs(60);

/// Runs the demo and checks what it shows.
pub(crate) fn smoke() -> Result<()> {
    let data = tempfile::Builder::new().prefix("tallyboard-smoke-").tempdir()?;
    let url = format!("http://127.0.0.1:{}", kafka::free_port()?);
    let mut run = process::command(std::env::current_exe()?);
    run.args(["run", "--", "--listen", &url["http://".len()..], "--data-dir"]).arg(data.path());
    let mut demo = Process::spawn(&mut run)?;
    step("smoke: cargo xtask run answers", || {
        wait(&mut demo, START_LIMIT, || http::is_ok(&format!("{url}/readyz")))
    })?;
    step("smoke: the page is there and the results move", || {
        let page = http::text(&url)?;
        ensure!(page.contains("<html") && page.contains(".wasm"), "{url} is not the dashboard:\n{page}");
        wait(&mut demo, MOVE_LIMIT, || counted(&url).is_some_and(|votes| votes > 0))?;
        let first = counted(&url).context("the results were withdrawn")?;
        wait(&mut demo, MOVE_LIMIT, || counted(&url).is_some_and(|votes| votes > first))?;
        note(&format!("{first} votes, then {}", counted(&url).unwrap_or_default()));
        Ok(())
    })?;
    step("smoke: Ctrl-C ends it", || {
        demo.signal(Signal::INT)?;
        let deadline = Instant::now() + SERVER_GRACE;
        loop {
            if let Some(status) = demo.try_wait()? {
                return demo.check(status);
            }
            ensure!(Instant::now() < deadline, "still running {} s after SIGINT", SERVER_GRACE.as_secs());
            process::pause()?;
        }
    })
}

/// The number of votes that the newest results count.
fn counted(url: &str) -> Option<u64> {
    http::json(&format!("{url}/api/v1/results")).ok()?.pointer("/totals/votes")?.as_u64()
}

fn wait(demo: &mut Process, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !condition() {
        if let Some(status) = demo.try_wait()? {
            demo.check(status)?;
            bail!("cargo xtask run ended by itself");
        }
        ensure!(Instant::now() < deadline, "not within {} s", limit.as_secs());
        process::pause()?;
    }
    Ok(())
}
