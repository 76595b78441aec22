//! `cargo xtask test`: every test, on a real Apache Kafka and in a real browser.
//!
//! Nothing is skipped: what can't be had is an error. The broker starts after the compiler is done, for memory's sake.

use anyhow::Result;

use crate::{
    dashboard,
    kafka::{self, Broker, SECURE_KAFKA},
    process,
    progress::{note, step},
    setup::{self, TestTools},
    workspace::Workspace,
};

/// Sets up, builds and runs all tests; `extra` goes to `cargo test` and leaves the browser out.
pub(crate) fn test(workspace: &Workspace, extra: &[String]) -> Result<()> {
    let tools = setup::for_tests(workspace)?;
    dashboard::build(workspace, &tools.dashboard)?;
    // Binaries and tests at once: built apart, their dependencies would differ in features and be compiled twice.
    step("tests: cargo build", || {
        let mut cargo = workspace.command("cargo");
        cargo.args(["build", "--workspace", "--bins", "--tests", "--features", tools.features]);
        process::run(&mut cargo)
    })?;
    {
        let broker = Broker::start(workspace, &tools.kafka, kafka::free_port()?)?;
        step("tests: cargo test", || {
            let mut cargo = workspace.command("cargo");
            cargo.args(["test", "--workspace", "--features", tools.features]).args(extra);
            cargo.env("TALLYBOARD_TEST_KAFKA", broker.bootstrap());
            if let Some(servers) = broker.secure_bootstrap() {
                cargo.env(SECURE_KAFKA, servers);
            }
            process::run(&mut cargo)
        })?;
    }
    if extra.is_empty() {
        browser_tests(workspace, &tools)
    } else {
        note("browser tests left out, as arguments for cargo test were given");
        Ok(())
    }
}

fn browser_tests(workspace: &Workspace, tools: &TestTools) -> Result<()> {
    step("tests: browser", || {
        let mut playwright = workspace.command("npx");
        playwright.args(["--no-install", "playwright", "test"]);
        playwright.current_dir(workspace.root.join("e2e"));
        playwright.env("TALLYBOARD_BIN", workspace.tallyboard("debug"));
        playwright.env("TALLYBOARD_CHROMIUM", &tools.chromium);
        process::run(&mut playwright)
    })
}

#[cfg(test)]
mod compose;
