//! The fuzz targets' oracles over the corpus that is kept and a bounded number of its mutations.
//!
//! The fuzzer itself goes further: CONTRIBUTING.md says how to run it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../fuzz/oracles.rs"]
mod oracles;

use std::path::Path;

/// Everything in `fuzz/corpus/TARGET`, and today's seeds.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let kept = files.iter().map(|file| std::fs::read(file).unwrap());
    kept.chain(oracles::seeds().remove(target).unwrap()).collect()
}

/// Numbers that look random and are the same in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound as u64)).unwrap()
    }
}

/// Pieces that mean something to one of the formats.
const PIECES: [&[u8]; 20] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\\ud83d",
    b"null",
    b"1e999",
    b"-",
    b"\xff",
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\"voter_id\":\"w\",",
    b"\"address\":{\"state\":\"x\"},",
    b"[[contests]]\n",
    b"2026-11-03T08:15:00Z",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
];

fn mutated(corpus: &[Vec<u8>], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = corpus[draws.below(corpus.len())].clone();
    for _ in 0..=draws.below(4) {
        let (at, other) = (draws.below(bytes.len() + 1), draws.below(bytes.len() + 1));
        let (start, end) = (at.min(other), at.max(other).min(at.min(other) + 40));
        match draws.below(5) {
            0 if start < bytes.len() => bytes[start] ^= 1 << draws.below(8),
            1 => drop(bytes.drain(start..end)),
            2 => {
                let piece = bytes[start..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => {
                let donor = &corpus[draws.below(corpus.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&donor[draws.below(donor.len() + 1)..]);
            }
            _ => drop(bytes.splice(start..end, PIECES[draws.below(PIECES.len())].iter().copied())),
        }
    }
    bytes
}

fn run(target: &str, oracle: impl Fn(&[u8]), mutations: usize) {
    let corpus = corpus(target);
    corpus.iter().for_each(|bytes| oracle(bytes));
    let mut draws = Draws(0x7461_6c6c_7962_6f61);
    (0..mutations).for_each(|_| oracle(&mutated(&corpus, &mut draws)));
}

#[test]
fn a_record_says_what_serde_json_finds_in_it() {
    run("ballot", oracles::ballot, 50_000);
}

#[test]
fn a_definition_has_one_hash() {
    run("definition", oracles::definition, 5_000);
}

#[test]
fn a_tally_survives_being_written_again() {
    run("tally", oracles::tally, 50_000);
}

#[test]
fn a_checkpoint_that_is_taken_up_goes_on() {
    run("checkpoint", oracles::checkpoint, 20_000);
}
