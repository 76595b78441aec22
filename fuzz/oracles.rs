//! What must hold whatever bytes come: a panic here is a finding.
//!
//! The fuzz targets call these functions, and so does `backend/tests/fuzz.rs` with the corpus that is kept.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, LazyLock, Mutex},
};

use serde_json::Value;
use tallyboard::{
    checkpoint::{Checkpoints, Disk, LastRecord, Step},
    election::{self, Definition},
    journal::{Position, ReadRecord},
    tally::{Cell, FingerprintKey, Fold, PartitionTally, Record, decode},
};
use tallyboard_shared::{election::Election, reason::Reason, vote::RECORD_BYTES_MAX};

static UNDEFINED: LazyLock<Election> = LazyLock::new(election::undefined);
static DEMO: LazyLock<Election> = LazyLock::new(election::demo);

/// The key under which the seeds' fingerprints are made.
const KEY: [u8; 16] = [7; 16];

/// A record that is read says what `serde_json` finds in it, and one that lacks something is an object at least.
pub(crate) fn ballot(bytes: &[u8]) {
    let decoded = decode(bytes);
    let ballot = match &decoded {
        Ok(ballot) => ballot,
        Err(Reason::TooLarge) if bytes.len() > RECORD_BYTES_MAX => return,
        Err(Reason::Malformed) => return,
        Err(Reason::MissingField | Reason::InvalidWeight | Reason::TooLarge) => {
            assert!(serde_json::from_slice::<Value>(bytes).is_ok_and(|value| value.is_object()));
            return;
        }
        Err(reason) => panic!("decoding alone can't find {reason:?}"),
    };
    assert!(bytes.len() <= RECORD_BYTES_MAX);
    let value: Value = serde_json::from_slice(bytes).expect("what is read is JSON");
    let text = |name: &str| value[name].as_str();
    assert_eq!(text("voter_id"), Some(ballot.voter_id.as_str()));
    assert_eq!(text("candidate_id"), Some(ballot.candidate_id.as_str()));
    assert_eq!(text("location_id").or(value["address"]["state"].as_str()), Some(ballot.location.as_str()));
    let optional = [
        ("contest_id", &ballot.contest_id),
        ("candidate_name", &ballot.candidate_name),
        ("party_affiliation", &ballot.party),
        ("photo_url", &ballot.photo_url),
        ("gender", &ballot.gender),
    ];
    for (name, read) in optional {
        let text = |name: &str| text(name).filter(|text| name != "contest_id" || !text.is_empty());
        assert_eq!(text(name), read.as_ref().map(|text| text.as_str()), "{name}");
    }
    assert_eq!(value["registered_age"].as_u64().and_then(|age| u32::try_from(age).ok()), ballot.age);
    assert!(value["vote"].is_null() || value["vote"].as_f64() == Some(1.0));
    assert!(text("voting_time").is_some_and(|time| time.len() >= 19));
}

/// A definition that is accepted has one hash, however it is written, and an empty count fits it.
pub(crate) fn definition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(definition) = Definition::parse(text) else { return };
    let election = definition.into_election();
    let again = Definition::parse(&format!("# A comment.\n{text}\n")).expect("a comment changes nothing");
    assert_eq!(again.into_election().definition_hash, election.definition_hash);
    assert!(Fold::new(&election, 0, FingerprintKey::new(KEY)).tally().fits(&election));
}

/// A tally that is read is the same after it was written again, and merging it can't fail.
pub(crate) fn tally(bytes: &[u8]) {
    let Ok(tally) = PartitionTally::decode(bytes) else { return };
    let again = PartitionTally::decode(&tally.encode()).expect("what is written is read");
    assert_eq!(again, tally);
    for election in [&*UNDEFINED, &*DEMO] {
        if tally.fits(election) {
            let now = tallyboard_shared::Timestamp::UNIX_EPOCH;
            let results = tallyboard::tally::merge(election, [&tally].into_iter(), 1, now);
            assert_eq!(results.totals.votes, tally.votes());
        }
    }
}

/// A checkpoint that is taken up goes on, is written and is taken up again as what it was.
///
/// The first byte says whether the checksum is mended and which election is counted, the next two how many bytes are
/// voters; the rest is the tally file.
pub(crate) fn checkpoint(bytes: &[u8]) {
    let Some(([mode, low, high], rest)) = bytes.split_first_chunk() else { return };
    let (voters, tally) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes([*low, *high]))));
    let mut tally = tally.to_vec();
    if mode & 1 == 0 {
        tally.extend(crc32fast::hash(&tally).to_le_bytes());
    }
    let election: &Election = if mode & 2 == 0 { &UNDEFINED } else { &DEMO };
    let disk = Arc::new(Memory::default());
    disk.write("fingerprint-key", KEY.to_vec());
    disk.write("votes_topic-0.voters", voters.to_vec());
    disk.write("votes_topic-0.tally", tally);
    let open = || Checkpoints::open(Arc::clone(&disk) as Arc<dyn Disk>, "votes_topic").expect("memory works");
    let checkpoints = open();
    let opened = checkpoints.restore(0, election);
    let Some(mut restored) = opened.restored else { return };
    let step = Step {
        partition: 0,
        generation: opened.generation,
        voters: Vec::new(),
        tally: Some((restored.fold.tally(), restored.last)),
    };
    checkpoints.store(&step).expect("memory works");
    let again = open().restore(0, election).restored.expect("what was just written is taken up");
    assert_eq!(again.fold.tally(), restored.fold.tally());
    assert_eq!(again.last, restored.last);
    let record =
        Record { offset: restored.fold.next_offset(), timestamp_ms: None, simulated: true, value: VOTE };
    assert!(restored.fold.record(&record).is_some());
    assert!(restored.fold.tally().fits(election));
}

const VOTE: &[u8] =
    br#"{"voter_id":"v","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"OH"}"#;

/// A disk that forgets and never fails.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn write(&self, name: &str, bytes: Vec<u8>) {
        self.0.lock().expect("nobody panics with it").insert(name.to_owned(), bytes);
    }

    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(self.0.lock().expect("nobody panics with it").entry(name.to_owned()).or_default())
    }
}

impl Disk for Memory {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().expect("nobody panics with it").get(name).cloned())
    }

    fn scan(&self, name: &str, length: u64, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let bytes = self.with(name, |bytes| bytes.clone());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        each(bytes.get(..length).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.with(name, |bytes| bytes.resize(usize::try_from(length).expect("was scanned"), 0));
        Ok(())
    }

    fn append(&self, name: &str, more: &[u8]) -> io::Result<()> {
        self.with(name, |bytes| bytes.extend_from_slice(more));
        Ok(())
    }

    fn sync(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes.to_vec());
        Ok(())
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        let mut files = self.0.lock().expect("nobody panics with it");
        if let Some(bytes) = files.remove(name) {
            files.insert(to.to_owned(), bytes);
        }
        Ok(())
    }
}

/// Sound inputs of every target, in today's formats.
#[must_use]
pub(crate) fn seeds() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let ballots = [
        include_str!("../backend/tests/data/seed-vote.json"),
        r#"{"voter_id":"v","candidate_id":"c","voting_time":"2026-11-03T08:15:00.5+01:00","address":{"state":"OH"},"vote":1}"#,
        r#"{"voter_id":"\u00e9\ud83d\ude00","candidate_id":"c","contest_id":"k","voting_time":"2026-11-03T08:15:00Z","location_id":"OH","x":[1.5,{"y":[]}],"gender":null,"registered_age":"4"}"#,
    ];
    let definition = "id = \"x\"\ntitle = \"X\"\nmode = \"test\"\nopens_at = \"2026-11-03T07:00:00Z\"\ncloses_at = \"2026-11-03T20:00:00Z\"\nallowed_lateness = \"1m\"\n\n[[contests]]\nid = \"k\"\ntitle = \"K\"\ncandidates = [{ id = \"c\", name = \"C\", party = \"P\", color = \"#2a6fdb\" }]\n\n[[locations]]\nid = \"OH\"\nname = \"Ohio\"\nregistered_voters = 8_074_000\ntile = [5, 8]\ncontests = [\"k\"]\n";
    let counted = |count: u64| {
        let mut fold = Fold::new(&UNDEFINED, 0, FingerprintKey::new(KEY));
        fold.keep_fingerprints();
        for offset in 0..count {
            let vote = format!(
                r#"{{"voter_id":"v{}","candidate_id":"c{}","voting_time":"2026-11-03 08:{:02}:00","location_id":"p{}"}}"#,
                offset % 50,
                offset % 3,
                offset % 60,
                offset % 4
            );
            let record = Record { offset, timestamp_ms: None, simulated: false, value: vote.as_bytes() };
            assert!(fold.record(&record).is_some());
        }
        fold
    };
    let folds = || [0, 1, 60].into_iter().map(counted);
    BTreeMap::from([
        ("ballot", ballots.map(|ballot| ballot.as_bytes().to_vec()).to_vec()),
        ("definition", vec![definition.as_bytes().to_vec()]),
        (
            "tally",
            folds().map(|fold| fold.tally()).chain([beyond_counting()]).map(|tally| tally.encode()).collect(),
        ),
        (
            "checkpoint",
            folds()
                .map(|mut fold| checkpoint_seed(fold.take_fingerprints(), fold.tally()))
                .chain([checkpoint_seed(Vec::new(), beyond_counting())])
                .collect(),
        ),
    ])
}

/// A tally whose votes have no sum.
fn beyond_counting() -> PartitionTally {
    let cell = |location| Cell { candidate: 0, location, votes: u64::MAX };
    PartitionTally {
        next_offset: 1,
        cells: vec![cell(0), cell(1)],
        ..Fold::new(&UNDEFINED, 0, FingerprintKey::new(KEY)).tally()
    }
}

fn checkpoint_seed(voters: Vec<u8>, tally: PartitionTally) -> Vec<u8> {
    let disk = Arc::new(Memory::default());
    disk.write("fingerprint-key", KEY.to_vec());
    let checkpoints =
        Checkpoints::open(Arc::clone(&disk) as Arc<dyn Disk>, "votes_topic").expect("memory works");
    let generation = checkpoints.restore(0, &UNDEFINED).generation;
    let offset = tally.next_offset.checked_sub(1);
    let last = offset.map(|offset| {
        let position = Position { partition: 0, offset };
        LastRecord::of(&ReadRecord { position, timestamp_ms: None, key: b"v", value: VOTE, simulated: false })
    });
    let length = u16::try_from(voters.len()).expect("seeds are small").to_le_bytes();
    let step = Step { partition: 0, generation, voters, tally: Some((tally, last)) };
    checkpoints.store(&step).expect("memory works");
    let tally = disk.with("votes_topic-0.tally", |bytes| bytes.clone());
    let content = &tally[..tally.len() - 4];
    let voters = disk.with("votes_topic-0.voters", |bytes| bytes.clone());
    [&[0, length[0], length[1]][..], &voters, content].concat()
}
