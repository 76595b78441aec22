//! `cargo xtask dev`: the dashboard with live reload, for whoever works on it.
//!
//! Trunk serves the page and passes `/api` and `/ws` on to a backend (`frontend/Trunk.toml`): the one that already
//! answers, or one that is started here with simulated votes. Ctrl-C stops both.

use anyhow::{Result, bail};

use crate::{
    dashboard, http,
    process::{self, Process},
    progress::already_there,
    run::SERVER_GRACE,
    setup,
    workspace::Workspace,
};

const BACKEND: &str = "http://127.0.0.1:8080";
const PAGE: &str = "http://127.0.0.1:8081";
const PAGE_BY_NAME: &str = "http://localhost:8081";

/// Serves until Ctrl-C, or until one of the two ends.
pub(crate) fn dev(workspace: &Workspace) -> Result<()> {
    let tools = setup::for_dashboard(workspace)?;
    let mut backend = if http::is_ok(&format!("{BACKEND}/livez")) {
        already_there(&format!("backend on {BACKEND}"));
        None
    } else {
        let mut cargo = workspace.command("cargo");
        cargo.args(["run", "--package", "tallyboard", "--", "serve", "--simulate", "2000/s"]);
        // The page comes from another port than the socket.
        cargo.args(["--allowed-origin", PAGE, "--allowed-origin", PAGE_BY_NAME]);
        Some(Process::spawn(&mut cargo)?)
    };
    // Elsewhere than the release build's files, which the server's build embeds.
    let mut trunk = dashboard::trunk(workspace, &tools);
    trunk.arg("serve").arg("--dist").arg(workspace.target.join("dashboard/dev-dist"));
    let mut page = Process::spawn(&mut trunk)?;
    println!("\n    Live dashboard: {PAGE} (Ctrl-C stops it)\n");
    let outcome = wait_for_any(&mut page, backend.as_mut());
    page.stop(SERVER_GRACE)?;
    if let Some(backend) = &mut backend {
        backend.stop(SERVER_GRACE)?;
    }
    outcome
}

fn wait_for_any(page: &mut Process, mut backend: Option<&mut Process>) -> Result<()> {
    while process::pause().is_ok() {
        if let Some(status) = page.try_wait()? {
            page.check(status)?;
            bail!("trunk serve ended by itself");
        }
        if let Some(backend) = &mut backend
            && let Some(status) = backend.try_wait()?
        {
            backend.check(status)?;
            bail!("the backend ended by itself");
        }
    }
    Ok(())
}
