//! The dashboard's build: Trunk compiles it to wasm and puts every file of the page into `frontend/dist`, from where
//! the server's build embeds it.
//!
//! A build whose inputs, tools and output are unchanged isn't done again. They are compared by content: a checkout, or
//! `trunk build` by hand, changes times and files without telling us.

mod border;
mod compress;
mod page;
mod split;

use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
    slice,
};

use anyhow::{Context, Result};

use crate::{
    process,
    progress::{already_there, note, step},
    setup::DashboardTools,
    workspace::Workspace,
};

/// What the page is made of, relative to the workspace's root.
const INPUTS: [&str; 6] =
    ["Cargo.lock", "Cargo.toml", ".cargo/config.toml", "frontend", "shared", "xtask/src/dashboard"];
/// Directories that hold what was made or fetched.
const NOT_INPUTS: [&str; 3] = ["dist", "node_modules", "target"];

/// Builds the page into `frontend/dist`, unless it is there already.
pub(crate) fn build(workspace: &Workspace, tools: &DashboardTools) -> Result<()> {
    let dist = workspace.root.join("frontend/dist");
    let stamp = workspace.target.join("dashboard/built-from");
    let before = input_fingerprint(workspace, tools)?;
    if fs::read_to_string(&stamp).is_ok_and(|seen| is_built(&seen, before, &dist)) {
        already_there("dashboard");
        return Ok(());
    }
    step("dashboard: trunk build", || {
        process::run(trunk(workspace, tools).args(["build", "--release", "--features", "split"]))
    })?;
    step("dashboard: take apart", || split::apart(workspace, tools, &dist))?;
    step("dashboard: minify the page", || page::minified(workspace, tools, &dist))?;
    step("dashboard: compress", || compress::beside(&dist))?;
    let stamp_text = format!("{before:016x} {:016x}", fingerprint(slice::from_ref(&dist), &[])?);
    fs::write(&stamp, stamp_text).with_context(|| stamp.display().to_string())?;
    report_size(&dist)
}

/// Trunk with its tools, for the dashboard.
pub(crate) fn trunk(workspace: &Workspace, tools: &DashboardTools) -> std::process::Command {
    let mut trunk = tools.command(workspace, "trunk");
    trunk.current_dir(workspace.root.join("frontend"));
    // The tools are on PATH in the right versions: nothing is to be downloaded.
    trunk.env("TRUNK_OFFLINE", "true").env("TRUNK_SKIP_VERSION_CHECK", "true");
    // Trunk reads this as a Boolean, and fails at the customary value 1.
    if std::env::var_os("NO_COLOR").is_some() {
        trunk.env("NO_COLOR", "true");
    }
    trunk
}

fn is_built(stamp: &str, inputs: u64, dist: &Path) -> bool {
    let output = fingerprint(&[dist.to_path_buf()], &[]);
    dist.join("index.html").is_file()
        && output.is_ok_and(|output| stamp == format!("{inputs:016x} {output:016x}"))
}

fn input_fingerprint(workspace: &Workspace, tools: &DashboardTools) -> Result<u64> {
    let paths: Vec<_> = INPUTS.iter().map(|input| workspace.root.join(input)).collect();
    let files = fingerprint(&paths, &NOT_INPUTS)?;
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(files);
    hasher.write(tools.versions.as_bytes());
    Ok(hasher.finish())
}

/// A hash of the names and contents of all files, without the directories of the given names.
fn fingerprint(paths: &[PathBuf], skipped_dirs: &[&str]) -> Result<u64> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, skipped_dirs, &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let content = fs::read(&file).with_context(|| file.display().to_string())?;
        let name = file.as_os_str().as_encoded_bytes();
        for part in [name, &content] {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
    }
    Ok(hasher.finish())
}

fn collect(path: &Path, skipped_dirs: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let entry = entry?;
        let skipped =
            entry.file_type()?.is_dir() && skipped_dirs.iter().any(|name| entry.file_name() == *name);
        if !skipped {
            collect(&entry.path(), skipped_dirs, files)?;
        }
    }
    Ok(())
}

fn report_size(dist: &Path) -> Result<()> {
    for entry in fs::read_dir(dist)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let compressed = fs::metadata(compress::named(&path, "br"))?.len();
            let part =
                if path.to_string_lossy().ends_with("_later.wasm") { "later screens" } else { "overview" };
            let size = entry.metadata()?.len();
            note(&format!("wasm, {part}: {} KB, as Brotli {} KB", size / 1000, compressed / 1000));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_sees_contents_and_names_but_not_skipped_directories() {
        let dir = tempfile::tempdir().unwrap();
        let root = [dir.path().to_path_buf()];
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            fingerprint(&root, &["dist"]).unwrap()
        };
        let first = write("src/main.rs", "fn main() {}");
        assert_eq!(write("src/main.rs", "fn main() {}"), first);
        assert_eq!(write("dist/index.html", "<html>"), first);
        let changed = write("src/main.rs", "fn main() { }");
        assert_ne!(changed, first);
        fs::rename(dir.path().join("src/main.rs"), dir.path().join("src/lib.rs")).unwrap();
        assert_ne!(fingerprint(&root, &["dist"]).unwrap(), changed);
    }

    #[test]
    fn a_page_is_built_only_when_inputs_and_output_are_as_stamped() {
        let dir = tempfile::tempdir().unwrap();
        let dist = dir.path().to_path_buf();
        fs::write(dist.join("index.html"), "<html>").unwrap();
        let stamp = format!("{:016x} {:016x}", 7, fingerprint(slice::from_ref(&dist), &[]).unwrap());
        assert!(is_built(&stamp, 7, &dist));
        assert!(!is_built(&stamp, 8, &dist));
        fs::write(dist.join("index.html"), "<html lang>").unwrap();
        assert!(!is_built(&stamp, 7, &dist));
        fs::remove_file(dist.join("index.html")).unwrap();
        assert!(!is_built(&stamp, 7, &dist));
    }
}
