//! `cargo xtask ci`: what must hold of the source before any test runs.
//!
//! Formatting, lints on the host and for wasm, documentation; warnings are errors. The dashboard is built on the way,
//! as the server, which is linted too, embeds it.

use anyhow::Result;

use crate::{dashboard, process, progress::step, setup, setup::wasm, workspace::Workspace};

/// Checks everything, the quickest first.
pub(crate) fn ci(workspace: &Workspace) -> Result<()> {
    let cargo = || workspace.command("cargo");
    step("ci: cargo fmt", || process::run(cargo().args(["fmt", "--all", "--check"])))?;
    let tools = setup::for_dashboard(workspace)?;
    dashboard::build(workspace, &tools)?;
    step("ci: clippy for wasm", || {
        let mut clippy = tools.command(workspace, "cargo");
        clippy.args(["clippy", "--package", "tallyboard-frontend", "--package", "tallyboard-shared"]);
        // The build's own profile: macros and build scripts are there already.
        clippy.args(["--target", wasm::TARGET, "--profile", "dashboard", "--", "-D", "warnings"]);
        process::run(&mut clippy)
    })?;
    step("ci: clippy", || {
        process::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("ci: cargo doc", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })
}
