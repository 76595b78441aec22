//! What the machine must bring: checked before anything long starts, and named all at once with what installs it.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::process;

/// A tool that xtask doesn't install by itself.
#[derive(Clone, Copy)]
pub(crate) struct Prerequisite {
    name: &'static str,
    purpose: &'static str,
    /// Any one of these programs will do.
    programs: &'static [&'static str],
    /// What asks a program for its version, and the lowest major version that will do.
    at_least: Option<(&'static str, u32)>,
    packages: Packages,
}

/// The package of each package manager that we know.
#[derive(Clone, Copy)]
struct Packages {
    apt: &'static str,
    dnf: &'static str,
    brew: &'static str,
}

pub(crate) const C_COMPILER: Prerequisite = Prerequisite {
    name: "a C compiler",
    purpose: "the Kafka client is built from source",
    programs: &["cc", "gcc", "clang"],
    at_least: None,
    packages: Packages { apt: "build-essential", dnf: "gcc gcc-c++ make", brew: "gcc" },
};

pub(crate) const CXX_COMPILER: Prerequisite = Prerequisite {
    name: "a C++ compiler",
    purpose: "the Kafka client's build asks for one",
    programs: &["c++", "g++", "clang++"],
    at_least: None,
    packages: Packages { apt: "build-essential", dnf: "gcc gcc-c++ make", brew: "gcc" },
};

pub(crate) const MAKE: Prerequisite = Prerequisite {
    name: "make",
    purpose: "the Kafka client is built from source",
    programs: &["make", "gmake"],
    at_least: None,
    packages: Packages { apt: "build-essential", dnf: "gcc gcc-c++ make", brew: "make" },
};

pub(crate) const NODE: Prerequisite = Prerequisite {
    name: "Node.js 20 or newer",
    purpose: "the charts are bundled and the browser tests run with it",
    programs: &["node"],
    at_least: Some(("--version", 20)),
    packages: Packages { apt: "nodejs npm", dnf: "nodejs npm", brew: "node" },
};

pub(crate) const NPM: Prerequisite = Prerequisite {
    name: "npm",
    purpose: "it brings ECharts, wasm-opt and Playwright",
    programs: &["npm"],
    at_least: None,
    packages: Packages { apt: "nodejs npm", dnf: "nodejs npm", brew: "node" },
};

pub(crate) const JAVA: Prerequisite = Prerequisite {
    name: "Java 17 or newer",
    purpose: "the tests run on a real Apache Kafka; a running Docker, or TALLYBOARD_TEST_KAFKA=host:port, will do as well",
    programs: &["java"],
    at_least: Some(("-version", 17)),
    packages: Packages { apt: "default-jre-headless", dnf: "java-latest-openjdk-headless", brew: "openjdk" },
};

pub(crate) const MAVEN: Prerequisite = Prerequisite {
    name: "Maven",
    purpose: "it fetches the Apache Kafka for the tests; a running Docker, or TALLYBOARD_TEST_KAFKA=host:port, will do as well",
    programs: &["mvn"],
    at_least: None,
    packages: Packages { apt: "maven", dnf: "maven", brew: "maven" },
};

pub(crate) const PYTHON: Prerequisite = Prerequisite {
    name: "Python 3 with venv",
    purpose: "the benchmarks compare with Apache Spark, which comes as a Python package",
    programs: &["python3"],
    at_least: Some(("--version", 3)),
    packages: Packages { apt: "python3-venv", dnf: "python3", brew: "python3" },
};

#[derive(Clone, Copy)]
enum PackageManager {
    Apt,
    Dnf,
    Brew,
}

/// Fails with one message for everything that is missing.
pub(crate) fn check(needed: &[Prerequisite]) -> Result<()> {
    let missing: Vec<_> = needed.iter().copied().filter(|prerequisite| !is_there(prerequisite)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("{}", message(&missing, package_manager()))
}

fn is_there(prerequisite: &Prerequisite) -> bool {
    prerequisite.programs.iter().any(|program| {
        which::which(program).is_ok()
            && prerequisite.at_least.is_none_or(|(flag, lowest)| {
                major_version(program, flag).is_some_and(|version| version >= lowest)
            })
    })
}

fn major_version(program: &str, flag: &str) -> Option<u32> {
    let mut command = process::command(program);
    // Java says its version on the standard error.
    let output = command.arg(flag).stdout(Stdio::piped()).stderr(Stdio::piped()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    parse_major(&String::from_utf8_lossy(&text))
}

/// The first number of a version such as `v20.19.2`, `openjdk version "17.0.15"` or the old `"1.8.0_402"`.
fn parse_major(text: &str) -> Option<u32> {
    let version = &text[text.find(|letter: char| letter.is_ascii_digit())?..];
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

fn package_manager() -> Option<PackageManager> {
    let there = |program| which::which(program).is_ok();
    if there("apt-get") {
        Some(PackageManager::Apt)
    } else if there("dnf") {
        Some(PackageManager::Dnf)
    } else if there("brew") {
        Some(PackageManager::Brew)
    } else {
        None
    }
}

fn message(missing: &[Prerequisite], manager: Option<PackageManager>) -> String {
    let mut text = String::from("this machine lacks:\n");
    for prerequisite in missing {
        text += &format!("  - {} ({})\n", prerequisite.name, prerequisite.purpose);
    }
    text += "install with:\n";
    let managers = manager.map_or_else(
        || vec![PackageManager::Apt, PackageManager::Dnf, PackageManager::Brew],
        |manager| vec![manager],
    );
    for manager in managers {
        text += &format!("  {}\n", install_command(missing, manager));
    }
    text += "then run the same command again";
    text
}

fn install_command(missing: &[Prerequisite], manager: PackageManager) -> String {
    let mut packages = Vec::new();
    for prerequisite in missing {
        let names = match manager {
            PackageManager::Apt => prerequisite.packages.apt,
            PackageManager::Dnf => prerequisite.packages.dnf,
            PackageManager::Brew => prerequisite.packages.brew,
        };
        for name in names.split(' ') {
            if !packages.contains(&name) {
                packages.push(name);
            }
        }
    }
    let command = match manager {
        PackageManager::Apt => "sudo apt-get install -y",
        PackageManager::Dnf => "sudo dnf install -y",
        PackageManager::Brew => "brew install",
    };
    format!("{command} {}", packages.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_versions_are_read() {
        let check = |text, expected| assert_eq!(parse_major(text), expected, "{text}");
        check("v20.19.2\n", Some(20));
        check("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17));
        check("java version \"1.8.0_402\"", Some(8));
        check("openjdk version \"21\" 2023-09-19", Some(21));
        check("The operation couldn't be completed. Unable to locate a Java Runtime.", None);
    }

    #[test]
    fn everything_missing_is_named_with_one_command() {
        let text = message(&[C_COMPILER, CXX_COMPILER, NPM, JAVA], Some(PackageManager::Apt));
        assert!(
            text.contains("a C compiler") && text.contains("npm (") && text.contains("Java 17"),
            "{text}"
        );
        let command = "sudo apt-get install -y build-essential nodejs npm default-jre-headless\n";
        assert!(text.contains(command), "{text}");
        assert!(!text.contains("brew"), "{text}");
    }

    #[test]
    fn an_unknown_system_gets_every_hint() {
        let text = message(&[NPM], None);
        assert!(
            text.contains("apt-get") && text.contains("dnf") && text.contains("brew install node"),
            "{text}"
        );
    }

    #[test]
    fn what_is_there_is_not_missing() {
        let shell = Prerequisite { name: "a shell", programs: &["no-such-shell", "sh"], ..MAKE };
        assert!(check(&[shell]).is_ok());
        let absent = Prerequisite { name: "a wand", programs: &["no-such-wand"], ..MAKE };
        assert!(check(&[shell, absent]).unwrap_err().to_string().contains("a wand"));
    }
}
