//! `cargo xtask simulate`: more seeds of the simulation than the tests run, one seed with its events told, or the
//! proof that it finds bugs that are planted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    process,
    progress::{note, step},
    simulate::planted::{PLANTED, Planted},
    workspace::Workspace,
};

mod planted;

/// A bug that isn't found within so many seeds isn't found.
const SEEDS_PER_BUG: u64 = 20_000;

/// Which seeds.
pub(crate) enum Seeds {
    /// One, with its events told.
    One(u64),
    /// So many, from a given one on, or from one that nobody has run yet.
    Many { from: Option<u64>, count: u64 },
}

/// Runs seeds until one fails.
pub(crate) fn simulate(workspace: &Workspace, seeds: &Seeds) -> Result<()> {
    let seeds = match seeds {
        Seeds::One(seed) => seed.to_string(),
        Seeds::Many { from, count } => {
            let now =
                || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() * 1_000_000);
            let from = from.unwrap_or_else(now);
            format!("{from}..{}", from.saturating_add(*count))
        }
    };
    step(&format!("simulation: seeds {seeds}"), || {
        process::run(with_seeds(workspace.command("cargo"), &seeds).arg("--nocapture"))
    })
}

/// `cargo test` of the simulation.
const SIMULATION: [&str; 5] = ["test", "--package", "tallyboard", "--test", "simulation"];

/// The tests in which seeds are run.
fn with_seeds(mut cargo: Command, seeds: &str) -> Command {
    cargo.args(SIMULATION).args(["--", "--exact"]);
    cargo.args(["no_fault_costs_or_doubles_a_vote", "an_incomplete_log_stops_the_count"]);
    cargo.env("TALLYBOARD_SEEDS", seeds);
    cargo
}

/// Plants bugs in a copy of the sources, one at a time, and runs the simulation until it finds each. `only` names one.
pub(crate) fn find_planted(workspace: &Workspace, only: Option<&str>) -> Result<()> {
    let copy = workspace.target.join("planted");
    copy_sources(workspace, &copy)?;
    let bugs: Vec<_> = PLANTED.iter().filter(|bug| only.is_none_or(|only| bug.name == only)).collect();
    ensure!(!bugs.is_empty(), "no planted bug has this name");
    let mut missed = Vec::new();
    for bug in bugs {
        match find(workspace, &copy, bug)? {
            Some((seed, violation)) => note(&format!("{}: found by seed {seed}: {violation}", bug.name)),
            None => missed.push(bug.name),
        }
    }
    ensure!(missed.is_empty(), "not found within {SEEDS_PER_BUG} seeds: {missed:?}");
    Ok(())
}

/// The first seed that finds a bug, and what it says.
fn find(workspace: &Workspace, copy: &Path, bug: &Planted) -> Result<Option<(u64, String)>> {
    let before: Vec<(PathBuf, String)> = bug
        .edits
        .iter()
        .map(|edit| {
            let path = copy.join(edit.file);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            Ok((path, text))
        })
        .collect::<Result<_>>()?;
    bug.plant(copy)?;
    let outcome = run_planted(workspace, copy);
    for (path, text) in before.into_iter().rev() {
        fs::write(path, text)?;
    }
    outcome.with_context(|| bug.name)
}

/// The first seed that fails in a tree, and what it says.
fn run_planted(workspace: &Workspace, copy: &Path) -> Result<Option<(u64, String)>> {
    let cargo = || {
        let mut cargo = workspace.command("cargo");
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", &workspace.target);
        cargo
    };
    // Apart from the run: what can't be compiled is no find.
    process::run(cargo().args(SIMULATION).args(["--no-run", "--quiet"])).context("it can't be planted")?;
    let output = with_seeds(cargo(), &format!("0..{SEEDS_PER_BUG}")).output().context("cargo test")?;
    if output.status.success() {
        return Ok(None);
    }
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    let mut found: Vec<(u64, &str)> = told
        .lines()
        .filter_map(|line| line.strip_prefix("seed ")?.split_once(": "))
        .filter_map(|(seed, violation)| Some((seed.parse().ok()?, violation)))
        .collect();
    // Two tests run seeds at the same time.
    found.sort_unstable();
    let Some((seed, violation)) = found.first() else {
        bail!("the simulation failed without naming a seed:\n{told}");
    };
    Ok(Some((*seed, violation.chars().take(160).collect())))
}

/// Everything that git knows, with what isn't committed yet.
fn copy_sources(workspace: &Workspace, copy: &Path) -> Result<()> {
    let mut files = workspace.command("git");
    files.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    for file in process::output(&mut files)?.lines() {
        let (from, to) = (workspace.root.join(file), copy.join(file));
        if !from.is_file() {
            continue;
        }
        let content = fs::read(&from)?;
        // A file that stays keeps its time, so that cargo doesn't compile it again.
        if fs::read(&to).is_ok_and(|known| known == content) {
            continue;
        }
        fs::create_dir_all(to.parent().context("a file has a directory")?)?;
        fs::write(&to, content)?;
    }
    Ok(())
}
