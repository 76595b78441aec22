//! Where made-up votes go: into a journal, or to a server's HTTP ingest.

use std::time::Duration;

use serde::Deserialize;
use ureq::tls::TlsConfig;

use crate::journal::{Journal, JournalError, NewRecord, SIMULATION_HEADER};

/// Takes batches of records.
pub trait Sink {
    /// At most so many records are sent at once; each batch is waited for, so larger ones are faster.
    fn batch_max(&self) -> u64;

    /// Sends a batch and returns once it is durable.
    ///
    /// # Errors
    /// [`SinkError`]; after a transient one the whole batch is to be sent again.
    fn send(&self, batch: &[NewRecord]) -> Result<(), SinkError>;
}

/// Why a batch couldn't be sent.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The connection to the server.
    #[error("the server can't be reached")]
    Connection(#[source] Box<ureq::Error>),
    /// The server's refusal.
    #[error("the server answered {status}: {body}")]
    Refused {
        /// HTTP's status.
        status: u16,
        /// The problem, as the server tells it.
        body: String,
    },
}

impl SinkError {
    /// Whether trying again can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_transient(),
            Self::Connection(_) => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
        }
    }
}

/// Appends to a topic.
impl Sink for (&dyn Journal, &str) {
    fn batch_max(&self) -> u64 {
        20_000
    }

    fn send(&self, batch: &[NewRecord]) -> Result<(), SinkError> {
        let (journal, topic) = self;
        Ok(journal.append(topic, batch.to_vec()).map(drop)?)
    }
}

/// Posts to `/api/v1/votes`.
pub struct HttpSink {
    agent: ureq::Agent,
    url: String,
    token: String,
}

#[derive(Deserialize)]
struct Receipt {
    refused: u64,
}

impl HttpSink {
    /// Posts to the server at `base`, such as `http://127.0.0.1:8080`, with a bearer token; `tls` says whom to trust.
    #[must_use]
    pub fn new(base: &str, token: &str, tls: TlsConfig) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .tls_config(tls)
            .http_status_as_error(false)
            .build();
        let url = format!("{}/api/v1/votes", base.trim_end_matches('/'));
        Self { agent: config.into(), url, token: token.to_owned() }
    }
}

impl Sink for HttpSink {
    fn batch_max(&self) -> u64 {
        // Well below the server's limit on a body, whole records of the seeds included.
        2000
    }

    fn send(&self, batch: &[NewRecord]) -> Result<(), SinkError> {
        let mut body = Vec::new();
        for record in batch {
            body.extend_from_slice(&record.value);
            body.push(b'\n');
        }
        let failed = |error: ureq::Error| SinkError::Connection(Box::new(error));
        let mut response = self
            .agent
            .post(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/x-ndjson")
            .header(SIMULATION_HEADER, "1")
            .send(&body)
            .map_err(failed)?;
        let status = response.status().as_u16();
        let text =
            response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().map_err(failed)?;
        if status != 200 {
            return Err(SinkError::Refused { status, body: text.trim().to_owned() });
        }
        if let Ok(receipt) = serde_json::from_str::<Receipt>(&text)
            && receipt.refused > 0
        {
            tracing::debug!(refused = receipt.refused, "the server refused votes of the batch");
        }
        Ok(())
    }
}
