//! Integration tests: what must hold with a real store, a real Kafka and the real program.
//!
//! - `api`: the documents of the API against what the program answers and sends.
//! - `codecs`: how batches on a topic are compressed.
//! - `earlier`: earlier versions, parts of a version, and what may be seen of them.
//! - `export`: results as files, from the server and from the journal.
//! - `hostile`: strangers who mean harm, and clients that are served meanwhile.
//! - `ingest`: votes by HTTP: tokens, rates, repetitions and what the log says.
//! - `journal`: the port's promises, on every adapter.
//! - `kafka_secure`: Kafka with TLS and a password.
//! - `pipeline`: the program from a vote to HTTP, WebSocket and topics, through crashes.
//! - `recount`: counting again, on every journal.
//! - `replay`: the UK general election of 2024, at a small scale.
//! - `scale_out`: roles in processes of their own that join, leave and die.
//! - `secure`: encryption, security headers, and that secrets stay secret.
//! - `voters`: that no output of a full run says who has voted.
//! - `watch`: the results in a terminal.
//! - `web`: routes, refusals and sockets of the program.
//!
//! Kafka is named by `TALLYBOARD_TEST_KAFKA` (bootstrap servers); `cargo xtask test` starts one and sets it. Without
//! it the tests that need Kafka fail: a skip would hide what wasn't tested.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod batches;
mod earlier;
mod export;
mod hostile;
mod ingest;
mod journal;
#[cfg(any(feature = "kafka-tls", feature = "kafka-tls-system"))]
mod kafka_secure;
mod pipeline;
#[path = "../promises/mod.rs"]
mod promises;
mod recount;
mod replay;
mod scale_out;
mod secure;
mod server;
mod support;
mod voters;
mod watch;
mod web;
