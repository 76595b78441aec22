//! Checkpoints: what a counter leaves on its own disk, so that a restart doesn't count from the first offset.
//!
//! A checkpoint is a convenience. One that is missing, damaged, of another definition, of another key or of another
//! topic is set aside with a warning, and the partition is counted anew from its log, which alone is the truth.
//!
//! # Files
//! Two for each partition, in `checkpoints` under the data directory, named after topic and partition:
//!
//! - `….voters`: the fingerprints of the voters seen, 12 bytes each, in the order in which they were counted. It only
//!   grows; what lies behind the length that the tally file records is cut off when it is opened.
//! - `….tally`: the bytes `TALLYCKP`, one byte of format version, a header in postcard with the encoded
//!   [`PartitionTally`] in it, and the CRC-32 of all that, least significant byte first.
//!
//! The voters file is synced before the tally file that speaks of it is written under another name, synced and
//! renamed. So there is always a tally file whose voters are there, whenever the power fails.
//!
//! `fingerprint-key`, beside them, is the secret that turns voter ids into fingerprints, 16 bytes. Whoever has it and
//! a voters file can test whether somebody has voted: the files can be read by their owner only.

mod disk;

use std::{
    collections::BTreeMap,
    hash::Hasher,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use tallyboard_shared::election::Election;

pub use disk::{Directory, Disk};

use crate::{
    journal::ReadRecord,
    tally::{FINGERPRINT_BYTES, FingerprintKey, Fold, PartitionTally, TallyFormatError, Voters},
};

const MAGIC: &[u8; 8] = b"TALLYCKP";

/// The version of the format that `Header` describes.
const FORMAT: u8 = 1;

/// The name of the file with the key of the fingerprints.
const KEY_FILE: &str = "fingerprint-key";

/// The checkpoints of one votes topic.
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    topic: String,
    key: FingerprintKey,
    files: Mutex<BTreeMap<u32, Arc<Mutex<Files>>>>,
}

/// What is known of a partition's files.
#[derive(Default)]
struct Files {
    /// Grows whenever the partition is opened: what an earlier opening still wants to write is stale.
    generation: u64,
    /// Bytes of the voters file that count, synced or not.
    length: u64,
    crc: crc32fast::Hasher,
}

/// What a tally file holds.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    /// The votes topic.
    topic: &'a str,
    partition: u32,
    /// A hash under the key of the fingerprints, which tells one key from another and doesn't give it away.
    key_check: u64,
    /// Bytes of the voters file that belong to the tally.
    voters_bytes: u64,
    /// Their CRC-32.
    voters_crc: u32,
    /// The newest record that the tally covers.
    last: Option<LastRecord>,
    /// A [`PartitionTally`], encoded.
    tally: &'a [u8],
}

/// Names the newest record that a checkpoint covers: a log that has another one there isn't the log that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRecord {
    /// Its place in the partition.
    pub offset: u64,
    /// A hash of its timestamp, key and value.
    digest: u64,
}

impl LastRecord {
    /// What names this record.
    #[must_use]
    pub fn of(record: &ReadRecord<'_>) -> Self {
        // The hash is of the log's content, which its readers know: a key would add nothing.
        let mut hasher = SipHasher13::new();
        hasher.write_i64(record.timestamp_ms.unwrap_or(i64::MIN));
        hasher.write_usize(record.key.len());
        hasher.write(record.key);
        hasher.write(record.value);
        Self { offset: record.position.offset, digest: hasher.finish() }
    }
}

/// A partition that was opened.
pub struct Opened {
    /// Names this opening in its [`Step`]s.
    pub generation: u64,
    /// What to go on from; [`None`]: the first offset.
    pub restored: Option<Restored>,
}

/// A checkpoint that was read back.
pub struct Restored {
    /// The count.
    pub fold: Fold,
    /// The newest record that it covers, to be compared with the log.
    pub last: Option<LastRecord>,
}

/// What a counter has to add to its partition's checkpoint. Steps of one opening are stored in their order.
pub struct Step {
    /// Which partition.
    pub partition: u32,
    /// The opening that it belongs to.
    pub generation: u64,
    /// Fingerprints of the voters since the step before, [`FINGERPRINT_BYTES`] each.
    pub voters: Vec<u8>,
    /// The tally that covers all fingerprints until here, where it is time for one.
    pub tally: Option<(PartitionTally, Option<LastRecord>)>,
}

/// Why a checkpoint isn't used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it can't be read: {0}")]
    Disk(#[from] io::Error),
    #[error("it is of another format or damaged")]
    Damaged,
    #[error("its voters are damaged")]
    VotersDamaged,
    #[error("it is of the topic {0}")]
    OtherTopic(String),
    #[error("it is of another partition")]
    OtherPartition,
    #[error("it was written under another fingerprint key")]
    OtherKey,
    #[error("it was counted by another definition")]
    OtherDefinition,
    #[error("its tally can't be read: {0}")]
    Tally(#[from] TallyFormatError),
}

impl Checkpoints {
    /// The checkpoints of a topic on a disk. The key is read from there, and made where there is none.
    ///
    /// # Errors
    /// What the disk said.
    pub fn open(disk: Arc<dyn Disk>, topic: &str) -> io::Result<Self> {
        let key = match disk.read(KEY_FILE)?.as_deref().map(<[u8; 16]>::try_from) {
            Some(Ok(key)) => FingerprintKey::new(key),
            damaged => {
                if damaged.is_some() {
                    tracing::warn!(
                        "the fingerprint key is damaged; a new one is made and everything is counted anew"
                    );
                }
                let key = FingerprintKey::random();
                disk.replace(KEY_FILE, &key.to_bytes())?;
                key
            }
        };
        Ok(Self { disk, topic: topic.to_owned(), key, files: Mutex::default() })
    }

    /// What the fingerprints are made with.
    #[must_use]
    pub fn key(&self) -> FingerprintKey {
        self.key
    }

    /// Reads a partition's checkpoint back and gets ready to write on. Steps of earlier openings are stale from now on.
    ///
    /// A checkpoint that can't be used is set aside with a warning.
    pub fn restore(&self, partition: u32, election: &Election) -> Opened {
        let files = self.files(partition);
        let mut files = lock(&files);
        files.generation += 1;
        let generation = files.generation;
        let restored = self.read(partition, election, &mut files).unwrap_or_else(|why| {
            tracing::warn!(partition, %why, "a checkpoint is set aside; the partition is counted from its first offset");
            self.clear(partition, &mut files);
            None
        });
        Opened { generation, restored }
    }

    /// Sets a partition's checkpoint aside, because the log says otherwise, and opens the partition anew.
    pub fn refute(&self, partition: u32) -> u64 {
        let files = self.files(partition);
        let mut files = lock(&files);
        files.generation += 1;
        tracing::warn!(
            partition,
            "a checkpoint is set aside: it was counted from another log; the partition is counted from its first offset"
        );
        self.clear(partition, &mut files);
        files.generation
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// What the disk said. The step can be stored again; the checkpoint before it stays whole.
    pub fn store(&self, step: &Step) -> io::Result<()> {
        let files = self.files(step.partition);
        let mut files = lock(&files);
        if files.generation != step.generation {
            return Ok(());
        }
        let name = self.name(step.partition, "voters");
        if !step.voters.is_empty() {
            // A step that failed may have left a part of itself.
            self.disk.cut(&name, files.length)?;
            self.disk.append(&name, &step.voters)?;
        }
        let mut crc = files.crc.clone();
        crc.update(&step.voters);
        let length = files.length + step.voters.len() as u64;
        if let Some((tally, last)) = &step.tally {
            if length > 0 {
                self.disk.sync(&name)?;
            }
            let header = Header {
                topic: &self.topic,
                partition: step.partition,
                key_check: self.key.check(),
                voters_bytes: length,
                voters_crc: crc.clone().finalize(),
                last: *last,
                tally: &tally.encode(),
            };
            self.disk.replace(&self.name(step.partition, "tally"), &header.encode())?;
        }
        files.length = length;
        files.crc = crc;
        Ok(())
    }

    fn read(
        &self,
        partition: u32,
        election: &Election,
        files: &mut Files,
    ) -> Result<Option<Restored>, Unusable> {
        let voters_file = self.name(partition, "voters");
        let Some(bytes) = self.disk.read(&self.name(partition, "tally"))? else {
            // Without a tally the voters say nothing.
            self.disk.cut(&voters_file, 0)?;
            (files.length, files.crc) = Default::default();
            return Ok(None);
        };
        let header = Header::decode(&bytes).ok_or(Unusable::Damaged)?;
        if header.topic != self.topic {
            return Err(Unusable::OtherTopic(header.topic.to_owned()));
        }
        if header.partition != partition {
            return Err(Unusable::OtherPartition);
        }
        if header.key_check != self.key.check() {
            return Err(Unusable::OtherKey);
        }
        let tally = PartitionTally::decode(header.tally)?;
        if tally.partition != partition {
            return Err(Unusable::OtherPartition);
        }
        // Offsets alone can be those of transactions that left no record.
        if (tally.records() > 0) != header.last.is_some() {
            return Err(Unusable::Damaged);
        }
        let (voters, crc) = self.read_voters(&voters_file, &header)?;
        // Every vote counted has brought one voter who was new.
        if voters.len() as u64 != tally.votes() {
            return Err(Unusable::VotersDamaged);
        }
        let fold = Fold::resume(election, &tally, voters).ok_or(Unusable::OtherDefinition)?;
        self.disk.cut(&voters_file, header.voters_bytes)?;
        files.length = header.voters_bytes;
        files.crc = crc;
        Ok(Some(Restored { fold, last: header.last }))
    }

    fn read_voters(&self, file: &str, header: &Header<'_>) -> Result<(Voters, crc32fast::Hasher), Unusable> {
        let mut voters = Voters::new(self.key);
        let mut crc = crc32fast::Hasher::new();
        // A piece may end within a fingerprint.
        let mut rest = Vec::new();
        self.disk.scan(file, header.voters_bytes, &mut |piece| {
            crc.update(piece);
            rest.extend_from_slice(piece);
            let (whole, left) = rest.as_chunks::<FINGERPRINT_BYTES>();
            voters.restore(whole);
            rest = left.to_vec();
        })?;
        if !rest.is_empty() || crc.clone().finalize() != header.voters_crc {
            return Err(Unusable::VotersDamaged);
        }
        Ok((voters, crc))
    }

    /// Sets the files aside, in place of those that were set aside before.
    fn clear(&self, partition: u32, files: &mut Files) {
        (files.length, files.crc) = Default::default();
        for kind in ["tally", "voters"] {
            let name = self.name(partition, kind);
            if let Err(error) = self.disk.rename(&name, &format!("{name}.set-aside")) {
                tracing::warn!(partition, %error, "a checkpoint can't be set aside");
            }
        }
    }

    fn files(&self, partition: u32) -> Arc<Mutex<Files>> {
        Arc::clone(lock(&self.files).entry(partition).or_default())
    }

    fn name(&self, partition: u32, kind: &str) -> String {
        // A prefix may have characters that no file name has; the header has the whole name.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let topic: String =
            self.topic.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
        format!("{topic}-{partition}.{kind}")
    }
}

impl<'a> Header<'a> {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &[FORMAT]].concat();
        bytes.extend(postcard::to_stdvec(self).expect("writing to memory can't fail"));
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let content = content.strip_prefix(MAGIC)?.strip_prefix(&[FORMAT])?;
        let (header, rest) = postcard::take_from_bytes(content).ok()?;
        rest.is_empty().then_some(header)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
