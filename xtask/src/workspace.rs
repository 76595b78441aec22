//! Where things are: the workspace's root, Cargo's target directory, the per-user cache.
//!
//! Cargo is asked for the target directory, as the environment and configuration files may move it.
//! The cache holds what outlives a clone: Trunk, wasm-bindgen, Kafka's jars.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The paths that every chore needs.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) cache: PathBuf,
}

impl Workspace {
    /// Finds the workspace that this xtask was started from.
    pub(crate) fn locate() -> Result<Self> {
        // The variable first: a target directory shared by two clones may hold the other's binary.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest_dir.parent().context("xtask has no parent directory")?.to_path_buf();
        let mut metadata = process::command("cargo");
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&root);
        let metadata: Value = serde_json::from_str(&process::output(&mut metadata)?)?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
        Ok(Self { root, target: target.into(), cache: cache_dir()? })
    }

    /// A command that runs in the workspace's root.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> std::process::Command {
        let mut command = process::command(program.as_ref());
        command.current_dir(&self.root);
        command
    }

    /// The server's binary, as built with the given profile's directory name.
    pub(crate) fn tallyboard(&self, profile_dir: &str) -> PathBuf {
        self.target.join(profile_dir).join("tallyboard")
    }
}

fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("TALLYBOARD_CACHE").filter(|dir| !dir.is_empty()) {
        return std::path::absolute(dir).context("TALLYBOARD_CACHE");
    }
    if let Some(dir) = env::var_os("XDG_CACHE_HOME").filter(|dir| Path::new(dir).is_absolute()) {
        return Ok(PathBuf::from(dir).join("tallyboard"));
    }
    let home = env::home_dir().context("no home directory; set TALLYBOARD_CACHE")?;
    let caches = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    Ok(home.join(caches).join("tallyboard"))
}
