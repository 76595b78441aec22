//! What comes from npm: ECharts, bundled to the charts that we draw; wasm-opt; Playwright.
//!
//! `npm ci` runs when the lock file is newer than what was installed from it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::{
    process,
    progress::{already_there, step},
};

/// Installs the packages of a directory's lock file, unless they are there.
pub(crate) fn install(package_dir: &Path) -> Result<()> {
    let what = format!("npm packages of {}", name_of(package_dir));
    let lock = package_dir.join("package-lock.json");
    let installed = package_dir.join("node_modules/.package-lock.json");
    if !is_stale(&installed, &[lock])? {
        already_there(&what);
        return Ok(());
    }
    step(&what, || {
        let mut npm = process::command("npm");
        npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(package_dir);
        // The machine's browser is used, never one that Playwright brings.
        npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        process::run(&mut npm)
    })
}

/// Bundles the part of ECharts that the dashboard uses, unless the bundle is newer than what it is made of.
pub(crate) fn bundle_echarts(frontend: &Path) -> Result<()> {
    let what = "ECharts bundle";
    // Of its two parts the one that is written last.
    let bundle = frontend.join("echarts/controls.min.js");
    let mut inputs = vec![frontend.join("package.json"), frontend.join("package-lock.json")];
    for entry in fs::read_dir(frontend.join("echarts")).context("frontend/echarts")? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".min.js") {
            inputs.push(path);
        }
    }
    if !is_stale(&bundle, &inputs)? {
        already_there(what);
        return Ok(());
    }
    step(what, || {
        process::run(process::command("npm").args(["run", "--silent", "echarts"]).current_dir(frontend))?;
        if !bundle.is_file() {
            bail!("`npm run echarts` left no {}", bundle.display());
        }
        Ok(())
    })
}

/// Whether `output` is missing, or older than any of `inputs`, which must exist.
fn is_stale(output: &Path, inputs: &[PathBuf]) -> Result<bool> {
    let modified = |path: &Path| -> io::Result<SystemTime> { fs::metadata(path)?.modified() };
    let Ok(output_time) = modified(output) else {
        return Ok(true);
    };
    for input in inputs {
        if modified(input).with_context(|| input.display().to_string())? > output_time {
            return Ok(true);
        }
    }
    Ok(false)
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Duration};

    use super::*;

    fn write_at(path: &Path, seconds: u64) {
        let file = File::create(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn an_output_is_stale_when_missing_or_older_than_an_input() {
        let dir = tempfile::tempdir().unwrap();
        let [output, first, second] = ["output", "first", "second"].map(|name| dir.path().join(name));
        write_at(&first, 100);
        write_at(&second, 200);
        let inputs = [first, second.clone()];
        assert!(is_stale(&output, &inputs).unwrap());
        write_at(&output, 150);
        assert!(is_stale(&output, &inputs).unwrap());
        write_at(&output, 200);
        assert!(!is_stale(&output, &inputs).unwrap());
        fs::remove_file(second).unwrap();
        assert!(is_stale(&output, &inputs).is_err());
    }
}
