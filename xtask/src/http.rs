//! The little HTTP that chores need: a GET to a server on this machine, with a bounded wait.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use ureq::Agent;

/// Long enough for a server that is busy on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a GET is answered with 200.
pub(crate) fn is_ok(url: &str) -> bool {
    agent().get(url).call().is_ok()
}

/// The body of a GET that is answered with 200.
pub(crate) fn text(url: &str) -> Result<String> {
    Ok(agent().get(url).call()?.body_mut().read_to_string()?)
}

/// The JSON body of a GET that is answered with 200.
pub(crate) fn json(url: &str) -> Result<Value> {
    Ok(serde_json::from_str(&text(url)?)?)
}

fn agent() -> Agent {
    // No proxy: the server is on this machine, whatever the environment says about the outside.
    Agent::config_builder().timeout_global(Some(TIMEOUT)).proxy(None).build().into()
}
