//! The newest publication, read back from `election_results`: where a publisher goes on, and what a recount checks.

use tallyboard_shared::{
    election::Election,
    results::Results,
    timeline::{Timeline, TimelineUpdate},
    update::Update,
};

use super::{publication::PublicationRecord, publisher::SNAPSHOT_EVERY};
use crate::journal::{Journal, JournalError, read_to_end};

/// The newest version, and the definition in the snapshot before it.
#[derive(Clone, Debug)]
pub struct NewestPublication {
    /// The definition that was counted by.
    pub election: Election,
    /// The results.
    pub results: Results,
    /// The timeline; `None` where the snapshot is of a version of Tallyboard that wrote none.
    pub timeline: Option<Timeline>,
}

impl NewestPublication {
    fn apply(&mut self, update: &Update, step: Option<&TimelineUpdate>) -> Result<(), String> {
        self.results.apply(update).map_err(|gap| format!("it doesn't follow: {gap:?}"))?;
        if let Some(timeline) = &mut self.timeline {
            timeline.apply(step, self.results.version, self.results.watermark);
        }
        Ok(())
    }
}

/// Reads the newest publication; [`None`] where nothing was published.
///
/// # Errors
/// [`JournalError::Unfit`] where the newest publication can't be understood: going on from an older one would give
/// its number away a second time.
pub fn newest_publication(
    journal: &dyn Journal,
    topic: &str,
) -> Result<Option<NewestPublication>, JournalError> {
    let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
    // In Kafka every publication is followed by its transaction's marker, and some were aborted.
    let mut reach = u64::from(SNAPSHOT_EVERY) * 3;
    loop {
        let start = bounds.end.saturating_sub(reach).max(bounds.start);
        let mut newest: Option<NewestPublication> = None;
        let mut unclear: Option<String> = None;
        read_to_end(journal, topic, 0, start..bounds.end, |record| {
            let understood = match serde_json::from_slice(record.value) {
                Ok(PublicationRecord::Snapshot { election, results, timeline }) => {
                    let timeline = timeline.map(|timeline| *timeline);
                    newest = Some(NewestPublication { election: *election, results: *results, timeline });
                    Ok(())
                }
                Ok(PublicationRecord::Delta { update, timeline }) => match newest.as_mut() {
                    Some(newest) => newest.apply(&update, timeline.as_deref()),
                    None => Ok(()),
                },
                Err(error) => Err(error.to_string()),
            };
            unclear = understood.err().map(|why| format!("offset {}: {why}", record.position.offset));
        })?;
        if let Some(unclear) = unclear {
            let why = format!(
                "the newest publication can't be understood by this version of Tallyboard ({unclear})"
            );
            return Err(JournalError::Unfit { topic: topic.to_owned(), why });
        }
        if newest.is_some() || start == bounds.start {
            return Ok(newest);
        }
        reach = reach.saturating_mul(4);
    }
}
