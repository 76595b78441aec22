//! The browser for the browser tests: the machine's own Chromium or Chrome, never a download of Playwright's.

use std::{env, path::PathBuf};

use anyhow::{Result, bail};

use crate::{progress::already_there, setup::apt};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MAC_APPLICATIONS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const PACKAGES: &[&str] = &["chromium"];

/// Finds the browser, or installs it where that is possible.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    if let Some(path) = env::var_os("TALLYBOARD_CHROMIUM").map(PathBuf::from) {
        if !path.is_file() {
            bail!("TALLYBOARD_CHROMIUM names {}, which isn't there", path.display());
        }
        return Ok(path);
    }
    if let Some(path) = find() {
        already_there(&format!("browser {}", path.display()));
        return Ok(path);
    }
    if apt::is_usable() {
        apt::install(PACKAGES)?;
        if let Some(path) = find() {
            return Ok(path);
        }
    }
    bail!(
        "the browser tests need Chromium: install it (Debian: {}; Fedora: sudo dnf install chromium; macOS: brew \
         install --cask chromium), or set TALLYBOARD_CHROMIUM to its path",
        apt::command_line(PACKAGES)
    )
}

fn find() -> Option<PathBuf> {
    let on_path = NAMES.iter().find_map(|name| which::which(name).ok());
    on_path.or_else(|| MAC_APPLICATIONS.iter().map(PathBuf::from).find(|path| path.is_file()))
}
