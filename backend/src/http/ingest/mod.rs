//! Votes by HTTP: one, or many as NDJSON; answered once the journal has them.
//!
//! A line that the count would reject whatever came before it is refused with its reason and not appended. One that this
//! process has just stored is a duplicate, and not appended either. Whether the voter has voted before, and whether the
//! vote is late, is for the count to say. Voter ids are in no answer and no log line. Nothing of a body is read before the
//! token is checked; few bodies are in memory at a time, and few requests wait for that.

mod recent;
mod tokens;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use serde::Serialize;
use tallyboard_shared::{Timestamp, election::Election, reason::Reason, vote::Vote};
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;

pub use self::tokens::{Tokens, TokensError, votes_per_second};
use self::{
    recent::{Recent, VoteHash},
    tokens::Token,
};
use super::{
    App, BODY_BYTES_MAX,
    problem::{Code, Problem},
    server::discard,
};
use crate::{
    journal::{Journal, NewRecord, Position, SIMULATION_HEADER},
    tally::{Roster, Rules, decode},
};

/// The HTTP header by which a sender says that its votes are made up.
const SIMULATION_HTTP_HEADER: &str = SIMULATION_HEADER;

/// A request has at most so many lines, whatever their length.
const LINES_MAX: u32 = 50_000;

/// A body that takes longer to come is given up: it holds a place.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// So many bodies are in memory at a time, at most.
const REQUESTS_AT_ONCE_MAX: usize = 8;

/// So many further requests wait unread, each so long.
const REQUESTS_WAITING_MAX: usize = 64;
const WAIT_MAX: Duration = Duration::from_secs(5);

/// When the journal doesn't keep up, it is worth another try after so many seconds.
const RETRY_AFTER_S: u32 = 2;

/// What a body may say that it is. `curl --data` calls everything a form; it is read as the JSON that it is.
pub(super) const MEDIA_TYPES: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "text/plain",
];

/// The names of UTF-8, and of its part that is plain ASCII.
const CHARSETS: [&str; 3] = ["utf-8", "utf8", "us-ascii"];

/// Where votes go and who may send them.
pub struct Ingest {
    journal: Arc<dyn Journal>,
    topic: String,
    roster: Roster,
    rules: Rules,
    tokens: Tokens,
    recent: Recent,
    /// Places for requests whose bodies are in memory.
    places: Semaphore,
    /// Places for requests that wait for one.
    waiting: Semaphore,
    /// How long they wait.
    wait_max: Duration,
    /// How long a body may take to come.
    body_timeout: Duration,
}

/// What became of the lines of a request.
#[derive(Serialize, ToSchema)]
pub(super) struct Receipt {
    /// Lines that are stored now.
    accepted: usize,
    /// Lines that were stored before.
    duplicates: usize,
    /// Lines that aren't stored.
    refused: usize,
    /// Line by line, without the blank ones.
    lines: Vec<LineReceipt>,
}

impl Receipt {
    /// What a request with a line of each kind is answered.
    pub(super) fn example() -> Self {
        let lines = vec![
            LineReceipt::Accepted { line: 1, partition: 9, offset: 1200 },
            LineReceipt::Duplicate { line: 2, partition: 9, offset: 1200 },
            LineReceipt::Refused { line: 3, reason: Reason::UnknownCandidate },
        ];
        Self { accepted: 1, duplicates: 1, refused: 1, lines }
    }
}

/// What became of a line. `line` is its number as it was sent: the first is 1, and blank lines count.
#[derive(Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
enum LineReceipt {
    /// Durable at this place of the votes topic.
    Accepted {
        #[schema(minimum = 1)]
        line: u32,
        partition: u32,
        offset: u64,
    },
    /// The very same vote is durable at this place already: nothing is lost, and nothing was appended.
    Duplicate {
        #[schema(minimum = 1)]
        line: u32,
        partition: u32,
        offset: u64,
    },
    /// Not appended.
    Refused {
        #[schema(minimum = 1)]
        line: u32,
        reason: Reason,
    },
}

/// What is to become of a line.
enum Sorted {
    Refused(Reason),
    /// Stored by an earlier request.
    Stored(Position),
    /// The record of this number among those that are to be appended.
    New(usize),
    /// The same as that record.
    Again(usize),
}

/// The lines of a request, and what is to be appended.
struct Batch {
    /// With the number of each as it was sent.
    lines: Vec<(u32, Sorted)>,
    records: Vec<NewRecord>,
    /// Of the records, in their order; made-up votes have none.
    hashes: Vec<Option<VoteHash>>,
}

impl Ingest {
    /// Takes votes for an election from whoever has a token.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, topic: String, election: &Election, tokens: Tokens) -> Self {
        Self {
            journal,
            topic,
            roster: Roster::new(election),
            rules: Rules::new(election),
            tokens,
            recent: Recent::new(),
            places: Semaphore::new(REQUESTS_AT_ONCE_MAX),
            waiting: Semaphore::new(REQUESTS_WAITING_MAX),
            wait_max: WAIT_MAX,
            body_timeout: BODY_TIMEOUT,
        }
    }

    /// A place for a body, once there is one.
    async fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let waiting = self.waiting.try_acquire();
        let place = async {
            let _waiting = waiting.ok()?;
            let place = tokio::time::timeout(self.wait_max, self.places.acquire()).await.ok()?;
            Some(place.expect("the semaphore is never closed"))
        };
        place.await.ok_or_else(|| {
            let detail = "votes come faster than the journal stores them; send these again";
            Problem::new(Code::JournalBehind, detail).retry_after(RETRY_AFTER_S)
        })
    }

    fn sort(&self, lines: &[(u32, &[u8])], simulated: bool) -> Batch {
        let now_ms = Timestamp::now().as_millisecond();
        let mut batch =
            Batch { lines: Vec::with_capacity(lines.len()), records: Vec::new(), hashes: Vec::new() };
        let mut within = HashMap::new();
        for (number, line) in lines {
            let sorted = self.check(line, now_ms, simulated).map_or_else(Sorted::Refused, |(key, hash)| {
                if let Some(hash) = hash {
                    if let Some(position) = self.recent.find(hash) {
                        return Sorted::Stored(position);
                    }
                    match within.entry(hash) {
                        Entry::Occupied(first) => return Sorted::Again(*first.get()),
                        Entry::Vacant(free) => {
                            free.insert(batch.records.len());
                        }
                    }
                }
                let mut record = NewRecord::new(key, *line);
                if simulated {
                    record.headers.push((SIMULATION_HEADER.into(), Vec::new()));
                }
                batch.records.push(record);
                batch.hashes.push(hash);
                Sorted::New(batch.records.len() - 1)
            });
            batch.lines.push((*number, sorted));
        }
        batch
    }

    /// The key of the record, where the count wouldn't reject the line whatever came before it; and what the vote is
    /// known by. The repetitions of a simulation are meant: they are for the count to find.
    fn check(
        &self,
        line: &[u8],
        now_ms: i64,
        simulated: bool,
    ) -> Result<(Vec<u8>, Option<VoteHash>), Reason> {
        let ballot = decode(line)?;
        self.rules.check(&ballot, Some(now_ms), simulated)?;
        let choice = self.roster.choice(&ballot)?;
        // Without a definition, numbers stand for nothing yet.
        let choice = self.roster.is_final().then_some(choice);
        let hash = (!simulated).then(|| self.recent.hash(&ballot, choice));
        Ok((ballot.voter_id.as_str().as_bytes().to_vec(), hash))
    }

    /// Appends what is new and tells what became of each line.
    async fn store(&self, batch: Batch) -> Result<Receipt, Problem> {
        let positions = if batch.records.is_empty() {
            Vec::new()
        } else {
            let (journal, topic, records) = (Arc::clone(&self.journal), self.topic.clone(), batch.records);
            let appended = tokio::task::spawn_blocking(move || journal.append(&topic, records)).await;
            appended.map_err(|panic| unavailable(&panic))?.map_err(|error| unavailable(&error))?
        };
        let known = batch.hashes.iter().zip(&positions);
        self.recent.add(known.filter_map(|(hash, position)| Some(((*hash)?, *position))));
        let mut receipt = Receipt { accepted: 0, duplicates: 0, refused: 0, lines: Vec::new() };
        for (line, sorted) in batch.lines {
            receipt.lines.push(match sorted {
                Sorted::Refused(reason) => {
                    receipt.refused += 1;
                    LineReceipt::Refused { line, reason }
                }
                Sorted::New(number) => {
                    receipt.accepted += 1;
                    let Position { partition, offset } = positions[number];
                    LineReceipt::Accepted { line, partition, offset }
                }
                Sorted::Stored(position) => {
                    receipt.duplicates += 1;
                    LineReceipt::Duplicate { line, partition: position.partition, offset: position.offset }
                }
                Sorted::Again(number) => {
                    receipt.duplicates += 1;
                    let Position { partition, offset } = positions[number];
                    LineReceipt::Duplicate { line, partition, offset }
                }
            });
        }
        Ok(receipt)
    }
}

/// Votes
///
/// One vote as JSON, or one a line (NDJSON): at most 50,000 in a request of at most 16 MiB (16,777,216 bytes), and 65,536 bytes
/// each. The body must have come within 30 seconds. Blank lines are passed over.
///
/// The answer comes once the journal has the votes, and tells of each line what became of it. Whether a voter has cast
/// another vote before is for the count to say.
///
/// After 408, 429, 500 and 503, after 400 with `unreadable_body`, and where no answer came, send the votes again, not before
/// `Retry-After` where there is one: a vote that arrives twice is counted once. After any other status (400, 401, 404, 413,
/// 415) the same request would be refused again.
///
/// - `accepted`: it is stored
/// - `duplicate`: the very same vote (voter, contest, candidate, place and time, however they are spelled) was stored before,
///   as far as this process remembers: the last hundred thousand votes, and none from before its start
/// - `refused`: the count would reject it, for this reason
///
/// `Content-Type` may be `application/json`, `application/x-ndjson`, `application/ndjson`, `application/jsonl`,
/// `application/octet-stream`, `text/plain` or `application/x-www-form-urlencoded` (which `curl --data` says), or absent: all
/// are read alike, as JSON in UTF-8. Another one, a `charset` other than UTF-8 or US-ASCII, and a compressed body are
/// refused.
///
/// The server keys each vote by its voter and gives it the partition that `murmur2` says (Java's default partitioner).
/// Whoever writes to the topic too must use the same partitioner, or a voter who comes both ways is counted twice: see
/// `/api/asyncapi.yaml`.
///
/// Whoever runs the server hands tokens out, and may limit a token to a number of votes a second. Every line counts, also a
/// `duplicate` and a `refused` one. A token may be ahead of its rate by ten seconds' worth of votes; a request that comes
/// before that is reached is taken whole, however many lines it has, and all others are answered with 429 until the token is
/// no further ahead than that: after `Retry-After` seconds, whatever the size of the request.
#[utoipa::path(
    post,
    path = "/api/v1/votes",
    tag = "votes",
    security(("token" = [])),
    params(("tallyboard-simulation" = Option<String>, Header, description = "Whatever it says, the votes are made up; a live election refuses those. No vote is then a `duplicate`")),
    request_body(
        description = "The votes",
        content((Vote<'_> = "application/json"), (String = "application/x-ndjson")),
    ),
    responses((status = OK, body = Receipt, description = "What became of each line")),
)]
pub(super) async fn votes(State(app): State<App>, request: Request) -> Result<Json<Receipt>, Problem> {
    let Some(ingest) = &app.0.ingest else {
        discard(request.into_body()).await;
        let detail = "votes by HTTP are off; they are on with TALLYBOARD_INGEST_TOKEN or --ingest-tokens";
        return Err(Problem::new(Code::IngestOff, detail));
    };
    let mut audit = Audit::default();
    let outcome = receive(ingest, request, &mut audit).await;
    audit.log(&outcome);
    outcome.map(Json)
}

async fn receive(ingest: &Ingest, request: Request, audit: &mut Audit) -> Result<Receipt, Problem> {
    let (head, mut body) = request.into_parts();
    let admitted = async {
        let token = ingest.tokens.of(&head.headers);
        let token = token.ok_or_else(|| Problem::new(Code::Unauthorized, "a bearer token is needed"))?;
        audit.token = Some(token.name.clone());
        if !is_readable(&head.headers) {
            let detail = "votes are application/json or application/x-ndjson, not compressed";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        let place = ingest.place().await?;
        Ok((token, place, read(&mut body, ingest.body_timeout).await?))
    };
    let (token, _place, body) = match admitted.await {
        Ok(admitted) => admitted,
        Err(problem) => {
            discard(body).await;
            return Err(problem);
        }
    };
    audit.bytes = body.len();
    let lines = split(&body);
    audit.lines = lines.len();
    if lines.is_empty() {
        return Err(Problem::new(Code::Empty, "there is no vote in the body"));
    }
    spend(token, lines.len())?;
    audit.simulated = head.headers.contains_key(SIMULATION_HTTP_HEADER);
    let batch = ingest.sort(&lines, audit.simulated);
    ingest.store(batch).await
}

async fn read(body: &mut Body, within: Duration) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    let Ok(read) = tokio::time::timeout(within, whole).await else {
        let detail = format!("the body didn't come within {} seconds", within.as_secs());
        return Err(Problem::new(Code::TimedOut, detail));
    };
    read.map(Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let detail = format!("a request has at most {BODY_BYTES_MAX} bytes");
            Problem::new(Code::BodyTooLarge, detail)
        } else {
            Problem::new(Code::UnreadableBody, "the body broke off")
        }
    })
}

fn spend(token: &Token, lines: usize) -> Result<(), Problem> {
    let lines = u32::try_from(lines).ok().filter(|lines| *lines <= LINES_MAX);
    let Some(lines) = lines else {
        let detail = format!("a request has at most {LINES_MAX} votes");
        return Err(Problem::new(Code::TooManyLines, detail));
    };
    token.spend(lines, Instant::now()).map_err(|wait| {
        // A fraction of a second is a second: nobody is told to come too early.
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let detail = "the token has sent as many votes as it may; send these again later";
        Problem::new(Code::RateLimited, detail).retry_after(seconds)
    })
}

/// What the log keeps of a request: who sent how much and what became of it, and nothing of the votes.
struct Audit {
    started: Instant,
    token: Option<String>,
    bytes: usize,
    lines: usize,
    simulated: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self { started: Instant::now(), token: None, bytes: 0, lines: 0, simulated: false }
    }
}

impl Audit {
    fn log(&self, outcome: &Result<Receipt, Problem>) {
        let (accepted, duplicates, refused) = outcome
            .as_ref()
            .map_or((0, 0, 0), |receipt| (receipt.accepted, receipt.duplicates, receipt.refused));
        tracing::info!(
            target: "tallyboard::audit",
            token = self.token.as_deref().unwrap_or("unknown"),
            outcome = outcome.as_ref().map_or_else(|problem| problem.code().as_str(), |_| "stored"),
            bytes = self.bytes,
            lines = self.lines,
            accepted,
            duplicates,
            refused,
            simulated = self.simulated,
            elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "votes by HTTP"
        );
    }
}

/// Whether the body says that it is, or may be, JSON as it stands. One that doesn't say is taken at its word.
fn is_readable(headers: &HeaderMap) -> bool {
    let said = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default().trim());
    let is_plain = |encoding: &str| encoding.eq_ignore_ascii_case("identity");
    said(header::CONTENT_ENCODING).all(is_plain) && said(header::CONTENT_TYPE).all(is_json)
}

/// Whether a `Content-Type` is one that we read, in the only encoding that JSON has.
fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_unicode = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let charset = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || CHARSETS.iter().any(|known| known.eq_ignore_ascii_case(charset))
    };
    MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(essence)) && parts.all(is_unicode)
}

/// One vote, however it is laid out, or one a line; with the number of the line on which it begins, blank ones counted.
fn split(body: &[u8]) -> Vec<(u32, &[u8])> {
    let lines = (1..).zip(body.split(|byte| *byte == b'\n'));
    let mut lines =
        lines.map(|(number, line)| (number, line.trim_ascii())).filter(|(_, line)| !line.is_empty());
    let whole = body.trim_ascii();
    if serde_json::from_slice::<&serde_json::value::RawValue>(whole).is_ok() {
        return lines.next().map(|(number, _)| (number, whole)).into_iter().collect();
    }
    lines.collect()
}

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "votes can't be appended");
    let detail = "the votes may not have been stored; send them again, a voter's second vote isn't counted";
    Problem::new(Code::JournalUnavailable, detail).retry_after(RETRY_AFTER_S)
}

#[cfg(test)]
mod tests;
