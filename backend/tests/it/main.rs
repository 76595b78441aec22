//! Integration tests: what must hold with a real store, a real Kafka and the real program.
//!
//! - `journal`: the port's promises, on every adapter.
//!
//! Kafka is named by `TALLYBOARD_TEST_KAFKA` (bootstrap servers); `cargo xtask test` starts one and sets it. Without
//! it the tests that need Kafka fail: a skip would hide what wasn't tested.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod journal;
mod support;
