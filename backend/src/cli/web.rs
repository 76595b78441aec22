//! What `serve` is told about the web: where to listen, who may connect, and how many.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use ipnet::IpNet;
use tokio_rustls::TlsAcceptor;

use crate::http::{self, Limits, Settings};

/// What else has files open: the journal, checkpoints, connections to brokers.
const FILES_OF_OTHERS: u64 = 1024;

/// Who may connect, and how.
#[derive(Clone, Debug, Args)]
pub struct WebArgs {
    /// The address to listen on.
    #[arg(long, env = "TALLYBOARD_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Pages of this origin may connect, read the API, and show the dashboard inside themselves, besides our own; may be
    /// repeated.
    #[arg(long, env = "TALLYBOARD_ALLOWED_ORIGIN", value_delimiter = ',', value_name = "https://HOST", value_parser = origin)]
    pub allowed_origin: Vec<String>,
    /// A certificate, with those that vouch for it, as PEM: the server then speaks HTTPS.
    #[arg(long, env = "TALLYBOARD_TLS_CERT", value_name = "FILE.pem", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, as PEM.
    #[arg(long, env = "TALLYBOARD_TLS_KEY", value_name = "FILE.pem", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Proxies that stand before the server, such as `10.0.0.0/8`; may be repeated. Their `X-Forwarded-For` says who the
    /// client is.
    #[arg(long, env = "TALLYBOARD_TRUSTED_PROXY", value_delimiter = ',', value_name = "CIDR", value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,
    /// At most so many are connected to follow the results; fewer where the system allows fewer open files.
    #[arg(long, env = "TALLYBOARD_MAX_CONNECTIONS", default_value_t = 50_000, value_name = "N")]
    pub max_connections: usize,
    /// At most so many of them from one address; from one /64 of IPv6.
    #[arg(long, env = "TALLYBOARD_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 1_000, value_name = "N")]
    pub max_connections_per_address: usize,
    /// A client's message on the WebSocket isn't longer.
    #[arg(long, env = "TALLYBOARD_MAX_MESSAGE_BYTES", default_value_t = 4096, value_name = "N")]
    pub max_message_bytes: usize,
    /// A client that sends more messages within a second is cut off.
    #[arg(long, env = "TALLYBOARD_MAX_MESSAGES_PER_SECOND", default_value_t = 20, value_name = "N")]
    pub max_messages_per_second: u32,
}

impl WebArgs {
    /// The settings; as many files may be open from now on as the system allows.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
            tracing::warn!(%error, "the limit on open files can't be raised");
            FILES_OF_OTHERS
        });
        let room = usize::try_from(files.saturating_sub(FILES_OF_OTHERS).max(FILES_OF_OTHERS / 2));
        let connections = self.max_connections.min(room.unwrap_or(usize::MAX));
        if connections < self.max_connections {
            tracing::info!(connections, files, "the limit on open files leaves room for fewer connections");
        }
        Settings {
            allowed_origins: self.allowed_origin.clone(),
            trusted_proxies: self.trusted_proxy.clone(),
            is_encrypted: self.tls_cert.is_some(),
            limits: Limits {
                connections,
                connections_per_address: self.max_connections_per_address,
                message_bytes: self.max_message_bytes,
                messages_per_second: self.max_messages_per_second,
            },
        }
    }

    /// What encrypts, where a certificate is named.
    ///
    /// # Errors
    /// Where the files can't be used.
    pub fn tls(&self) -> anyhow::Result<Option<TlsAcceptor>> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        files.map(|(certificate, key)| http::acceptor(certificate, key)).transpose()
    }
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().map(|address: std::net::IpAddr| address.to_canonical().into());
    text.parse().or_else(|_| address()).map_err(|_| format!("`{text}` is neither a network nor an address"))
}

/// An origin as a browser sends it; an empty variable in a compose file names none.
fn origin(text: &str) -> Result<String, String> {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@*,".contains(&byte))
    };
    if text.is_empty() || authority.is_some_and(is_host) {
        // Browsers send hosts in small letters.
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("`{text}` is not an origin, such as https://news.example or http://localhost:3000"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let origin = |text| super::origin(text).ok();
        assert_eq!(origin("https://News.example:8443"), Some("https://news.example:8443".into()));
        assert_eq!(origin("http://[::1]:8081"), Some("http://[::1]:8081".into()));
        assert_eq!(origin(""), Some(String::new()));
        for wrong in ["*", "news.example", "https://", "https://a/", "https://a/b", "ftp://a", "https://a b"]
        {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }
}
