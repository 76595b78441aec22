//! `cargo xtask bench`: measures Tallyboard, beside what it is to be compared with, and writes docs/benchmarks.md.
//!
//! A benchmark is a Cargo bench target that prints rows of a table, a JSON object a line, or plain text. That goes into
//! the part of the page that is marked with the benchmark's name; what people have written around it stays.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{
    kafka::{self, Broker, Source},
    process,
    progress::{note, step},
    setup::{self, spark},
    workspace::Workspace,
};

/// A benchmark.
struct Benchmark {
    name: &'static str,
    target: &'static str,
    arguments: &'static [&'static str],
    needs_kafka: bool,
    needs_spark: bool,
}

const BENCHMARKS: [Benchmark; 10] = [
    Benchmark::of_fold("fold", &[]),
    Benchmark::of_fold("voters", &["memory"]),
    Benchmark::of_pipeline(&["consume"], true, false),
    Benchmark::of_pipeline(&["spark"], true, true),
    Benchmark::of_pipeline(&["latency"], true, true),
    Benchmark::of_pipeline(&["embedded"], false, false),
    Benchmark::of_pipeline(&["restart"], true, false),
    Benchmark::of_pipeline(&["memory"], true, false),
    Benchmark::of_pipeline(&["fanout"], false, false),
    Benchmark::of_pipeline(&["beside"], true, false),
];

impl Benchmark {
    const fn of_fold(name: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { name, target: "fold", arguments, needs_kafka: false, needs_spark: false }
    }

    const fn of_pipeline(
        arguments: &'static [&'static str; 1],
        needs_kafka: bool,
        needs_spark: bool,
    ) -> Self {
        Self { name: arguments[0], target: "pipeline", arguments, needs_kafka, needs_spark }
    }
}

/// A row of a table, as a benchmark prints it.
#[derive(Deserialize)]
struct Row {
    what: String,
    figure: String,
    beside: String,
    ratio: String,
    aim: String,
    met: Option<bool>,
}

/// Runs the named benchmarks, or all, each with its figures written as soon as it is done.
pub(crate) fn bench(workspace: &Workspace, names: &[String]) -> Result<()> {
    let chosen = choose(names)?;
    let source = kafka::choose_source();
    let needs_kafka = chosen.iter().any(|benchmark| benchmark.needs_kafka);
    if needs_kafka && matches!(source, Source::Jars) {
        setup::for_kafka(workspace)?;
    }
    let spark = if chosen.iter().any(|benchmark| benchmark.needs_spark) {
        Some(spark::find_or_install(workspace)?)
    } else {
        None
    };
    step("benchmarks: cargo bench --no-run", || {
        process::run(&mut cargo_bench(workspace, &chosen, &["--no-run"]))
    })?;
    let broker =
        if needs_kafka { Some(Broker::start(workspace, &source, kafka::free_port()?)?) } else { None };
    for benchmark in chosen {
        let output = step(&format!("benchmark: {}", benchmark.name), || {
            let mut command = cargo_bench(workspace, &[benchmark], &[&["--"], benchmark.arguments].concat());
            if let Some(broker) = &broker {
                command.env("TALLYBOARD_TEST_KAFKA", broker.bootstrap());
            }
            if let Some(spark) = &spark {
                spark.tell(&mut command)?;
            }
            output_of(&mut command)
        })?;
        let text = presented(&output)? + &circumstances(workspace, benchmark)?;
        let page = workspace.root.join("docs/benchmarks.md");
        let before = fs::read_to_string(&page).context("docs/benchmarks.md")?;
        fs::write(&page, replaced(&before, benchmark.name, &text)?)?;
        note(&format!("written to {}", page.display()));
    }
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<&'static Benchmark>> {
    let known = |name: &String| BENCHMARKS.iter().any(|benchmark| benchmark.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<_> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
        bail!("there is no benchmark `{unknown}`, only {}", all.join(", "));
    }
    let wanted = |benchmark: &&Benchmark| names.is_empty() || names.iter().any(|name| name == benchmark.name);
    Ok(BENCHMARKS.iter().filter(wanted).collect())
}

fn cargo_bench(workspace: &Workspace, benchmarks: &[&Benchmark], arguments: &[&str]) -> Command {
    let mut cargo = workspace.command("cargo");
    cargo.args(["bench", "--package", "tallyboard"]);
    for benchmark in benchmarks {
        cargo.args(["--bench", benchmark.target]);
    }
    cargo.args(arguments);
    cargo
}

/// Runs a benchmark and returns what it printed.
fn output_of(command: &mut Command) -> Result<String> {
    let output = tempfile::NamedTempFile::new()?;
    process::run(command.stdout(output.reopen()?))?;
    Ok(fs::read_to_string(output.path())?)
}

/// Rows as a table, anything else as it is.
fn presented(output: &str) -> Result<String> {
    let rows = output.lines().filter(|line| line.starts_with('{'));
    let rows = rows.map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
    let rows = rows.collect::<Result<Vec<Row>>>()?;
    Ok(if rows.is_empty() { format!("```text\n{}\n```\n", output.trim_end()) } else { table(&rows) })
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("| | Tallyboard | beside it | ratio | aim | |\n|---|---|---|---|---|---|\n");
    for Row { what, figure, beside, ratio, aim, met } in rows {
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        let line = format!("| {what} | {figure} | {beside} | {ratio} | {aim} | {verdict} |\n");
        text.push_str(&line.replace("|  |", "| |").replace("|  |", "| |"));
    }
    text
}

/// Where and when the figures are from.
fn circumstances(workspace: &Workspace, benchmark: &Benchmark) -> Result<String> {
    let first_line = |program: &str, arguments: &[&str]| {
        let mut command = workspace.command(program);
        process::output(command.args(arguments))
            .map(|text| text.lines().next().unwrap_or_default().to_owned())
    };
    let mut parts = vec![
        first_line("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])?,
        format!("commit {}", first_line("git", &["rev-parse", "--short", "HEAD"])?),
        machine(Path::new("/proc")),
        first_line("uname", &["-sr"])?,
        first_line("rustc", &["--version"])?,
    ];
    if benchmark.needs_kafka {
        parts.push(format!("Apache Kafka {} on the same cores", kafka::VERSION));
    }
    if benchmark.needs_spark {
        parts.push(format!("Apache Spark {}", spark::VERSION));
    }
    Ok(format!("\n{}.\n", parts.join(", ")))
}

/// Processors and memory, as the kernel tells them.
fn machine(proc: &Path) -> String {
    let processors = fs::read_to_string(proc.join("cpuinfo")).unwrap_or_default();
    let models: Vec<_> = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    let memory = fs::read_to_string(proc.join("meminfo")).unwrap_or_default();
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let gigabytes = kilobytes.unwrap_or_default().div_ceil(1 << 20);
    format!("{} × {}, {gigabytes} GB", models.len(), models.first().unwrap_or(&"an unknown processor"))
}

/// The page with the part of a benchmark replaced.
fn replaced(page: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench {name} -->\n"), format!("<!-- end {name} -->"));
    let missing = || format!("docs/benchmarks.md has no part that is marked with `{begin}`");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok([before, &begin, text, &end, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_part_for_every_benchmark() {
        let page = include_str!("../../docs/benchmarks.md");
        for benchmark in &BENCHMARKS {
            replaced(page, benchmark.name, "").unwrap();
        }
    }

    #[test]
    fn only_the_marked_part_is_replaced() {
        let page = "before\n<!-- bench x -->\nold\n<!-- end x -->\nafter\n";
        let new = replaced(page, "x", "new\n").unwrap();
        assert_eq!(new, "before\n<!-- bench x -->\nnew\n<!-- end x -->\nafter\n");
        assert!(replaced(page, "y", "").is_err());
    }

    #[test]
    fn a_row_says_whether_its_aim_was_met() {
        let line = r#"{"what":"w","figure":"1","beside":"","ratio":"","aim":"≥ 2","met":false}"#;
        let text = table(&[serde_json::from_str(line).unwrap()]);
        assert!(text.ends_with("| w | 1 | | | ≥ 2 | missed |\n"), "{text}");
    }
}
