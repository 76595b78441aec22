//! Votes by HTTP: one, or many as NDJSON; answered once the journal has them.
//!
//! A line that the count would reject whatever came before it is refused with its reason and not appended. Whether the
//! voter has voted before, and whether the vote is late, is for the count to say. Voter ids are in no answer and no log
//! line. Nothing of a body is read before the token is checked, and few bodies are read at a time.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tallyboard_shared::{Timestamp, election::Election, reason::Reason};
use tokio::sync::Semaphore;

use super::{
    App,
    problem::{Code, Problem},
};
use crate::{
    journal::{Journal, NewRecord, SIMULATION_HEADER},
    tally::{Roster, Rules, decode},
};

/// The HTTP header by which a sender says that its votes are made up.
const SIMULATION_HTTP_HEADER: &str = SIMULATION_HEADER;

/// A request has at most so many lines, whatever their length.
const LINES_MAX: usize = 50_000;

/// So many bodies are in memory at a time, at most; further requests wait unread.
const REQUESTS_AT_ONCE_MAX: usize = 8;

/// What a body may say that it is. `curl --data` calls everything a form; it is read as the JSON that it is.
const MEDIA_TYPES: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "text/plain",
];

/// Where votes go and who may send them.
pub struct Ingest {
    journal: Arc<dyn Journal>,
    topic: String,
    roster: Roster,
    rules: Rules,
    /// Places for requests whose bodies are being read.
    places: Semaphore,
    /// Of the token: comparing digests takes the same time whatever was sent.
    token_digest: [u8; 32],
}

/// What became of the lines of a request.
#[derive(Serialize)]
pub(super) struct Receipt {
    accepted: usize,
    refused: usize,
    lines: Vec<LineReceipt>,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum LineReceipt {
    /// Durable at this place.
    Accepted { line: usize, partition: u32, offset: u64 },
    /// Not appended.
    Refused { line: usize, reason: Reason },
}

impl Ingest {
    /// Takes votes for an election from whoever has the token.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, topic: String, election: &Election, token: &str) -> Self {
        Self {
            journal,
            topic,
            roster: Roster::new(election),
            rules: Rules::new(election),
            places: Semaphore::new(REQUESTS_AT_ONCE_MAX),
            token_digest: Sha256::digest(token).into(),
        }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| given.strip_prefix("Bearer "));
        token.is_some_and(|token| <[u8; 32]>::from(Sha256::digest(token)) == self.token_digest)
    }

    /// The lines that are refused, by position, and the records of the others.
    fn sort(
        &self,
        body: &[u8],
        simulated: bool,
    ) -> Result<(Vec<Option<LineReceipt>>, Vec<NewRecord>), Problem> {
        let now_ms = Timestamp::now().as_millisecond();
        let mut lines = Vec::new();
        let mut records = Vec::new();
        for (number, line) in (1..).zip(split(body)) {
            if number > LINES_MAX {
                let detail = format!("a request has at most {LINES_MAX} votes");
                return Err(Problem::new(Code::TooManyLines, detail));
            }
            lines.push(match self.check(line, now_ms, simulated) {
                Ok(key) => {
                    let mut record = NewRecord::new(key, line);
                    if simulated {
                        record.headers.push((SIMULATION_HEADER.into(), Vec::new()));
                    }
                    records.push(record);
                    None
                }
                Err(reason) => Some(LineReceipt::Refused { line: number, reason }),
            });
        }
        if lines.is_empty() {
            return Err(Problem::new(Code::Empty, "there is no vote in the body"));
        }
        Ok((lines, records))
    }

    /// The key of the record, where the count wouldn't reject the line whatever came before it.
    fn check(&self, line: &[u8], now_ms: i64, simulated: bool) -> Result<Vec<u8>, Reason> {
        let ballot = decode(line)?;
        self.rules.check(&ballot, Some(now_ms), simulated)?;
        self.roster.choice(&ballot)?;
        Ok(ballot.voter_id.as_str().as_bytes().to_vec())
    }
}

/// Lets requests with the token through, before anything of their bodies is read.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(ingest) = &app.0.ingest else {
        let detail = "votes by HTTP are off; they are on when TALLYBOARD_INGEST_TOKEN is set";
        return Err(Problem::new(Code::IngestOff, detail));
    };
    if !ingest.admits(request.headers()) {
        return Err(Problem::new(Code::Unauthorized, "a bearer token is needed"));
    }
    if !is_readable(request.headers()) {
        let detail = "votes are application/json or application/x-ndjson, not compressed";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let _place = ingest.places.acquire().await.expect("the semaphore is never closed");
    Ok(next.run(request).await)
}

pub(super) async fn votes(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    let ingest = app.0.ingest.as_ref().expect("`admit` lets nobody through where there is no ingest");
    let body = body.map_err(|error| {
        let is_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let code = if is_large { Code::BodyTooLarge } else { Code::UnreadableBody };
        Problem::new(code, error.body_text())
    })?;
    let simulated = headers.contains_key(SIMULATION_HTTP_HEADER);
    let (lines, records) = ingest.sort(&body, simulated)?;
    let (journal, topic) = (Arc::clone(&ingest.journal), ingest.topic.clone());
    let appended = tokio::task::spawn_blocking(move || journal.append(&topic, records)).await;
    let positions = appended.map_err(|panic| unavailable(&panic))?.map_err(|error| unavailable(&error))?;
    let refused = lines.iter().flatten().count();
    let mut positions = positions.into_iter();
    let lines = (1..)
        .zip(lines)
        .map(|(line, refused)| {
            refused.unwrap_or_else(|| {
                let position = positions.next().expect("every record that was appended has a place");
                LineReceipt::Accepted { line, partition: position.partition, offset: position.offset }
            })
        })
        .collect::<Vec<_>>();
    Ok(Json(Receipt { accepted: lines.len() - refused, refused, lines }))
}

/// Whether the body says that it is, or may be, JSON as it stands. One that doesn't say is taken at its word.
fn is_readable(headers: &HeaderMap) -> bool {
    let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    let essence = |kind: &str| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_encoded = said(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    !is_encoded && said(header::CONTENT_TYPE).is_none_or(|kind| MEDIA_TYPES.contains(&essence(kind).as_str()))
}

/// One vote, however it is laid out, or one a line.
fn split(body: &[u8]) -> Vec<&[u8]> {
    let whole = body.trim_ascii();
    if serde_json::from_slice::<&serde_json::value::RawValue>(whole).is_ok() {
        return vec![whole];
    }
    whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect()
}

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "votes can't be appended");
    let detail = "the votes may not have been stored; send them again, a voter's second vote isn't counted";
    Problem::new(Code::JournalUnavailable, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_readable(headers: &[(header::HeaderName, &str)], expected: bool) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        assert_eq!(is_readable(&headers), expected, "{headers:?}");
    }

    #[test]
    fn a_body_that_says_that_it_is_something_else_is_not_read() {
        check_readable(&[], true);
        check_readable(&[(header::CONTENT_TYPE, "Application/JSON; charset=utf-8")], true);
        check_readable(&[(header::CONTENT_TYPE, "application/x-ndjson")], true);
        check_readable(&[(header::CONTENT_TYPE, "multipart/form-data; boundary=x")], false);
        check_readable(&[(header::CONTENT_TYPE, "")], false);
        check_readable(&[(header::CONTENT_ENCODING, "gzip")], false);
        check_readable(&[(header::CONTENT_ENCODING, "identity")], true);
    }

    #[test]
    fn a_body_is_one_vote_or_one_a_line() {
        assert_eq!(split(b"{\n \"a\": 1\n}\n").len(), 1);
        assert_eq!(split(b"{\"a\":1}\n\n{\"b\":2}\r\n"), [b"{\"a\":1}".as_slice(), b"{\"b\":2}"]);
        assert_eq!(split(b"{\"a\":1}\nrubbish").len(), 2);
        assert!(split(b" \n ").is_empty());
    }
}
