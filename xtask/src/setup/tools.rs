//! The Rust tools that build the dashboard: Trunk, wasm-bindgen in the version that Cargo.lock names, and wasm-split; and
//! cargo-deny, which checks what is built of others.
//!
//! Built once into the per-user cache. A tool of the right version that the user has is used as it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use toml::Table;

use crate::{
    process,
    progress::{already_there, step},
    workspace::Workspace,
};

const TRUNK_VERSION: &str = "0.21.14";
/// Reads what the macros of `wasm_split_helpers` write, whose version Cargo.lock names.
const SPLIT_VERSION: &str = "0.2.4";
const DENY_VERSION: &str = "0.20.2";
/// They run for seconds, but are compiled on the user's machine: compile time counts.
const QUICK_BUILD: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
];

/// Makes sure that the tools are there, and returns the directory of those that we installed.
pub(crate) fn find_or_install(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.cache.join("tools");
    let bin = root.join("bin");
    let wasm_bindgen = locked_wasm_bindgen(workspace)?;
    // Trunk's lock file is kept. That of wasm-bindgen-cli isn't: it may name a version that was withdrawn.
    ensure(workspace, &root, "trunk", "trunk", TRUNK_VERSION, &["--locked"])?;
    ensure(workspace, &root, "wasm-bindgen", "wasm-bindgen-cli", &wasm_bindgen, &[])?;
    ensure_split(workspace, &root)?;
    Ok(bin)
}

/// Makes sure of cargo-deny, and returns its program.
pub(crate) fn deny(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.cache.join("tools");
    ensure(workspace, &root, "cargo-deny", "cargo-deny", DENY_VERSION, &["--locked"])?;
    let ours = root.join("bin/cargo-deny");
    Ok(if ours.exists() { ours } else { "cargo-deny".into() })
}

/// The versions in use, for telling whether a built dashboard is up to date.
pub(crate) fn versions(workspace: &Workspace) -> Result<String> {
    let wasm_bindgen = locked_wasm_bindgen(workspace)?;
    Ok(format!("trunk {TRUNK_VERSION}, wasm-bindgen {wasm_bindgen}, wasm-split {SPLIT_VERSION}\n"))
}

fn ensure(
    workspace: &Workspace,
    root: &Path,
    program: &str,
    package: &str,
    version: &str,
    flags: &[&str],
) -> Result<()> {
    let what = format!("{program} {version}");
    if is_version(&root.join("bin").join(program), version) {
        already_there(&what);
        return Ok(());
    }
    // A stale one of ours would stand before the user's on PATH.
    let stale = root.join("bin").join(program).exists();
    if !stale && which::which(program).is_ok_and(|path| is_version(&path, version)) {
        already_there(&format!("{what} (on PATH)"));
        return Ok(());
    }
    install(workspace, root, package, version, flags)
}

/// wasm-split doesn't tell its version, but Cargo does for what it installed.
fn ensure_split(workspace: &Workspace, root: &Path) -> Result<()> {
    let package = "wasm_split_cli_support";
    let installed = fs::read_to_string(root.join(".crates.toml")).unwrap_or_default();
    if installed.contains(&format!("\"{package} {SPLIT_VERSION} (")) {
        already_there(&format!("wasm-split {SPLIT_VERSION}"));
        return Ok(());
    }
    install(workspace, root, package, SPLIT_VERSION, &["--locked", "--features", "build-binary"])
}

fn install(workspace: &Workspace, root: &Path, package: &str, version: &str, flags: &[&str]) -> Result<()> {
    step(&format!("cargo install {package} {version} (some minutes, once)"), || {
        let build_dir =
            tempfile::Builder::new().prefix("tools-build-").tempdir_in(make_dir(&workspace.cache)?)?;
        let mut install = workspace.command("cargo");
        // Elsewhere than in the workspace, whose configuration is not meant for tools.
        install.current_dir(build_dir.path());
        install.args(["install", package, "--version", version, "--force"]).args(flags);
        install.arg("--root").arg(root).arg("--target-dir").arg(build_dir.path());
        install.envs(QUICK_BUILD);
        process::run(&mut install)
    })
}

fn make_dir(dir: &Path) -> Result<&Path> {
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    Ok(dir)
}

fn is_version(program: &Path, version: &str) -> bool {
    let Ok(output) = process::command(program).arg("--version").output() else {
        return false;
    };
    // The answer is `trunk 0.21.14`, on some systems with a commit behind it.
    String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1) == Some(version)
}

fn locked_wasm_bindgen(workspace: &Workspace) -> Result<String> {
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("reading Cargo.lock")?;
    locked_version(&lock, "wasm-bindgen")
}

/// The version of a package in the text of a lock file.
fn locked_version(lock: &str, package: &str) -> Result<String> {
    let lock: Table = lock.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(|packages| packages.as_array()).context("no packages")?;
    packages
        .iter()
        .find(|entry| entry.get("name").and_then(|name| name.as_str()) == Some(package))
        .and_then(|entry| entry.get("version")?.as_str())
        .map(str::to_owned)
        .with_context(|| format!("Cargo.lock doesn't name {package}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        version = 4
        [[package]]
        name = "wasm-bindgen-macro"
        version = "0.2.99"
        [[package]]
        name = "wasm-bindgen"
        version = "0.2.130"
        dependencies = ["cfg-if"]
    "#;

    #[test]
    fn the_locked_version_is_found_by_the_whole_name() {
        assert_eq!(locked_version(LOCK, "wasm-bindgen").unwrap(), "0.2.130");
    }

    #[test]
    fn a_package_that_is_not_locked_is_an_error() {
        let error = locked_version(LOCK, "leptos").unwrap_err().to_string();
        assert!(error.contains("leptos"), "{error}");
        assert!(locked_version("not a lock file", "leptos").is_err());
    }

    #[test]
    fn a_program_of_another_version_does_not_do() {
        assert!(!is_version(Path::new("/no/such/trunk"), TRUNK_VERSION));
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("trunk");
        fs::write(&program, "#!/bin/sh\necho trunk 0.21.1\n").unwrap();
        process::run(process::command("chmod").arg("+x").arg(&program)).unwrap();
        assert!(is_version(&program, "0.21.1"));
        assert!(!is_version(&program, "0.21.14"));
    }
}
