//! Apache Spark for the benchmarks: pyspark in a virtual environment, its Kafka connector by Maven.
//!
//! Both go to the per-user cache, once per version.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    process,
    progress::{already_there, step},
    setup::{
        maven, prerequisites,
        prerequisites::{JAVA, PYTHON},
    },
    workspace::Workspace,
};

/// pyspark and its connector have this version.
pub(crate) const VERSION: &str = "4.2.0";

/// Spark, ready to be started.
pub(crate) struct Spark {
    dir: PathBuf,
}

impl Spark {
    /// Tells a command where Spark is: the benchmarks look for these variables.
    pub(crate) fn tell(&self, command: &mut Command) -> Result<()> {
        let mut jars = Vec::new();
        for entry in fs::read_dir(self.dir.join("jars")).context("Spark's connector")? {
            jars.push(entry?.path().display().to_string());
        }
        let bin = self.dir.join("venv/bin");
        command.env("TALLYBOARD_SPARK_SUBMIT", bin.join("spark-submit"));
        command.env("TALLYBOARD_SPARK_JARS", jars.join(","));
        command.env("PYSPARK_PYTHON", bin.join("python3"));
        Ok(())
    }
}

/// Brings Spark and its connector, where they are missing.
pub(crate) fn find_or_install(workspace: &Workspace) -> Result<Spark> {
    prerequisites::check(&[JAVA, PYTHON])?;
    let dir = workspace.cache.join(format!("spark-{VERSION}"));
    fs::create_dir_all(&dir)?;
    install_pyspark(workspace, &dir)?;
    fetch_connector(workspace, &dir)?;
    Ok(Spark { dir })
}

fn install_pyspark(workspace: &Workspace, dir: &Path) -> Result<()> {
    let what = format!("Apache Spark {VERSION}");
    // A virtual environment can't be renamed when it is complete, so it says itself that it is.
    let complete = dir.join("venv/complete");
    if complete.is_file() {
        already_there(&what);
        return Ok(());
    }
    step(&format!("{what} (470 MB, once)"), || {
        let venv = dir.join("venv");
        process::run(process::command("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = process::command(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--requirement"]);
        process::run(pip.arg(workspace.root.join("engines/spark/requirements.txt")))?;
        fs::write(&complete, VERSION).context("marking Spark as complete")
    })
}

fn fetch_connector(workspace: &Workspace, dir: &Path) -> Result<()> {
    let what = format!("Spark's Kafka connector {VERSION}");
    let jars = dir.join("jars");
    if jars.is_dir() {
        already_there(&what);
        return Ok(());
    }
    maven()?;
    step(&what, || {
        // Renamed when complete, so that a broken download never counts as there.
        let partial = tempfile::Builder::new().prefix("jars-partial-").tempdir_in(dir)?;
        let mut maven = workspace.command("mvn");
        maven.args(["--batch-mode", "--quiet", "--no-transfer-progress", "dependency:copy-dependencies"]);
        maven.arg("--file").arg(workspace.root.join("engines/spark/pom.xml"));
        maven.arg(format!("-DoutputDirectory={}", partial.path().display()));
        process::run(&mut maven)?;
        let connector = format!("spark-sql-kafka-0-10_2.13-{VERSION}.jar");
        if !partial.path().join(&connector).is_file() {
            bail!("Maven brought no {connector}");
        }
        fs::rename(partial.keep(), jars).context("keeping Spark's connector")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_and_connector_name_the_same_version() {
        let pom = include_str!("../../../engines/spark/pom.xml");
        assert!(pom.contains(&format!("<spark.version>{VERSION}</spark.version>")));
        let requirements = include_str!("../../../engines/spark/requirements.txt");
        assert!(requirements.lines().any(|line| line == format!("pyspark=={VERSION}")));
    }
}
