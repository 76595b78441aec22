use std::{io, path::PathBuf};

use tallyboard_shared::election::Election;

use super::*;
use crate::{
    election,
    journal::Position,
    tally::{Fold, Record},
};

const TOPIC: &str = "votes_topic";

fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoints");
    (directory, path)
}

fn open(path: &std::path::Path, topic: &str) -> Checkpoints {
    Checkpoints::open(Arc::new(Directory::open(path).unwrap()), topic).unwrap()
}

fn vote(offset: u64) -> String {
    // Every seventh is a second vote, so that offsets, voters and votes differ.
    let voter = offset - u64::from(offset % 7 == 6);
    format!(
        r#"{{"voter_id":"v{voter}","candidate_id":"c{}","voting_time":"2026-11-03 08:15:00","location_id":"p"}}"#,
        offset % 3
    )
}

fn fold(fold: &mut Fold, offsets: std::ops::Range<u64>) {
    for offset in offsets {
        let value = vote(offset);
        let record = Record { offset, timestamp_ms: None, simulated: false, value: value.as_bytes() };
        assert!(fold.record(&record).is_some());
    }
}

fn last(offset: u64) -> Option<LastRecord> {
    let value = vote(offset);
    let position = Position { partition: 3, offset };
    let record =
        ReadRecord { position, timestamp_ms: None, simulated: false, key: b"", value: value.as_bytes() };
    Some(LastRecord::of(&record))
}

/// Counts on and stores what came, `tally` by `tally`.
fn count(checkpoints: &Checkpoints, generation: u64, counted: &mut Fold, until: u64) {
    fold(counted, counted.next_offset()..until);
    let voters = counted.take_fingerprints();
    let tally = Some((counted.tally(), last(until - 1)));
    checkpoints.store(&Step { partition: 3, generation, voters, tally }).unwrap();
}

fn fresh(checkpoints: &Checkpoints, election: &Election) -> Fold {
    let mut fold = Fold::new(election, 3, checkpoints.key());
    fold.keep_fingerprints();
    fold
}

/// A directory with a checkpoint of the first 50 records.
fn with_checkpoint(path: &std::path::Path) -> Checkpoints {
    let checkpoints = open(path, TOPIC);
    let opened = checkpoints.restore(3, &election::undefined());
    assert!(opened.restored.is_none());
    let mut counted = fresh(&checkpoints, &election::undefined());
    count(&checkpoints, opened.generation, &mut counted, 20);
    count(&checkpoints, opened.generation, &mut counted, 50);
    checkpoints
}

fn restored(checkpoints: &Checkpoints) -> Option<u64> {
    let restored = checkpoints.restore(3, &election::undefined()).restored?;
    assert_eq!(restored.last, last(restored.fold.next_offset() - 1));
    Some(restored.fold.next_offset())
}

#[test]
fn a_count_that_goes_on_from_a_checkpoint_ends_as_one_that_never_stopped() {
    let (_directory, path) = directory();
    drop(with_checkpoint(&path));
    let checkpoints = open(&path, TOPIC);
    let opened = checkpoints.restore(3, &election::undefined());
    let mut counted = opened.restored.unwrap().fold;
    counted.keep_fingerprints();
    count(&checkpoints, opened.generation, &mut counted, 90);
    let again = open(&path, TOPIC).restore(3, &election::undefined()).restored.unwrap();
    let mut straight = fresh(&checkpoints, &election::undefined());
    fold(&mut straight, 0..90);
    assert_eq!(again.fold.tally().encode(), straight.tally().encode());
    assert_eq!(again.fold.tally().rejected.values().sum::<u64>(), 90 / 7);
}

#[test]
fn what_was_appended_behind_the_newest_tally_is_cut_off() {
    let (_directory, path) = directory();
    let checkpoints = with_checkpoint(&path);
    let step = Step { partition: 3, generation: 1, voters: vec![7; 30], tally: None };
    checkpoints.store(&step).unwrap();
    assert_eq!(restored(&open(&path, TOPIC)), Some(50));
    assert_eq!(restored(&open(&path, TOPIC)), Some(50));
}

#[test]
fn a_damaged_checkpoint_is_set_aside() {
    let (_directory, path) = directory();
    drop(with_checkpoint(&path));
    for file in ["votes_topic-3.tally", "votes_topic-3.voters"] {
        let whole = std::fs::read(path.join(file)).unwrap();
        let other = if file.ends_with("tally") { "votes_topic-3.voters" } else { "votes_topic-3.tally" };
        let other_whole = std::fs::read(path.join(other)).unwrap();
        for at in (0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(path.join(file), &damaged).unwrap();
            assert_eq!(restored(&open(&path, TOPIC)), None, "{file} at {at}");
            assert!(path.join(format!("{file}.set-aside")).exists());
            std::fs::write(path.join(file), &whole).unwrap();
            std::fs::write(path.join(other), &other_whole).unwrap();
        }
        for length in (0..whole.len()).step_by(7) {
            std::fs::write(path.join(file), &whole[..length]).unwrap();
            assert_eq!(restored(&open(&path, TOPIC)), None, "{file} cut to {length}");
            std::fs::write(path.join(file), &whole).unwrap();
            std::fs::write(path.join(other), &other_whole).unwrap();
        }
    }
    assert_eq!(restored(&open(&path, TOPIC)), Some(50));
}

#[test]
fn a_checkpoint_of_something_else_is_set_aside() {
    let (_directory, path) = directory();
    drop(with_checkpoint(&path));
    let keep = |name: &str| std::fs::read(path.join(name)).unwrap();
    let (tally, voters, key) =
        (keep("votes_topic-3.tally"), keep("votes_topic-3.voters"), keep("fingerprint-key"));
    let put_back = |prefix: &str| {
        std::fs::write(path.join(format!("{prefix}.tally")), &tally).unwrap();
        std::fs::write(path.join(format!("{prefix}.voters")), &voters).unwrap();
        std::fs::write(path.join("fingerprint-key"), &key).unwrap();
    };
    assert!(open(&path, TOPIC).restore(3, &election::demo()).restored.is_none(), "of another definition");
    put_back("votes_topic-4");
    assert!(open(&path, TOPIC).restore(4, &election::undefined()).restored.is_none(), "of another partition");
    put_back("other-3");
    assert!(open(&path, "other").restore(3, &election::undefined()).restored.is_none(), "of another topic");
    put_back("votes_topic-3");
    std::fs::write(path.join("fingerprint-key"), [1; 16]).unwrap();
    assert_eq!(restored(&open(&path, TOPIC)), None, "of another key");
    put_back("votes_topic-3");
    assert_eq!(restored(&open(&path, TOPIC)), Some(50));
}

#[test]
fn steps_of_an_earlier_opening_change_nothing() {
    let (_directory, path) = directory();
    let checkpoints = with_checkpoint(&path);
    let election = election::undefined();
    // The partition goes and comes back while a step of the first opening still waits.
    let opened = checkpoints.restore(3, &election);
    let mut late = fresh(&checkpoints, &election);
    fold(&mut late, 0..60);
    let tally = Some((late.tally(), last(59)));
    checkpoints
        .store(&Step { partition: 3, generation: 1, voters: late.take_fingerprints(), tally })
        .unwrap();
    let mut counted = opened.restored.unwrap().fold;
    counted.keep_fingerprints();
    count(&checkpoints, opened.generation, &mut counted, 55);
    assert_eq!(restored(&open(&path, TOPIC)), Some(55));
}

#[test]
fn a_refuted_checkpoint_is_written_anew_from_the_first_offset() {
    let (_directory, path) = directory();
    let checkpoints = with_checkpoint(&path);
    let generation = checkpoints.refute(3);
    let mut counted = fresh(&checkpoints, &election::undefined());
    count(&checkpoints, generation, &mut counted, 10);
    assert_eq!(restored(&open(&path, TOPIC)), Some(10));
}

#[test]
fn others_cannot_read_who_voted() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, path) = directory();
    drop(with_checkpoint(&path));
    for file in ["votes_topic-3.tally", "votes_topic-3.voters", "fingerprint-key"] {
        assert_eq!(std::fs::metadata(path.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

/// A disk with room for so many appends.
struct FullDisk {
    disk: Directory,
    room: std::sync::atomic::AtomicUsize,
}

impl FullDisk {
    fn take_room(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let taken = self.room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1));
        taken.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

impl Disk for FullDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(name)
    }

    fn scan(&self, name: &str, length: u64, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.disk.scan(name, length, each)
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.disk.cut(name, length)
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let taken = self.take_room();
        let fits = if taken.is_ok() { bytes.len() } else { bytes.len() / 2 };
        self.disk.append(name, &bytes[..fits])?;
        taken
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.disk.sync(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.take_room()?;
        self.disk.replace(name, bytes)
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.disk.rename(name, to)
    }
}

#[test]
fn a_step_that_a_full_disk_refused_can_be_stored_again() {
    let (_directory, path) = directory();
    let disk = FullDisk { disk: Directory::open(&path).unwrap(), room: 3.into() };
    let disk = Arc::new(disk);
    let checkpoints = Checkpoints::open(Arc::<FullDisk>::clone(&disk), TOPIC).unwrap();
    let generation = checkpoints.restore(3, &election::undefined()).generation;
    let mut counted = fresh(&checkpoints, &election::undefined());
    count(&checkpoints, generation, &mut counted, 20);
    fold(&mut counted, 20..40);
    let tally = Some((counted.tally(), last(39)));
    let step = Step { partition: 3, generation, voters: counted.take_fingerprints(), tally };
    // Half of the fingerprints, then all but the tally, then everything.
    for room in [0, 1] {
        disk.room.store(room, std::sync::atomic::Ordering::Relaxed);
        assert!(checkpoints.store(&step).is_err());
    }
    disk.room.store(2, std::sync::atomic::Ordering::Relaxed);
    checkpoints.store(&step).unwrap();
    assert_eq!(restored(&open(&path, TOPIC)), Some(40));
}
