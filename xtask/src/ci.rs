//! `cargo xtask ci`: what must hold of the source before any test runs.
//!
//! Formatting, dependencies, lints on the host and for wasm, documentation; warnings are errors. The dashboard is built on
//! the way, as the server, which is linted too, embeds it.

use std::time::Duration;

use anyhow::Result;

use crate::{
    dashboard, process,
    progress::{note, step},
    setup::{self, openssl, tools, wasm},
    workspace::Workspace,
};

/// A database of advisories that isn't there by then can't be had.
const DATABASE_LIMIT: Duration = Duration::from_secs(120);

/// Checks everything, the quickest first.
pub(crate) fn ci(workspace: &Workspace) -> Result<()> {
    let cargo = || workspace.command("cargo");
    step("ci: cargo fmt", || process::run(cargo().args(["fmt", "--all", "--check"])))?;
    dependencies(workspace)?;
    let tools = setup::for_dashboard(workspace)?;
    // As the tests build it: the Kafka client is compiled once for both.
    let features = openssl::find_or_install()?;
    dashboard::build(workspace, &tools)?;
    step("ci: clippy for wasm", || {
        let mut clippy = tools.command(workspace, "cargo");
        clippy.args(["clippy", "--package", "tallyboard-frontend", "--package", "tallyboard-shared"]);
        // The build's own profile: macros and build scripts are there already.
        clippy.args(["--target", wasm::TARGET, "--profile", "dashboard", "--", "-D", "warnings"]);
        process::run(&mut clippy)
    })?;
    step("ci: clippy", || {
        let mut clippy = cargo();
        clippy.args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            features,
            "--",
            "-D",
            "warnings",
        ]);
        process::run(&mut clippy)
    })?;
    step("ci: cargo doc", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--document-private-items", "--features", features]);
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// What deny.toml says of licenses, sources and bans, always; advisories where their database can be had.
fn dependencies(workspace: &Workspace) -> Result<()> {
    let program = tools::deny(workspace)?;
    let deny = |arguments: &[&str]| {
        let mut deny = workspace.command(&program);
        deny.args(["--log-level", "error"]).args(arguments);
        deny
    };
    step("ci: cargo deny, bans licenses sources", || {
        process::run(&mut deny(&["check", "bans", "licenses", "sources"]))
    })?;
    if process::run_within(&mut deny(&["fetch", "db"]), DATABASE_LIMIT).is_err() {
        process::pause()?;
        note("ADVISORIES WERE NOT CHECKED: the database of rustsec.org can't be fetched from here");
        return Ok(());
    }
    step("ci: cargo deny, advisories", || process::run(&mut deny(&["check", "advisories"])))
}
