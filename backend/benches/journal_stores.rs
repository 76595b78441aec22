//! fjall against redb as the store of the embedded journal: durable appends in batches, then a scan of everything.
//!
//! `cargo bench -p tallyboard --bench journal_stores [-- RECORDS]` prints both and their ratio from one run. The data
//! lies in the target directory, because a temporary directory is often memory, where an fsync costs nothing.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the result")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use redb::ReadableDatabase as _;

/// As many as a new votes topic has.
const PARTITIONS: u64 = 12;

/// What one store did.
struct Outcome {
    append: Duration,
    scan: Duration,
    disk_bytes: u64,
    commits: Vec<Duration>,
}

/// A record that a compressing store can't make much smaller.
fn value(number: u64, length: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
    let mut letters = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + u8::try_from(state % 26).unwrap()
    };
    (0..length).map(|_| letters()).collect()
}

fn place(number: u64) -> (u32, u64) {
    (u32::try_from(number % PARTITIONS).unwrap(), number / PARTITIONS)
}

fn fjall_store(directory: &Path, records: u64, batch: u64, length: usize) -> Outcome {
    let database = fjall::Database::builder(directory).open().unwrap();
    let log = database.keyspace("log", fjall::KeyspaceCreateOptions::default).unwrap();
    let started = Instant::now();
    let mut commits = Vec::new();
    for first in (0..records).step_by(usize::try_from(batch).unwrap()) {
        let commit = Instant::now();
        let mut writes = database.batch().durability(Some(fjall::PersistMode::SyncAll));
        for number in first..(first + batch).min(records) {
            let (partition, offset) = place(number);
            let key = [&partition.to_be_bytes()[..], &offset.to_be_bytes()].concat();
            writes.insert(&log, key, value(number, length));
        }
        writes.commit().unwrap();
        commits.push(commit.elapsed());
    }
    let append = started.elapsed();
    let started = Instant::now();
    let seen =
        log.iter().map(|guard| guard.into_inner().unwrap().1.len()).filter(|bytes| *bytes == length).count();
    assert_eq!(seen as u64, records);
    Outcome { append, scan: started.elapsed(), disk_bytes: size(directory), commits }
}

fn redb_store(directory: &Path, records: u64, batch: u64, length: usize) -> Outcome {
    const LOG: redb::TableDefinition<'_, (u32, u64), &[u8]> = redb::TableDefinition::new("log");
    std::fs::create_dir_all(directory).unwrap();
    let database = redb::Database::create(directory.join("redb")).unwrap();
    let started = Instant::now();
    let mut commits = Vec::new();
    for first in (0..records).step_by(usize::try_from(batch).unwrap()) {
        let commit = Instant::now();
        let writes = database.begin_write().unwrap();
        {
            let mut log = writes.open_table(LOG).unwrap();
            // Sorted by key, which suits a B-tree best.
            let mut numbers: Vec<_> = (first..(first + batch).min(records)).collect();
            numbers.sort_by_key(|number| place(*number));
            for number in numbers {
                log.insert(place(number), value(number, length).as_slice()).unwrap();
            }
        }
        writes.commit().unwrap();
        commits.push(commit.elapsed());
    }
    let append = started.elapsed();
    let started = Instant::now();
    let reads = database.begin_read().unwrap();
    let log = reads.open_table(LOG).unwrap();
    let records_seen = redb::ReadableTable::iter(&log).unwrap().map(|entry| entry.unwrap().1.value().len());
    assert_eq!(records_seen.filter(|bytes| *bytes == length).count() as u64, records);
    Outcome { append, scan: started.elapsed(), disk_bytes: size(directory), commits }
}

fn size(path: &Path) -> u64 {
    if path.is_file() {
        return path.metadata().unwrap().len();
    }
    std::fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn report(name: &str, records: u64, outcome: &mut Outcome) -> f64 {
    outcome.commits.sort();
    let rate = |time: Duration| records as f64 / time.as_secs_f64();
    let commit = |share: usize| outcome.commits[(outcome.commits.len() - 1) * share / 100];
    println!(
        "  {name}: {:>9.0} appended/s  {:>10.0} scanned/s  {:>5} MB  commit p50 {:.1?} p99 {:.1?} max {:.1?}",
        rate(outcome.append),
        rate(outcome.scan),
        outcome.disk_bytes >> 20,
        commit(50),
        commit(99),
        commit(100)
    );
    rate(outcome.append)
}

fn main() {
    let records = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(500_000);
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("journal-stores-{}", std::process::id()));
    for (length, batch) in [(126, 1000), (1000, 1000), (1000, 50)] {
        let records = if batch < 100 { records / 10 } else { records };
        println!("{records} records of {length} bytes, fsync every {batch}");
        let mut fjall = fjall_store(&target.join("fjall"), records, batch, length);
        let mut redb = redb_store(&target.join("redb"), records, batch, length);
        let ratio = report("fjall", records, &mut fjall) / report("redb ", records, &mut redb);
        println!("  fjall / redb: {ratio:.2}");
        std::fs::remove_dir_all(&target).unwrap();
    }
}
