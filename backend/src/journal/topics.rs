//! The names of the topics and what each must be (CONTRACT, "Topics").

/// A snapshot of an election with a hundred thousand places has tens of megabytes; Kafka's own limit is one.
pub(super) const RECORD_BYTES_MAX: &str = "67108864";

/// The topics of one pipeline; all names carry its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// The ballot box.
    pub votes: String,
    /// Votes that aren't counted, with the reason.
    pub rejected: String,
    /// Tallies of partitions, by partition.
    pub tallies: String,
    /// Published results, by version.
    pub results: String,
    /// The newest votes of every candidate.
    pub candidates: String,
    /// The newest turnout of every place.
    pub turnout: String,
}

/// What happens to old records of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Kept for good.
    Keep,
    /// The newest of every key is kept.
    Compact,
}

/// How many partitions a topic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// One, because the order of all its records matters.
    One,
    /// Whatever it has; a new one gets so many.
    Any(u32),
}

impl Partitions {
    /// How many a new topic gets.
    #[must_use]
    pub fn when_new(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Any(count) => count.max(1),
        }
    }
}

/// What a topic must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: Partitions,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// Further settings of a new one, as Kafka names them.
    pub settings: Vec<(&'static str, &'static str)>,
}

impl Topics {
    /// The topics with a prefix, which may be empty.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let name = |name| format!("{prefix}{name}");
        Self {
            votes: name("votes_topic"),
            rejected: name("rejected_votes"),
            tallies: name("partition_tallies"),
            results: name("election_results"),
            candidates: name("aggregated_votes_per_candidate"),
            turnout: name("aggregated_turnout_by_location"),
        }
    }

    /// What each topic must be.
    #[must_use]
    pub fn specs(&self, vote_partitions: u32) -> Vec<TopicSpec> {
        let spec = |name: &String, partitions, cleanup, settings| TopicSpec {
            name: name.clone(),
            partitions,
            cleanup,
            settings,
        };
        vec![
            spec(&self.votes, Partitions::Any(vote_partitions), Cleanup::Keep, Vec::new()),
            spec(&self.rejected, Partitions::Any(vote_partitions), Cleanup::Keep, Vec::new()),
            // Whoever publishes is who holds the one partition. Small segments and early compaction keep it small.
            spec(
                &self.tallies,
                Partitions::One,
                Cleanup::Compact,
                vec![
                    ("segment.bytes", "67108864"),
                    ("min.cleanable.dirty.ratio", "0.01"),
                    ("max.message.bytes", RECORD_BYTES_MAX),
                ],
            ),
            spec(
                &self.results,
                Partitions::One,
                Cleanup::Keep,
                vec![("max.message.bytes", RECORD_BYTES_MAX)],
            ),
            spec(&self.candidates, Partitions::One, Cleanup::Compact, Vec::new()),
            spec(&self.turnout, Partitions::One, Cleanup::Compact, Vec::new()),
        ]
    }
}
