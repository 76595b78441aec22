//! The toolchain that compiles the dashboard to WebAssembly.
//!
//! Ordinary machines have rustup, and get the target from it. Where rustup's server can't be reached, Debian's archive
//! has a whole newer toolchain for building browsers; it comes with the source of `std`, which is then built along with
//! the dashboard. Only wasm builds see that toolchain: the server is built by the user's own.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::{
    process,
    progress::{already_there, note, step},
    setup::apt,
    workspace::Workspace,
};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The name under which rustup knows Debian's toolchain.
const LINKED: &str = "tallyboard-wasm";
/// Debian's toolchain, its `std` source, and a linker for wasm.
const DEBIAN_PACKAGES: &[&str] =
    &["rustc-web", "cargo-web", "rust-web-clippy", "rust-web-src", "rust-web-llvm", "lld-22"];
/// rustup retries an unreachable server for long; 20 MB take far less where it answers.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

/// How wasm is compiled here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasmToolchain {
    /// The user's toolchain has the target.
    Installed,
    /// Debian's toolchain builds `std` for the target.
    BuildsStd,
}

impl WasmToolchain {
    /// Makes a command, and what it starts, use this toolchain.
    pub(crate) fn apply(self, command: &mut Command) {
        if self == Self::Installed {
            return;
        }
        command.env("RUSTUP_TOOLCHAIN", LINKED);
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
        // `cargo run` points this at the libraries of the toolchain that built xtask.
        command.env_remove("LD_LIBRARY_PATH").env_remove("RUSTC").env_remove("RUSTDOC");
    }

    /// What its compiler says of itself.
    pub(crate) fn version(self, workspace: &Workspace) -> Result<String> {
        let mut rustc = workspace.command("rustc");
        self.apply(&mut rustc);
        process::output(rustc.arg("-vV"))
    }
}

/// Finds a toolchain that compiles to wasm, or installs one.
pub(crate) fn find_or_install(workspace: &Workspace) -> Result<WasmToolchain> {
    let what = format!("{TARGET} toolchain");
    if has_target(workspace)? {
        already_there(&what);
        return Ok(WasmToolchain::Installed);
    }
    if which::which("rustup").is_err() {
        bail!(
            "this Rust has no {TARGET}: install it through rustup, or your distribution's package (Fedora: \
             rust-std-static-wasm32-unknown-unknown, Debian: libstd-rust-dev-wasm32, Arch: rust-wasm)"
        );
    }
    if has_linked_toolchain(workspace) {
        already_there(&format!("{what} (Debian's, which builds std)"));
        return Ok(WasmToolchain::BuildsStd);
    }
    let added = step(&format!("rustup target add {TARGET}"), || {
        process::run_within(workspace.command("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT)
    });
    match added {
        Ok(()) => return Ok(WasmToolchain::Installed),
        Err(error) if error.is::<process::Interrupted>() => return Err(error),
        Err(error) => note(&format!("{error}; trying Debian's toolchain")),
    }
    if !apt::is_usable() {
        bail!(
            "rustup can't bring {TARGET} here. On Debian, this helps:\n  {}\n  rustup toolchain link {LINKED} /usr",
            apt::command_line(DEBIAN_PACKAGES)
        );
    }
    apt::install(DEBIAN_PACKAGES)?;
    process::run(workspace.command("rustup").args(["toolchain", "link", LINKED, "/usr"]))?;
    if !has_linked_toolchain(workspace) {
        bail!("Debian's toolchain is installed, but has no source of std to build");
    }
    Ok(WasmToolchain::BuildsStd)
}

/// Whether the user's toolchain has the target; asked of rustc, so that it holds without rustup too.
fn has_target(workspace: &Workspace) -> Result<bool> {
    let mut rustc = workspace.command("rustc");
    let libraries = process::output(rustc.args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(holds_core(Path::new(libraries.trim())))
}

fn holds_core(libraries: &Path) -> bool {
    let Ok(entries) = libraries.read_dir() else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn has_linked_toolchain(workspace: &Workspace) -> bool {
    let mut rustc = workspace.command("rustc");
    WasmToolchain::BuildsStd.apply(&mut rustc);
    rustc.stderr(std::process::Stdio::null());
    let Ok(output) = rustc.args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&output.stdout);
    output.status.success() && Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_there_when_its_core_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!holds_core(&dir.path().join("absent")));
        std::fs::write(dir.path().join("self-contained"), "").unwrap();
        assert!(!holds_core(dir.path()));
        std::fs::write(dir.path().join("libcore-0123.rlib"), "").unwrap();
        assert!(holds_core(dir.path()));
    }

    #[test]
    fn only_the_fallback_touches_the_environment() {
        let mut command = Command::new("cargo");
        WasmToolchain::Installed.apply(&mut command);
        assert_eq!(command.get_envs().count(), 0);
        WasmToolchain::BuildsStd.apply(&mut command);
        assert!(command.get_envs().any(|(name, _)| name == "RUSTC_BOOTSTRAP"));
    }
}
