//! Everything that must be on the machine before a build or a test: found, or installed where that is possible.
//!
//! What only the user can decide on (a compiler, npm, Java) is checked first and named all at once, before
//! anything long starts. What is ours to bring goes to the per-user cache or to `node_modules`.

mod apt;
mod browser;
mod npm;
pub(crate) mod openssl;
mod prerequisites;
pub(crate) mod spark;
pub(crate) mod tools;
pub(crate) mod wasm;

use std::{ffi::OsString, path::PathBuf, process::Command};

use anyhow::Result;

pub(crate) use crate::setup::wasm::WasmToolchain;
use crate::{
    kafka::{self, Source},
    progress::note,
    setup::prerequisites::{C_COMPILER, CXX_COMPILER, JAVA, MAKE, MAVEN, NODE, NPM},
    workspace::Workspace,
};

/// What builds the dashboard.
pub(crate) struct DashboardTools {
    pub(crate) wasm: WasmToolchain,
    /// PATH with Trunk, wasm-bindgen and wasm-opt in front.
    path: OsString,
    /// Says which tools these are; a dashboard built by others is built again.
    pub(crate) versions: String,
}

impl DashboardTools {
    /// A command that finds the tools and the wasm toolchain.
    pub(crate) fn command(&self, workspace: &Workspace, program: &str) -> Command {
        let mut command = workspace.command(program);
        command.env("PATH", &self.path);
        // A target directory of its own: another toolchain's artifacts beside ours would evict each other.
        command.env("CARGO_TARGET_DIR", workspace.target.join("dashboard"));
        self.wasm.apply(&mut command);
        command
    }
}

/// What the tests need besides the dashboard's tools.
pub(crate) struct TestTools {
    pub(crate) dashboard: DashboardTools,
    pub(crate) chromium: PathBuf,
    pub(crate) kafka: Source,
    /// The features that are tested.
    pub(crate) features: &'static str,
}

/// The set-up for building the dashboard and the server.
pub(crate) fn for_dashboard(workspace: &Workspace) -> Result<DashboardTools> {
    prerequisites::check(&[C_COMPILER, CXX_COMPILER, MAKE, NODE, NPM])?;
    dashboard_tools(workspace)
}

/// The set-up for everything, the tests too.
pub(crate) fn for_tests(workspace: &Workspace) -> Result<TestTools> {
    let source = kafka::choose_source();
    let mut needed = vec![C_COMPILER, CXX_COMPILER, MAKE, NODE, NPM];
    if matches!(source, Source::Jars) {
        needed.push(JAVA);
    }
    prerequisites::check(&needed)?;
    // The quick and fragile first: what can't be had should be known before minutes are spent.
    let chromium = browser::find_or_install()?;
    if matches!(source, Source::Jars) {
        kafka::fetch_jars(workspace)?;
    }
    let features = features_to_test(&source)?;
    npm::install(&workspace.root.join("e2e"))?;
    let dashboard = dashboard_tools(workspace)?;
    Ok(TestTools { dashboard, chromium, kafka: source, features })
}

/// With TLS towards Kafka, where there is a broker to test that on.
fn features_to_test(source: &Source) -> Result<&'static str> {
    if matches!(source, Source::Given(_)) && std::env::var_os(kafka::SECURE_KAFKA).is_none() {
        note(&format!("KAFKA OVER TLS IS NOT TESTED: {} names no broker that has it", kafka::SECURE_KAFKA));
        return Ok("");
    }
    openssl::find_or_install()
}

/// The set-up for running a broker from Kafka's jars.
pub(crate) fn for_kafka(workspace: &Workspace) -> Result<()> {
    prerequisites::check(&[JAVA])?;
    kafka::fetch_jars(workspace)
}

/// Makes sure of Maven, which only fetching Kafka's jars needs.
pub(crate) fn maven() -> Result<()> {
    if prerequisites::check(&[MAVEN]).is_err() && apt::is_usable() {
        apt::install(&["maven"])?;
    }
    prerequisites::check(&[MAVEN])
}

fn dashboard_tools(workspace: &Workspace) -> Result<DashboardTools> {
    let frontend = workspace.root.join("frontend");
    let wasm = wasm::find_or_install(workspace)?;
    npm::install(&frontend)?;
    npm::bundle_echarts(&frontend)?;
    let tools_dir = tools::find_or_install(workspace)?;
    let node_bin = frontend.join("node_modules/.bin");
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths([tools_dir, node_bin].into_iter().chain(std::env::split_paths(&inherited)))?;
    let versions = format!("{}{}", wasm.version(workspace)?, tools::versions(workspace)?);
    Ok(DashboardTools { wasm, path, versions })
}
