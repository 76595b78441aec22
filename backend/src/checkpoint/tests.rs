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

/// A disk whose n-th operation fails, after some part of it was done, and that may lose its power.
#[derive(Default)]
struct BrittleDisk {
    files: Mutex<BTreeMap<String, BrittleFile>>,
    /// Operations until the one that fails; [`None`]: all succeed.
    fails_in: Mutex<Option<usize>>,
    part: Part,
}

#[derive(Clone, Default)]
struct BrittleFile {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Whether it has its name by a rename: then it is there as a whole, or as it was before.
    is_whole: bool,
}

/// How much is done of an operation that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Part {
    #[default]
    Nothing,
    Half,
    All,
}

impl BrittleDisk {
    fn operate(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, BrittleFile>, Part) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut fails_in = lock(&self.fails_in);
        let fails = *fails_in == Some(0);
        *fails_in = fails_in.and_then(|operations| operations.checked_sub(1));
        let part = if fails { self.part } else { Part::All };
        let outcome = if part == Part::Nothing { Ok(()) } else { work(&mut lock(&self.files), part) };
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { outcome }
    }

    fn has_failed(&self) -> bool {
        lock(&self.fails_in).is_none()
    }

    /// The disk after the power was lost: of what wasn't synced so much is there.
    fn after_power_loss(&self, kept: Part) -> Self {
        let mut files = lock(&self.files).clone();
        for file in files.values_mut() {
            match kept {
                Part::Nothing => {}
                Part::Half if file.is_whole => {}
                Part::Half => {
                    let same = file.durable.iter().zip(&file.current).take_while(|(a, b)| a == b).count();
                    let length = usize::midpoint(same, file.current.len());
                    file.durable = file.current[..length].to_vec();
                }
                Part::All => file.durable.clone_from(&file.current),
            }
            file.current.clone_from(&file.durable);
        }
        Self { files: Mutex::new(files), ..Self::default() }
    }
}

impl Disk for BrittleDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = None;
        self.operate(|files, _| {
            bytes = files.get(name).map(|file| file.current.clone());
            Ok(())
        })?;
        Ok(bytes)
    }

    fn scan(&self, name: &str, length: u64, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.operate(|files, part| {
            let bytes = files.get(name).map(|file| file.current.as_slice()).unwrap_or_default();
            let bytes = bytes.get(..length).ok_or(io::ErrorKind::UnexpectedEof)?;
            each(if part == Part::Half { &bytes[..length / 2] } else { bytes });
            Ok(())
        })
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.operate(|files, _| {
            files.entry(name.into()).or_default().current.resize(usize::try_from(length).unwrap(), 0);
            Ok(())
        })
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.operate(|files, part| {
            let length = if part == Part::Half { bytes.len() / 2 } else { bytes.len() };
            files.entry(name.into()).or_default().current.extend_from_slice(&bytes[..length]);
            Ok(())
        })
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.operate(|files, part| {
            let file = files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
            let length = if part == Part::Half { file.current.len() / 2 } else { file.current.len() };
            if length >= file.durable.len() {
                file.durable = file.current[..length].to_vec();
            }
            Ok(())
        })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fails = *lock(&self.fails_in) == Some(0);
        self.operate(|files, part| {
            // Half of a draft isn't the file; a rename that wasn't synced may be undone.
            if part == Part::All {
                let file = files.entry(name.into()).or_default();
                file.current = bytes.to_vec();
                file.is_whole = true;
                if !fails {
                    file.durable = bytes.to_vec();
                }
            }
            Ok(())
        })
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.operate(|files, _| {
            if let Some(file) = files.remove(name) {
                files.insert(to.into(), file);
            }
            Ok(())
        })
    }
}

/// A disk with a checkpoint of the first 20 records, which was never in danger.
fn brittle(part: Part) -> Arc<BrittleDisk> {
    let disk = Arc::new(BrittleDisk { part, ..BrittleDisk::default() });
    let checkpoints = Checkpoints::open(Arc::clone(&disk) as Arc<dyn Disk>, TOPIC).unwrap();
    let generation = checkpoints.restore(3, &election::undefined()).generation;
    let mut counted = fresh(&checkpoints, &election::undefined());
    count(&checkpoints, generation, &mut counted, 20);
    disk
}

fn open_brittle(disk: &Arc<BrittleDisk>) -> Checkpoints {
    Checkpoints::open(Arc::clone(disk) as Arc<dyn Disk>, TOPIC).unwrap()
}

/// Counts on to record 60 from whatever is there, and makes sure that it is found again.
fn goes_on(disk: &Arc<BrittleDisk>, what: &str) {
    let checkpoints = open_brittle(disk);
    let opened = checkpoints.restore(3, &election::undefined());
    let mut counted =
        opened.restored.map_or_else(|| fresh(&checkpoints, &election::undefined()), |restored| restored.fold);
    counted.keep_fingerprints();
    count(&checkpoints, opened.generation, &mut counted, 60);
    assert_eq!(restored(&open_brittle(disk)), Some(60), "{what}");
}

#[test]
fn whichever_operation_fails_there_is_the_checkpoint_before_or_the_new_one() {
    let mut operations = 0;
    for part in [Part::Nothing, Part::Half, Part::All] {
        for fails_in in 0.. {
            let disk = brittle(part);
            let checkpoints = open_brittle(&disk);
            let opened = checkpoints.restore(3, &election::undefined());
            let mut counted = opened.restored.unwrap().fold;
            counted.keep_fingerprints();
            fold(&mut counted, 20..30);
            // Fingerprints alone, then some with a tally.
            let generation = opened.generation;
            let first = Step { partition: 3, generation, voters: counted.take_fingerprints(), tally: None };
            fold(&mut counted, 30..40);
            let tally = Some((counted.tally(), last(39)));
            let second = Step { partition: 3, generation, voters: counted.take_fingerprints(), tally };
            *lock(&disk.fails_in) = Some(fails_in);
            let failed = [&first, &second].into_iter().position(|step| checkpoints.store(step).is_err());
            if !disk.has_failed() {
                operations += fails_in;
                break;
            }
            let what = format!("operation {fails_in} fails, {part:?} of it is done");
            for kept in [Part::Nothing, Part::Half, Part::All] {
                let disk = Arc::new(disk.after_power_loss(kept));
                let found = restored(&open_brittle(&disk));
                assert!(found == Some(20) || found == Some(40), "{what}, {kept:?} is kept: {found:?}");
                goes_on(&disk, &what);
            }
            // Without a crash the step is stored again, and those behind it.
            let rest = &[&first, &second][failed.unwrap()..];
            rest.iter().for_each(|step| checkpoints.store(step).unwrap());
            assert_eq!(restored(&open_brittle(&disk)), Some(40), "{what}");
        }
    }
    assert_eq!(operations, 3 * 6, "cut and append twice, sync, replace");
}

#[test]
fn whichever_operation_fails_while_a_checkpoint_is_opened_or_refuted_the_count_goes_on() {
    for refutes in [false, true] {
        for part in [Part::Nothing, Part::Half, Part::All] {
            for fails_in in 0.. {
                let disk = brittle(part);
                let checkpoints = open_brittle(&disk);
                *lock(&disk.fails_in) = Some(fails_in);
                let opened = checkpoints.restore(3, &election::undefined());
                let generation = if refutes { checkpoints.refute(3) } else { opened.generation };
                if !disk.has_failed() {
                    break;
                }
                let what = format!("operation {fails_in} fails, {part:?} of it is done, refutes: {refutes}");
                if let Some(restored) = &opened.restored {
                    assert_eq!(restored.fold.next_offset(), 20, "{what}");
                }
                let resumed = opened.restored.filter(|_| !refutes);
                let mut counted = resumed
                    .map_or_else(|| fresh(&checkpoints, &election::undefined()), |restored| restored.fold);
                counted.keep_fingerprints();
                count(&checkpoints, generation, &mut counted, 50);
                assert_eq!(restored(&open_brittle(&disk)), Some(50), "{what}");
                goes_on(&Arc::new(disk.after_power_loss(Part::Nothing)), &what);
            }
        }
    }
}
