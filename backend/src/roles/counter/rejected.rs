//! A rejected vote as it lies on `rejected_votes` (CONTRACT, "Topics").

use tallyboard_shared::reason::Reason;

use crate::journal::{NewRecord, ReadRecord};

/// So many bytes of a value are kept: with its headers the record still fits a topic with Kafka's default limit of
/// 1 MiB, so that no vote, however large, can keep the tallies behind it from being told.
pub const REJECTED_VALUE_BYTES_MAX: usize = 1_000_000;

/// So many bytes of a key are kept; voter ids have 256 at most.
const REJECTED_KEY_BYTES_MAX: usize = 4096;

/// The record for a vote that isn't counted: key and value as received, and where and why in the headers.
///
/// A value of more than [`REJECTED_VALUE_BYTES_MAX`] is cut; the header `value_bytes` then says how long it was.
#[must_use]
pub fn rejected_record(source_topic: &str, record: &ReadRecord<'_>, reason: Reason) -> NewRecord {
    let header = |name: &str, value: String| (name.to_owned(), value.into_bytes());
    let mut headers = vec![
        header("reason", reason.code().to_owned()),
        header("source_topic", source_topic.to_owned()),
        header("source_partition", record.position.partition.to_string()),
        header("source_offset", record.position.offset.to_string()),
    ];
    headers.extend(record.timestamp_ms.map(|time| header("source_timestamp", time.to_string())));
    if record.value.len() > REJECTED_VALUE_BYTES_MAX {
        headers.push(header("value_bytes", record.value.len().to_string()));
    }
    let first = |bytes: &[u8], most: usize| bytes[..bytes.len().min(most)].to_vec();
    NewRecord {
        key: (!record.key.is_empty()).then(|| first(record.key, REJECTED_KEY_BYTES_MAX)),
        value: first(record.value, REJECTED_VALUE_BYTES_MAX),
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Position;

    fn record(value: &[u8]) -> ReadRecord<'_> {
        ReadRecord {
            position: Position { partition: 3, offset: 17 },
            timestamp_ms: Some(1_793_693_700_000),
            simulated: false,
            key: b"v",
            value,
        }
    }

    fn headers(record: &NewRecord) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        record.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
    }

    #[test]
    fn a_rejected_record_has_the_bytes_as_received_and_says_where_they_came_from() {
        let rejected = rejected_record("votes_topic", &record(b"\xff{"), Reason::Malformed);
        assert_eq!((rejected.key.as_deref(), rejected.value.as_slice()), (Some(&b"v"[..]), &b"\xff{"[..]));
        assert_eq!(
            headers(&rejected),
            [
                ("reason", "malformed"),
                ("source_topic", "votes_topic"),
                ("source_partition", "3"),
                ("source_offset", "17"),
                ("source_timestamp", "1793693700000"),
            ]
        );
    }

    #[test]
    fn what_no_topic_would_take_is_cut_and_says_so() {
        let rejected = rejected_record("votes_topic", &record(&vec![b'x'; 1_000_001]), Reason::TooLarge);
        assert_eq!(rejected.value.len(), REJECTED_VALUE_BYTES_MAX);
        assert_eq!(headers(&rejected).last(), Some(&("value_bytes", "1000001")));
    }
}
