//! The promises of the journal port, to be kept by every adapter: the integration tests run them on the embedded
//! journal and on Kafka, the simulation on its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use tallyboard::journal::{
    Batch, Journal, JournalError, NewRecord, Position, ReadRecord, Reader, SIMULATION_HEADER, Topics,
    read_to_end,
};

/// Partitions of the votes topic.
pub(crate) const PARTITIONS: u32 = 3;

/// Far longer than anything here takes; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A journal and topics that nobody else uses.
pub(crate) struct TestJournal {
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) topics: Topics,
    /// Goes with the journal whose files are in it.
    pub(crate) _directory: Option<tempfile::TempDir>,
}

/// A record as a test looks at it.
type Seen = (Position, Vec<u8>, Vec<u8>, bool);

pub(crate) fn read(reader: &mut dyn Reader, count: usize) -> Vec<Seen> {
    read_into(Batch::default(), reader, count)
}

fn read_into(mut batch: Batch, reader: &mut dyn Reader, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while seen.len() < count {
        assert!(Instant::now() < deadline, "read {} of {count} records", seen.len());
        match reader.next(&mut batch, Duration::from_millis(200)) {
            Ok(()) => seen.extend(batch.iter().map(|record| {
                (record.position, record.key.to_vec(), record.value.to_vec(), record.simulated)
            })),
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
    seen
}

pub(crate) fn from_start(partitions: u32) -> BTreeMap<u32, u64> {
    (0..partitions).map(|partition| (partition, 0)).collect()
}

pub(crate) fn votes(numbers: std::ops::Range<u32>) -> Vec<NewRecord> {
    numbers.map(|number| NewRecord::new(format!("voter-{number}"), format!("vote {number}"))).collect()
}

pub(crate) fn records_are_read_back_where_append_said(test: &TestJournal) {
    let (journal, topic) = (&test.journal, &test.topics.votes);
    let sent = votes(0..200);
    let positions = journal.append(topic, sent.clone()).unwrap();
    assert_eq!(positions.iter().map(|position| position.partition).collect::<BTreeSet<_>>().len(), 3);
    let mut reader = journal.read(topic, &from_start(PARTITIONS)).unwrap();
    let seen = read(&mut *reader, sent.len());
    assert_eq!(seen.len(), sent.len());
    for (record, position) in sent.iter().zip(&positions) {
        let found = seen.iter().find(|(at, ..)| at == position).unwrap();
        assert_eq!((record.key.as_ref(), &record.value), (Some(&found.1), &found.2));
    }
    for partition in 0..PARTITIONS {
        let offsets: Vec<_> =
            seen.iter().filter(|(at, ..)| at.partition == partition).map(|(at, ..)| at.offset).collect();
        assert!(offsets.is_sorted(), "{offsets:?}");
        assert_eq!(journal.bounds(topic).unwrap()[&partition], 0..offsets.len() as u64);
    }
}

pub(crate) fn one_key_has_one_partition_the_same_as_in_java(test: &TestJournal) {
    let (journal, topic) = (&test.journal, &test.topics.votes);
    // The hashes are those of Kafka's own UtilsTest.testMurmur2.
    let hashes: [(&str, i32); 5] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    let expected = hashes.map(|(key, hash)| (key, (hash & 0x7fff_ffff).cast_unsigned() % PARTITIONS));
    for (key, partition) in expected {
        let record = NewRecord::new(key, "x");
        let positions = journal.append(topic, vec![record.clone(), record]).unwrap();
        assert_eq!(
            positions.iter().map(|position| position.partition).collect::<Vec<_>>(),
            [partition; 2],
            "{key}"
        );
    }
}

pub(crate) fn reading_starts_at_the_offset_and_waits_at_the_end(test: &TestJournal) {
    let (journal, topic) = (&test.journal, &test.topics.results);
    journal.append(topic, votes(0..10)).unwrap();
    let mut reader = journal.read(topic, &BTreeMap::from([(0, 7)])).unwrap();
    let values = |seen: Vec<Seen>| seen.into_iter().map(|(_, _, value, _)| value).collect::<Vec<_>>();
    assert_eq!(values(read(&mut *reader, 3)), ["vote 7", "vote 8", "vote 9"].map(Vec::from));
    let mut batch = Batch::default();
    reader.next(&mut batch, Duration::from_millis(50)).unwrap();
    assert!(batch.is_empty());
    journal.append(topic, votes(10..11)).unwrap();
    assert_eq!(values(read(&mut *reader, 1)), [b"vote 10".to_vec()]);
}

pub(crate) fn the_simulation_header_is_seen(test: &TestJournal) {
    let (journal, topic) = (&test.journal, &test.topics.results);
    let mut simulated = NewRecord::new("a", "simulated");
    simulated.headers = vec![("other".into(), b"x".to_vec()), (SIMULATION_HEADER.into(), Vec::new())];
    let mut other = NewRecord::new("a", "other");
    other.headers = vec![("other".into(), b"x".to_vec())];
    journal.append(topic, vec![simulated, other]).unwrap();
    let mut reader = journal.read(topic, &from_start(1)).unwrap();
    let seen = read(&mut *reader, 2);
    assert_eq!(seen.iter().map(|record| record.3).collect::<Vec<_>>(), [true, false]);
    let mut reader = journal.read(topic, &from_start(1)).unwrap();
    let unasked = read_into(Batch::asking_for_origin(false), &mut *reader, 2);
    assert!(unasked.iter().all(|record| !record.3));
}

pub(crate) fn exclusive_appends_reach_all_topics_and_fence_the_holder_before(test: &TestJournal) {
    let (journal, topics) = (&test.journal, &test.topics);
    let name = format!("{}publisher", topics.votes);
    let both = |value: &str| {
        vec![
            (topics.results.clone(), NewRecord::new("1", value)),
            (topics.candidates.clone(), NewRecord::new("c1", value)),
        ]
    };
    let mut first = journal.exclusive(&name).unwrap();
    first.append_all(both("one")).unwrap();
    let mut second = journal.exclusive(&name).unwrap();
    assert!(matches!(first.append_all(both("zombie")), Err(JournalError::Fenced(_))));
    second.append_all(both("two")).unwrap();
    let mut reader = journal.read(&topics.results, &from_start(1)).unwrap();
    let seen: Vec<_> = read(&mut *reader, 2).into_iter().map(|(_, _, value, _)| value).collect();
    assert_eq!(seen, [b"one".to_vec(), b"two".to_vec()]);
    // Compaction may have taken the first already; the last is there, and nothing of the zombie.
    let mut rows = Vec::new();
    let each = |record: &ReadRecord<'_>| rows.push((record.key.to_vec(), record.value.to_vec()));
    read_to_end(&**journal, &topics.candidates, 0, 0..u64::MAX, each).unwrap();
    assert_eq!(rows.last(), Some(&(b"c1".to_vec(), b"two".to_vec())));
    assert!(rows.iter().all(|(_, value)| value != b"zombie"));
}

pub(crate) fn plain_appends_of_a_holder_lie_one_behind_the_other(test: &TestJournal) {
    let (journal, topics) = (&test.journal, &test.topics);
    let end = || journal.bounds(&topics.turnout).unwrap()[&0].end;
    let mut next = end();
    let mut holder = journal.exclusive(&format!("{}rows", topics.votes)).unwrap();
    for round in 0..3 {
        let row = |topic: &String, key: &str| (topic.clone(), NewRecord::new(key, format!("{round}")));
        let rows =
            vec![row(&topics.candidates, "c1"), row(&topics.turnout, "AL"), row(&topics.turnout, "BE")];
        let places: Vec<_> =
            holder.append_plain(rows).unwrap()[1..].iter().map(|place| place.offset).collect();
        assert_eq!(places, [next, next + 1]);
        next += 2;
        // No end of a transaction: clients that know of none would read it as a row.
        assert_eq!(end(), next);
    }
    journal.append(&topics.turnout, vec![NewRecord::new("AL", "somebody else's")]).unwrap();
    assert_eq!(
        holder.append_plain(vec![(topics.turnout.clone(), NewRecord::new("AL", "3"))]).unwrap()[0].offset,
        next + 1
    );
}

pub(crate) fn the_end_of_a_log_lies_behind_what_readers_never_see(test: &TestJournal) {
    let (journal, topic) = (&test.journal, &test.topics.votes);
    let mut appender = journal.exclusive(&format!("{topic}-producer")).unwrap();
    let sent: Vec<_> = votes(0..20).into_iter().map(|record| (topic.clone(), record)).collect();
    appender.append_all(sent).unwrap();
    let mut reader = journal.read(topic, &from_start(PARTITIONS)).unwrap();
    let (mut batch, mut seen, mut ends) = (Batch::default(), 0, BTreeMap::new());
    let deadline = Instant::now() + PATIENCE;
    // The end of a transaction may take a moment to be written.
    while seen < 20 || ends != journal.bounds(topic).unwrap().into_iter().map(|(p, b)| (p, b.end)).collect() {
        assert!(Instant::now() < deadline, "{seen} records, {ends:?} of {:?}", journal.bounds(topic));
        match reader.next(&mut batch, Duration::from_millis(200)) {
            Ok(()) => seen += batch.iter().count(),
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        ends.extend((0..PARTITIONS).filter_map(|partition| Some((partition, batch.end(partition)?))));
    }
    assert_eq!(seen, 20);
}

pub(crate) fn members_share_the_partitions(test: &TestJournal) {
    let (journal, topic) = (&test.journal, &test.topics.votes);
    let mut membership = journal.join(&format!("{topic}-group"), topic).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let ours = loop {
        assert!(Instant::now() < deadline, "no assignment");
        match membership.poll(Duration::from_millis(200)) {
            Ok(Some(ours)) => break ours,
            Ok(None) => {}
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    };
    assert_eq!(ours, (0..PARTITIONS).collect());
    membership.report(&BTreeMap::from([(0, 1)]));
}

pub(crate) fn topics_that_are_there_are_kept_and_unknown_ones_are_errors(test: &TestJournal) {
    let (journal, topics) = (&test.journal, &test.topics);
    journal.append(&topics.votes, votes(0..3)).unwrap();
    assert_eq!(journal.ensure_topics(&topics.specs(PARTITIONS + 4)).unwrap(), Vec::<String>::new());
    let bounds = journal.bounds(&topics.votes).unwrap();
    assert_eq!(bounds.len(), 3);
    assert_eq!(bounds.values().map(|bounds| bounds.end).sum::<u64>(), 3);
    assert!(journal.bounds("no-such-topic").is_err());
    let mut compacted = topics.specs(PARTITIONS);
    compacted.truncate(1);
    compacted[0].name.clone_from(&topics.candidates);
    assert!(matches!(journal.ensure_topics(&compacted), Err(JournalError::Unfit { .. })));
}

/// A test for every promise, each on a [`TestJournal`] of its own, with its topics, which `$made` makes.
macro_rules! every_promise {
    ($made:expr) => {
        crate::promises::every_promise!($made;
            records_are_read_back_where_append_said,
            one_key_has_one_partition_the_same_as_in_java,
            reading_starts_at_the_offset_and_waits_at_the_end,
            the_simulation_header_is_seen,
            exclusive_appends_reach_all_topics_and_fence_the_holder_before,
            plain_appends_of_a_holder_lie_one_behind_the_other,
            the_end_of_a_log_lies_behind_what_readers_never_see,
            members_share_the_partitions,
            topics_that_are_there_are_kept_and_unknown_ones_are_errors
        );
    };
    ($made:expr; $($promise:ident),+) => {
        $(#[test] fn $promise() { crate::promises::$promise(&$made); })+
    };
}
pub(crate) use every_promise;
