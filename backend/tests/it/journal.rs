//! The promises of the journal port on the embedded journal and on Kafka, and what each of them promises besides.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tallyboard::journal::{
    Batch, Journal, JournalError, Membership, NewRecord, Partitions, embedded::EmbeddedJournal,
    kafka::KafkaJournal,
};

use crate::{
    promises::{PARTITIONS, PATIENCE, TestJournal, from_start, read, votes},
    support::kafka_settings,
};

fn made(test: TestJournal) -> TestJournal {
    let deadline = Instant::now() + PATIENCE;
    // A broker takes a moment to know what it has just made.
    while let Err(error) = test.journal.ensure_topics(&test.topics.specs(PARTITIONS)) {
        assert!(error.is_transient() && Instant::now() < deadline, "{error}");
    }
    test
}

mod embedded {
    crate::promises::every_promise!(super::made(super::TestJournal::embedded()));
}

mod kafka {
    crate::promises::every_promise!(super::made(super::TestJournal::kafka()));
}

#[test]
fn topics_with_the_wrong_number_of_partitions_are_unfit() {
    let test = TestJournal::kafka();
    let mut specs = test.topics.specs(PARTITIONS);
    specs.retain(|spec| spec.name == test.topics.results);
    specs[0].partitions = Partitions::Any(3);
    test.journal.ensure_topics(&specs).unwrap_or_else(|error| {
        assert!(error.is_transient(), "{error}");
        Vec::new()
    });
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        let error = test.journal.ensure_topics(&test.topics.specs(PARTITIONS)).unwrap_err();
        if !error.is_transient() {
            break error;
        }
        assert!(Instant::now() < deadline, "{error}");
    };
    assert!(error.to_string().contains("has 3 partitions and must have one"), "{error}");
}

#[test]
fn kafka_shares_partitions_among_members_and_moves_those_of_one_that_goes() {
    let test = made(TestJournal::kafka());
    let topic = &test.topics.votes;
    let other = TestJournal::kafka();
    let mut first = test.journal.join(&format!("{topic}-group"), topic).unwrap();
    let mut second = other.journal.join(&format!("{topic}-group"), topic).unwrap();
    let (mut of_first, mut of_second) = (BTreeSet::new(), BTreeSet::new());
    let mut poll = |until: &dyn Fn(&BTreeSet<u32>, &BTreeSet<u32>) -> bool,
                    second: Option<&mut Box<dyn Membership>>| {
        let mut second = second;
        let deadline = Instant::now() + PATIENCE;
        while !until(&of_first, &of_second) {
            assert!(Instant::now() < deadline, "{of_first:?} {of_second:?}");
            if let Ok(Some(ours)) = first.poll(Duration::from_millis(50)) {
                of_first = ours;
            }
            if let Some(Ok(Some(ours))) = second.as_mut().map(|second| second.poll(Duration::from_millis(50)))
            {
                of_second = ours;
            }
        }
    };
    let shared = |first: &BTreeSet<u32>, second: &BTreeSet<u32>| {
        !first.is_empty()
            && !second.is_empty()
            && first.is_disjoint(second)
            && first.len() + second.len() == 3
    };
    poll(&shared, Some(&mut second));
    drop(second);
    poll(&|first, _| first.len() == 3, None);
}

#[test]
fn a_member_that_leaves_kafka_is_followed_at_once() {
    // A session that outlives the test: who only ends keeps the partitions until then.
    let settings = || {
        let mut settings = kafka_settings();
        settings.properties.push(("session.timeout.ms".into(), "240000".into()));
        KafkaJournal::new(settings).unwrap()
    };
    let test = made(TestJournal::kafka());
    let (topic, one, other) = (&test.topics.votes, settings(), settings());
    let group = format!("{topic}-group");
    let mut first = one.join(&group, topic).unwrap();
    let mut second = other.join(&group, topic).unwrap();
    let poll = |member: &mut Box<dyn Membership>, ours: &mut BTreeSet<u32>| match member
        .poll(Duration::from_millis(50))
    {
        Ok(Some(news)) => *ours = news,
        Ok(None) => {}
        Err(error) => assert!(error.is_transient(), "{error}"),
    };
    let (mut of_first, mut of_second) = (BTreeSet::new(), BTreeSet::new());
    let deadline = Instant::now() + PATIENCE;
    while of_first.is_empty() || of_second.is_empty() {
        assert!(Instant::now() < deadline, "{of_first:?} {of_second:?}");
        poll(&mut first, &mut of_first);
        poll(&mut second, &mut of_second);
    }
    first.leave();
    while of_second.len() < PARTITIONS as usize {
        assert!(Instant::now() < deadline, "the partitions don't come: {of_second:?}");
        poll(&mut second, &mut of_second);
    }
}

#[test]
fn the_embedded_journal_keeps_everything_over_a_restart_and_compacts() {
    let directory = tempfile::tempdir().unwrap();
    let topics = tallyboard::journal::Topics::new("");
    for round in 0..3u32 {
        let journal = EmbeddedJournal::open(directory.path()).unwrap();
        journal.ensure_topics(&topics.specs(PARTITIONS)).unwrap();
        journal.append(&topics.results, votes(round * 10..(round + 1) * 10)).unwrap();
        let same_key = |value: String| vec![NewRecord::new("c1", value.clone()), NewRecord::new("c2", value)];
        journal.append(&topics.candidates, same_key(format!("{round}a"))).unwrap();
        journal.append(&topics.candidates, same_key(format!("{round}b"))).unwrap();
        let mut reader = journal.read(&topics.results, &from_start(1)).unwrap();
        assert_eq!(read(&mut *reader, (round as usize + 1) * 10).len(), (round as usize + 1) * 10);
        let mut reader = journal.read(&topics.candidates, &from_start(1)).unwrap();
        let mut batch = Batch::default();
        reader.next(&mut batch, Duration::ZERO).unwrap();
        let values: Vec<_> =
            batch.iter().map(|record| String::from_utf8(record.value.to_vec()).unwrap()).collect();
        assert_eq!(values, [format!("{round}b"), format!("{round}b")]);
        assert_eq!(journal.bounds(&topics.candidates).unwrap()[&0].end, u64::from(round + 1) * 4);
    }
}

#[test]
fn a_directory_serves_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let journal = EmbeddedJournal::open(directory.path()).unwrap();
    let second = EmbeddedJournal::open(directory.path());
    assert!(matches!(second, Err(JournalError::Setup(why)) if why.contains("another process")));
    drop(journal);
    assert!(EmbeddedJournal::open(directory.path()).is_ok());
}

#[test]
fn many_threads_append_at_once_and_nothing_is_lost() {
    let test = made(TestJournal::embedded());
    std::thread::scope(|scope| {
        for thread in 0..8u32 {
            let (journal, topics) = (&test.journal, &test.topics);
            scope.spawn(move || {
                for step in 0..20 {
                    journal
                        .append(
                            &topics.votes,
                            votes(thread * 1000 + step * 10..thread * 1000 + step * 10 + 10),
                        )
                        .unwrap();
                }
            });
        }
    });
    let mut reader = test.journal.read(&test.topics.votes, &from_start(PARTITIONS)).unwrap();
    let keys: BTreeSet<_> = read(&mut *reader, 1600).into_iter().map(|(_, key, ..)| key).collect();
    assert_eq!(keys.len(), 1600);
}

#[test]
fn a_topic_begins_at_its_first_offset_also_while_its_first_records_come() {
    const MANY: u32 = 64;
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let journal = EmbeddedJournal::open(directory.path()).unwrap();
        let topics = tallyboard::journal::Topics::new("");
        journal.ensure_topics(&topics.specs(MANY)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| journal.append(&topics.votes, votes(0..2_000)).unwrap());
            loop {
                let bounds = journal.bounds(&topics.votes).unwrap();
                assert!(bounds.values().all(|bounds| bounds.start == 0), "{bounds:?}");
                if bounds.values().all(|bounds| bounds.end > 0) {
                    break;
                }
            }
        });
    }
}

#[test]
fn a_large_append_is_read_back_from_any_offset() {
    let test = made(TestJournal::embedded());
    // Blocks of several sizes; the records of one append fill more than one.
    for numbers in [0..1, 1..3, 3..30_000, 30_000..30_001] {
        test.journal.append(&test.topics.results, votes(numbers)).unwrap();
    }
    assert_eq!(test.journal.bounds(&test.topics.results).unwrap()[&0], 0..30_001);
    for start in [0, 1, 2, 3, 4, 2_900, 3_100, 15_000, 29_998, 29_999, 30_000] {
        let mut reader = test.journal.read(&test.topics.results, &[(0, start)].into()).unwrap();
        let seen = read(&mut *reader, usize::try_from(30_001 - start).unwrap());
        for ((at, key, value, _), offset) in seen.into_iter().zip(start..) {
            assert_eq!(at.offset, offset);
            assert_eq!((key, value), (format!("voter-{offset}").into(), format!("vote {offset}").into()));
        }
    }
}

#[test]
fn a_journal_of_another_form_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let open = || EmbeddedJournal::open(directory.path());
    let is_refused = |opened: Result<EmbeddedJournal, JournalError>| match opened {
        Err(JournalError::Setup(why)) => why.contains("another version of Tallyboard"),
        _ => false,
    };
    drop(open().unwrap());
    assert!(open().is_ok());
    let change = |keyspace: &str, change: &dyn Fn(&fjall::Keyspace)| {
        let store = fjall::Database::builder(directory.path().join("store")).open().unwrap();
        change(&store.keyspace(keyspace, fjall::KeyspaceCreateOptions::default).unwrap());
        store.persist(fjall::PersistMode::SyncAll).unwrap();
    };
    change("form", &|forms| forms.insert("form", [1]).unwrap());
    assert!(is_refused(open()));
    // The first form had no name; without topics there is nothing that could be misread.
    change("form", &|forms| forms.remove("form").unwrap());
    assert!(open().is_ok());
    change("form", &|forms| forms.remove("form").unwrap());
    change("catalog", &|catalog| catalog.insert("votes_topic", [1, 0]).unwrap());
    assert!(is_refused(open()));
}
