//! What several tests stand on: a journal of each kind with names of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use tallyboard::journal::{
    Topics,
    embedded::EmbeddedJournal,
    kafka::{KafkaJournal, KafkaSettings},
};

use crate::promises::TestJournal;

/// A prefix that no other test and no other run uses.
pub(crate) fn fresh_prefix() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    format!("t{}-{started}-{}-", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The bootstrap servers of the Kafka that the tests use.
pub(crate) fn kafka_servers() -> String {
    std::env::var("TALLYBOARD_TEST_KAFKA")
        .expect("TALLYBOARD_TEST_KAFKA names no Kafka: run the tests by `cargo xtask test`, which starts one")
}

pub(crate) fn kafka_settings() -> KafkaSettings {
    KafkaSettings { bootstrap_servers: kafka_servers(), properties: Vec::new(), instance_id: fresh_prefix() }
}

impl TestJournal {
    pub(crate) fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let journal = EmbeddedJournal::open(directory.path()).unwrap();
        Self { journal: Box::new(journal), topics: Topics::new(""), _directory: Some(directory) }
    }

    pub(crate) fn kafka() -> Self {
        let journal = KafkaJournal::new(kafka_settings()).unwrap();
        Self { journal: Box::new(journal), topics: Topics::new(&fresh_prefix()), _directory: None }
    }
}
