//! OpenSSL, by which the Kafka client encrypts: the system's where it is there, since it costs nothing to build.

use std::process::Stdio;

use anyhow::Result;

use crate::{
    process,
    progress::{already_there, note},
    setup::apt,
};

/// The oldest that librdkafka builds with.
const OLDEST: &str = "openssl >= 1.1.1";
const PACKAGES: &[&str] = &["libssl-dev", "pkg-config"];

/// The feature by which the server that is tested is built with TLS towards Kafka.
pub(crate) fn find_or_install() -> Result<&'static str> {
    if is_there() {
        already_there("OpenSSL");
    } else if apt::is_usable()
        && let Err(error) = apt::install(PACKAGES)
    {
        note(&format!("{error:#}"));
    }
    if is_there() {
        return Ok("tallyboard/kafka-tls-system");
    }
    note("pkg-config finds no OpenSSL: it is built along, which takes some minutes and needs perl");
    Ok("tallyboard/kafka-tls")
}

fn is_there() -> bool {
    let mut pkg_config = process::command("pkg-config");
    pkg_config.args(["--exists", OLDEST]).stdout(Stdio::null()).stderr(Stdio::null());
    pkg_config.status().is_ok_and(|status| status.success())
}
