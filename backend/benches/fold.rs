//! The fold alone, on one core: decode, validate, de-duplicate, count; and the memory for voters seen.
//!
//! `cargo bench -p tallyboard --bench fold` prints speed, `-- memory` bytes a voter, both with up to 100 million voters
//! (`-- MILLIONS` for fewer). Records are in memory before the clock starts. A figure is the median of its stretches, so
//! that somebody else's work on the machine disturbs it little.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "the result")]
#![expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

use std::{hint::black_box, time::Instant};

use tallyboard::{
    election,
    simulate::{Electorate, Shape, Shares, Source as _},
    tally::{FINGERPRINT_BYTES, FingerprintKey, Fold, Outcome, Record, Voters, decode},
};
use tallyboard_shared::{Timestamp, election::Election};

const MILLION: u64 = 1_000_000;

/// A stretch that is timed, in records.
const STRETCH: u64 = 50_000;

/// Different records from which short votes are made by giving them other voters.
const TEMPLATES: u64 = 4096;

/// As many as a new votes topic has.
const PARTITIONS: u64 = 12;

fn now() -> Timestamp {
    "2026-11-03T12:00:00Z".parse().unwrap()
}

/// Bijective, so that no two voters are one, and without order.
fn scramble(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// Records one behind the other, as a fetch of a topic brings them.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.ends.iter().scan(0, |start, end| Some(&self.bytes[std::mem::replace(start, *end)..*end]))
    }
}

/// The demonstration's without its breakdowns: what is measured is the count alone.
fn election() -> Election {
    Election { breakdowns: Vec::new(), ..election::demo() }
}

struct Votes {
    templates: Vec<Vec<u8>>,
    full: Electorate,
    next: u64,
    next_full: u64,
}

impl Votes {
    fn new() -> Self {
        let electorate = |shape| Electorate::new(election(), 7, Shares::default(), shape);
        let short = electorate(Shape::Short);
        let templates = (0..TEMPLATES).map(|number| short.record(number, now()).unwrap().value).collect();
        Self { templates, full: electorate(Shape::Full), next: 0, next_full: 0 }
    }

    fn short(&mut self, count: u64) -> Batch {
        let mut batch = Batch::default();
        for number in self.next..self.next + count {
            let template = &mut self.templates[usize::try_from(number % TEMPLATES).unwrap()];
            // Sixteen digits of the voter's UUID, which is the first field.
            let at = br#"{"voter_id":""#.len();
            for (digit, place) in
                template[at..at + 36].iter_mut().filter(|byte| **byte != b'-').take(16).enumerate()
            {
                *place = b"0123456789abcdef"[usize::try_from(scramble(number) >> (digit * 4) & 15).unwrap()];
            }
            batch.push(template);
        }
        self.next += count;
        batch
    }

    fn full(&mut self, count: u64) -> Batch {
        let mut batch = Batch::default();
        for number in self.next_full..self.next_full + count {
            batch.push(&self.full.record(number, now()).unwrap().value);
        }
        self.next_full += count;
        batch
    }
}

/// Seconds that `work` takes for a batch.
fn seconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn fold(fold: &mut Fold, batch: &Batch) {
    let timestamp_ms = Some(now().as_millisecond());
    let records = (fold.next_offset()..).zip(batch.records());
    let records = records.map(|(offset, value)| Record { offset, timestamp_ms, simulated: true, value });
    let mut counted = 0;
    fold.records(records, |_, outcome| {
        assert!(matches!(outcome, Outcome::Counted { late: false }), "{outcome:?}");
        counted += 1;
    });
    assert_eq!(counted, batch.ends.len());
}

/// Nanoseconds a record, of `work` on each of `stretches` batches.
fn per_record(stretches: usize, mut batch: impl FnMut() -> Batch, mut work: impl FnMut(&Batch)) -> f64 {
    let timed = (0..stretches).map(|_| {
        let batch = batch();
        seconds(|| work(&batch)) * 1e9 / batch.ends.len() as f64
    });
    median(timed.collect())
}

fn speed(millions: u64) {
    let mut votes = Votes::new();
    let mut state = Fold::new(&election(), 0, FingerprintKey::random());
    for seen in [10, 100].into_iter().filter(|seen| *seen <= millions) {
        while votes.next < seen * MILLION {
            fold(&mut state, &votes.short(STRETCH));
        }
        println!("{seen} million voters seen");
        let length = votes.short(1).bytes.len();
        let short = per_record(21, || votes.short(STRETCH), |batch| fold(&mut state, batch));
        println!("  short votes, {length} B: {:>9.0} votes/s  {short:.0} ns a vote", 1e9 / short);
        let full_length = votes.full(1).bytes.len();
        let full = per_record(7, || votes.full(STRETCH / 2), |batch| fold(&mut state, batch));
        println!(
            "  seeds' records, {full_length} B: {:>9.0} votes/s  {full:.0} ns a vote  {:.2} GB/s",
            1e9 / full,
            full_length as f64 / full
        );
        parts(&mut votes, short, full);
    }
}

/// What a part of the work takes alone, as a share of the whole. The rest is the set of voters and the cells.
fn parts(votes: &mut Votes, short: f64, full: f64) {
    let decoding = |batch: &Batch| {
        batch.records().for_each(|record| assert!(decode(black_box(record)).is_ok()));
    };
    let parsing = |batch: &Batch| {
        for record in batch.records() {
            let record = std::str::from_utf8(black_box(record)).unwrap();
            black_box(serde_json::from_str::<tallyboard_shared::vote::Vote<'_>>(record).unwrap());
        }
    };
    let key = FingerprintKey::random();
    let hashing = |batch: &Batch| {
        batch.records().for_each(|record| {
            black_box(key.fingerprint(0, std::str::from_utf8(&record[13..49]).unwrap()));
        });
    };
    let decode_short = per_record(11, || votes.short(STRETCH), decoding);
    let serde_short = per_record(11, || votes.short(STRETCH), parsing);
    let hash = per_record(11, || votes.short(STRETCH), hashing);
    let decode_full = per_record(7, || votes.full(STRETCH / 2), decoding);
    let serde_full = per_record(7, || votes.full(STRETCH / 2), parsing);
    println!(
        "  of a short vote: decode {:.2}, fingerprint {:.2}; serde_json alone would be {:.2}",
        decode_short / short,
        hash / short,
        serde_short / short
    );
    println!(
        "  of a seeds' record: decode {:.2}; serde_json alone would be {:.2}",
        decode_full / full,
        serde_full / full
    );
}

/// A line of `/proc/self/status`, in bytes.
fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|found| found.starts_with(line)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Lets the peak of the resident memory begin anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn memory(millions: u64) {
    let before = status("VmRSS:");
    let mut partitions: Vec<_> = (0..PARTITIONS).map(|_| Voters::new(FingerprintKey::random())).collect();
    let (mut resident, mut peaks) = (Vec::new(), Vec::new());
    let mut step = MILLION;
    for number in 1..=millions * MILLION {
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        let (first, second) = (scramble(number), scramble(!number));
        fingerprint[..8].copy_from_slice(&first.to_le_bytes());
        fingerprint[8..].copy_from_slice(&second.to_le_bytes()[4..]);
        partitions[usize::try_from(number % PARTITIONS).unwrap()].restore(&[fingerprint]);
        if number == MILLION {
            forget_peak();
        } else if number == step {
            let per_voter = |bytes: u64| (bytes - before) as f64 / number as f64;
            let (now, peak) = (per_voter(status("VmRSS:")), per_voter(status("VmHWM:")));
            println!(
                "  {:>5.1} million: {now:.1} B a voter, {peak:.1} at the peak since the line before",
                number as f64 / 1e6
            );
            resident.push(now);
            peaks.push(peak);
            forget_peak();
        }
        if number == step {
            // Thirty steps from 1 to 100 million.
            step = step * 117 / 100;
        }
    }
    let average = resident.iter().sum::<f64>() / resident.len() as f64;
    let most = peaks.into_iter().fold(0.0, f64::max);
    println!("  on average {average:.1} B a voter; {most:.1} at the highest peak");
}

fn main() {
    let millions = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100);
    if std::env::args().any(|argument| argument == "memory") {
        println!("memory of {PARTITIONS} partitions' voters");
        memory(millions);
    } else {
        speed(millions);
    }
}
