//! Takes the page's program apart: what the overview needs, and the screens after it (`frontend/src/pages/later.rs`).
//!
//! Trunk leaves the program whole, with the linker's word on what refers to what; its page names the two files that are
//! replaced here. Then wasm-opt makes both parts small.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::border;
use crate::{
    process,
    setup::{DashboardTools, wasm},
    workspace::Workspace,
};

/// The program's binary, and the beginning of its files' names.
const PROGRAM: &str = "tallyboard-frontend";
/// What wasm-split calls the part of the later screens.
const LATER: &str = "split_later.wasm";
/// What the programs are made small by; docs/benchmarks.md has what each is worth.
const OPTIMIZE: [&str; 4] = [
    "-Os",
    "--skip-pass=local-cse",
    "--one-caller-inline-max-function-size=0",
    "--reorder-functions-by-name",
];

/// Replaces the program in `dist` by its parts.
pub(super) fn apart(workspace: &Workspace, tools: &DashboardTools, dist: &Path) -> Result<()> {
    let name = name_in(dist)?;
    let whole = workspace
        .target
        .join("dashboard")
        .join(wasm::TARGET)
        .join("dashboard")
        .join(format!("{PROGRAM}.wasm"));
    let parts = workspace.target.join("dashboard/parts");
    fs::remove_dir_all(&parts).ok();
    fs::create_dir_all(&parts).with_context(|| parts.display().to_string())?;
    let run = |program: &str, arguments: &[&str]| {
        process::run(tools.command(workspace, program).args(arguments).current_dir(&parts))
    };
    run("wasm-split-cli", &[text(&whole)?, ".", "--out-name", &name])?;
    let main = format!("{name}.wasm");
    run(
        "wasm-bindgen",
        &[
            &main,
            "--target",
            "web",
            "--out-dir",
            "bound",
            "--out-name",
            &name,
            "--no-typescript",
            "--keep-lld-exports",
        ],
    )?;
    let found: Vec<_> =
        files(&parts)?.into_iter().filter(|file| file.ends_with(".wasm") && *file != main).collect();
    ensure!(found == [LATER], "the program came apart into {found:?}");
    // What binds the program to the browser and what fetches its other part refer to each other: one file.
    let fetching = fs::read_to_string(parts.join("__wasm_split.js"))?;
    // The page itself says what couldn't be fetched.
    fs::write(parts.join("bound/__wasm_split.js"), fetching.replace("console.error(e);", ""))?;
    let script = format!("{name}.js");
    let binding = parts.join("bound").join(&script);
    fs::write(&binding, without_classes(&fs::read_to_string(&binding)?))?;
    run(
        "esbuild",
        &[
            &format!("bound/{script}"),
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=es2022",
            &format!("--outfile={script}"),
        ],
    )?;
    let later = format!("{name}_later.wasm");
    let bound = fs::read_to_string(parts.join(&script))?;
    ensure!(bound.matches(LATER).count() == 1, "{script} doesn't fetch {LATER}");
    let first = format!("{name}_bg.wasm");
    let (program, bound) = border::shortened(&fs::read(parts.join("bound").join(&first))?, &bound)?;
    fs::write(parts.join(&first), program)?;
    fs::write(dist.join(&script), bound.replace(LATER, &later))?;
    for (part, file) in [(first.clone(), first), (LATER.to_owned(), later)] {
        let file = dist.join(file);
        run("wasm-opt", &[&OPTIMIZE[..], &[&*part, "-o", text(&file)?]].concat())?;
    }
    Ok(())
}

/// A script of wasm-bindgen's without the classes that it hands out: streams between Leptos and a server of its own.
fn without_classes(script: &str) -> String {
    let mut without = String::with_capacity(script.len());
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let is_last: fn(&str) -> bool = if line.starts_with("export class ") {
            |line| line == "}"
        } else if line.starts_with("if (Symbol.dispose)") || line.starts_with("const Into") {
            |line| line.ends_with(';')
        } else {
            without.extend([line, "\n"]);
            continue;
        };
        if !is_last(line) {
            lines.by_ref().find(|line| is_last(line));
        }
    }
    without
}

/// What the files of the program begin with: its name and the hash of the whole.
fn name_in(dist: &Path) -> Result<String> {
    let ending = "_bg.wasm";
    let names: Vec<_> =
        files(dist)?.into_iter().filter(|name| name.starts_with(PROGRAM) && name.ends_with(ending)).collect();
    ensure!(names.len() == 1, "{} has the programs {names:?}", dist.display());
    Ok(names[0].trim_end_matches(ending).to_owned())
}

fn files(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} isn't Unicode", path.display()))
}
