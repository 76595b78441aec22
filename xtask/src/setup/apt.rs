//! Debian's package manager, for set-up that is ours to bring: only as root, or where sudo asks for no password.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::{process, progress::step};

/// Whether packages can be installed without asking anyone.
pub(crate) fn is_usable() -> bool {
    which::which("apt-get").is_ok() && (is_root() || has_silent_sudo())
}

/// The command that a user would type for the same.
pub(crate) fn command_line(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install -y {}", packages.join(" "))
}

/// Refreshes the package lists and installs.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    step(&command_line(packages), || {
        process::run(apt_get().args(["-qq", "update"]))?;
        process::run(apt_get().args(["-qq", "install", "-y", "--no-install-recommends"]).args(packages))
    })
}

fn apt_get() -> Command {
    let mut command = if is_root() {
        process::command("env")
    } else {
        let mut sudo = process::command("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    // A question from a package would wait for ever.
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn has_silent_sudo() -> bool {
    let mut sudo = process::command("sudo");
    sudo.args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success())
}
