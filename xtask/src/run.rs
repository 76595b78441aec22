//! `cargo xtask run`: from a fresh checkout to a moving dashboard; and the release build that it starts.
//!
//! The server is asked to end when the user presses Ctrl-C, and its end is waited for: acknowledged votes are safe.

use std::{
    env,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    dashboard, http,
    process::{self, Process},
    progress::step,
    setup,
    workspace::Workspace,
};

/// What the demo starts with: the flag, the environment variable that stands for it, and our value.
const DEFAULTS: [(&str, &str, &str); 2] = [
    ("--simulate", "TALLYBOARD_SIMULATE", "2000/s"),
    ("--data-dir", "TALLYBOARD_DATA_DIR", "tallyboard-data"),
];
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The server gives its clients time to leave, and closes its journal.
pub(crate) const SERVER_GRACE: Duration = Duration::from_secs(20);

/// Builds all that is missing, and serves the demo until Ctrl-C.
pub(crate) fn run(workspace: &Workspace, extra: &[String]) -> Result<()> {
    let address = listen_address(extra)?;
    check_port(address)?;
    build(workspace)?;
    let mut command = workspace.command(workspace.tallyboard("release"));
    command.arg("serve").args(serve_arguments(extra, |variable| env::var_os(variable).is_some()));
    let mut server = Process::spawn(&mut command)?;
    let url = format!("http://{}", reachable(address));
    let outcome = step("tallyboard serve", || wait_until_ready(&mut server, &url));
    if process::is_interrupted() {
        return end(&mut server);
    }
    outcome?;
    println!("\n    Tallyboard is counting: open {url} (Ctrl-C stops it)\n");
    loop {
        if let Some(status) = server.try_wait()? {
            server.check(status)?;
            return Ok(());
        }
        if process::pause().is_err() {
            return end(&mut server);
        }
    }
}

/// Builds the dashboard, then the server with the dashboard in it.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let tools = setup::for_dashboard(workspace)?;
    dashboard::build(workspace, &tools)?;
    step("server: cargo build --release", || {
        process::run(workspace.command("cargo").args(["build", "--release", "--package", "tallyboard"]))
    })
}

fn end(server: &mut Process) -> Result<()> {
    step("stopping tallyboard", || {
        let status = server.stop(SERVER_GRACE)?;
        server.check(status)
    })
}

fn wait_until_ready(server: &mut Process, url: &str) -> Result<()> {
    let ready = format!("{url}/readyz");
    loop {
        if let Some(status) = server.try_wait()? {
            server.check(status)?;
            bail!("tallyboard ended before it was ready");
        }
        if http::is_ok(&ready) {
            return Ok(());
        }
        process::pause()?;
    }
}

/// Our defaults, without those that the user has set, then the user's arguments.
fn serve_arguments(extra: &[String], is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let mut arguments = Vec::new();
    for (flag, variable, value) in DEFAULTS {
        if value_of(extra, flag).is_none() && !is_set(variable) {
            arguments.extend([flag.to_owned(), value.to_owned()]);
        }
    }
    arguments.extend_from_slice(extra);
    arguments
}

/// The value of a flag, written `--flag value` or `--flag=value`.
fn value_of<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        if argument == flag {
            return Some(arguments.get(index + 1).map_or("", String::as_str));
        }
        argument.strip_prefix(flag)?.strip_prefix('=')
    })
}

fn listen_address(extra: &[String]) -> Result<SocketAddr> {
    let inherited = env::var("TALLYBOARD_LISTEN").ok();
    let text = value_of(extra, "--listen").or(inherited.as_deref()).unwrap_or(DEFAULT_LISTEN);
    text.parse().with_context(|| format!("`{text}` is no address such as {DEFAULT_LISTEN}"))
}

/// Fails early, not after minutes of compilation, when another program has the port.
fn check_port(address: SocketAddr) -> Result<()> {
    TcpListener::bind(address).map(drop).with_context(|| {
        format!(
            "{address} can't be listened on; for another port: cargo xtask run -- --listen 127.0.0.1:8090"
        )
    })
}

/// The address for a browser on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_users_arguments_replace_our_defaults() {
        let check = |extra, expected| {
            assert_eq!(serve_arguments(&words(extra), |_| false), words(expected), "{extra}");
        };
        check("", "--simulate 2000/s --data-dir tallyboard-data");
        check("--simulate 5/s", "--data-dir tallyboard-data --simulate 5/s");
        check("--data-dir=/tmp/x", "--simulate 2000/s --data-dir=/tmp/x");
        check("--data-directory x", "--simulate 2000/s --data-dir tallyboard-data --data-directory x");
    }

    #[test]
    fn the_environment_replaces_our_defaults() {
        let arguments = serve_arguments(&[], |variable| variable == "TALLYBOARD_DATA_DIR");
        assert_eq!(arguments, words("--simulate 2000/s"));
    }

    #[test]
    fn the_address_to_open_is_the_one_that_is_listened_on() {
        let address = listen_address(&words("--listen 0.0.0.0:9000")).unwrap();
        assert_eq!(reachable(address).to_string(), "127.0.0.1:9000");
        assert!(listen_address(&words("--listen nowhere")).is_err());
    }

    #[test]
    fn a_port_in_use_is_told_before_anything_is_built() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = check_port(taken.local_addr().unwrap()).unwrap_err().to_string();
        assert!(error.contains("--listen"), "{error}");
    }
}
