//! Whom the commands that read from a server trust to be that server.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, ensure};
use clap::Args;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_tungstenite::Connector;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Whom to trust.
#[derive(Clone, Debug, Default, Args)]
pub struct TrustArgs {
    /// Certificates of the authorities that vouch for the server, as PEM, in place of those that everyone knows.
    #[arg(long, env = "TALLYBOARD_CA", value_name = "FILE.pem")]
    pub ca: Option<PathBuf>,
}

impl TrustArgs {
    /// For requests by HTTP.
    ///
    /// # Errors
    /// Where the file can't be used.
    pub fn requests(&self) -> anyhow::Result<TlsConfig> {
        let Some(authorities) = self.authorities()? else { return Ok(TlsConfig::default()) };
        let authorities: Vec<_> =
            authorities.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&authorities)).build())
    }

    /// For a WebSocket; `None` where those whom everyone knows are trusted.
    ///
    /// # Errors
    /// Where the file can't be used.
    pub fn websocket(&self) -> anyhow::Result<Option<Connector>> {
        let Some(authorities) = self.authorities()? else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).context("a certificate of --ca can't be used")?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS can't be set up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Connector::Rustls(Arc::new(config))))
    }

    fn authorities(&self) -> anyhow::Result<Option<Vec<CertificateDer<'static>>>> {
        let Some(file) = &self.ca else { return Ok(None) };
        let authorities = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("failed to read the certificates {}", file.display()))?;
        ensure!(!authorities.is_empty(), "{} holds no certificate", file.display());
        Ok(Some(authorities))
    }
}
