//! Blocks: the records that one append brings to one partition, stored as one entry.
//!
//! An entry of the store costs several times what a vote's bytes cost, when it is written and when it is read; so the
//! votes of a block share one. Its key is the partition and the offset of its last record: whoever looks for an offset
//! finds the block that has it as the first one from there on. The value is the time of the append (milliseconds since
//! 1970, 8 bytes), the number of records (4 bytes), both with the least significant byte first, and then each record as
//! postcard writes a [`Stored`].

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    ops::ControlFlow,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Shared, Topic};
use crate::journal::{JournalError, NewRecord, Position, ReadRecord, SIMULATION_HEADER};

/// A block takes records until it has so many bytes: for whoever reads from the middle of it, it is read from the front.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

const HEADER_BYTES: usize = 12;

/// A record as it lies in a block.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    key: Option<&'a [u8]>,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    value: &'a [u8],
}

/// Records of one partition that are about to be appended.
pub(super) struct Block {
    pub(super) topic: Arc<Topic>,
    pub(super) partition: u32,
    pub(super) count: u32,
    /// The key of the one record, where the topic is compacted.
    pub(super) key: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Block {
    fn new(topic: Arc<Topic>, partition: u32) -> Self {
        Self { topic, partition, count: 0, key: None, bytes: vec![0; HEADER_BYTES] }
    }

    /// Puts a record in; its position in the block.
    fn push(&mut self, record: &NewRecord) -> u32 {
        let stored = Stored {
            key: record.key.as_deref(),
            headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            value: &record.value,
        };
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(&stored, bytes).expect("every field has a length");
        if self.topic.places.is_some() {
            self.key.clone_from(&record.key);
        }
        self.count += 1;
        self.count - 1
    }

    /// Whether no further record is to be put in.
    fn is_full(&self) -> bool {
        // A compacted topic loses its records one by one.
        self.topic.places.is_some() || self.bytes.len() >= BLOCK_BYTES_MAX
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What is stored, as appended at `now_ms`.
    pub(super) fn into_bytes(mut self, now_ms: i64) -> Vec<u8> {
        self.bytes[..8].copy_from_slice(&now_ms.to_le_bytes());
        self.bytes[8..HEADER_BYTES].copy_from_slice(&self.count.to_le_bytes());
        self.bytes
    }
}

/// Where a record of an append is to lie.
#[derive(Clone, Copy)]
pub(super) struct Place {
    partition: u32,
    /// Position of its block in the append.
    block: usize,
    /// Its position in the block.
    number: u32,
}

impl Place {
    /// The record's position, by the first offset of each block.
    pub(super) fn position(self, starts: &[u64]) -> Position {
        Position { partition: self.partition, offset: starts[self.block] + u64::from(self.number) }
    }
}

/// Puts the records of an append into blocks; those of one partition keep their order.
pub(super) fn in_blocks<'a>(
    shared: &Shared,
    records: impl ExactSizeIterator<Item = (&'a str, &'a NewRecord)>,
) -> Result<(Vec<Block>, Vec<Place>), JournalError> {
    let (mut blocks, mut places) = (Vec::<Block>::new(), Vec::with_capacity(records.len()));
    let mut topics = BTreeMap::new();
    // The block of each partition that takes the next record.
    let mut open = HashMap::new();
    for (name, record) in records {
        let topic = match topics.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(shared.topic(name)?),
        };
        let partition = topic.partition_of(record.key.as_deref());
        let block = open.entry((name, partition)).or_insert(usize::MAX);
        if blocks.get(*block).is_none_or(Block::is_full) {
            *block = blocks.len();
            blocks.push(Block::new(Arc::clone(topic), partition));
        }
        let number = blocks[*block].push(record);
        places.push(Place { partition, block: *block, number });
    }
    Ok((blocks, places))
}

/// Tells `each` record of a stored block whose last record has this position, from offset `start` on, until it says
/// that it has enough.
///
/// # Errors
/// A sentence where the bytes aren't a block.
pub(super) fn read(
    bytes: &[u8],
    last: Position,
    start: u64,
    mut each: impl FnMut(&ReadRecord<'_>) -> ControlFlow<()>,
) -> Result<(), String> {
    let (timestamp_ms, count, mut rest) = split_header(bytes).ok_or("it is too short for a block")?;
    let first = first_offset(last.offset, count).ok_or("its offsets begin below 0")?;
    for offset in first..=last.offset {
        let (stored, behind) =
            postcard::take_from_bytes::<Stored<'_>>(rest).map_err(|error| error.to_string())?;
        rest = behind;
        if offset < start {
            continue;
        }
        let record = ReadRecord {
            position: Position { partition: last.partition, offset },
            timestamp_ms: Some(timestamp_ms),
            simulated: stored.headers.iter().any(|(name, _)| *name == SIMULATION_HEADER),
            key: stored.key.unwrap_or_default(),
            value: stored.value,
        };
        if each(&record).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// The offset of a stored block's first record, by that of its last.
///
/// # Errors
/// A sentence where the bytes aren't a block.
pub(super) fn start(bytes: &[u8], last: u64) -> Result<u64, String> {
    let (_, count, _) = split_header(bytes).ok_or("it is too short for a block")?;
    Ok(first_offset(last, count).ok_or("its offsets begin below 0")?)
}

fn split_header(bytes: &[u8]) -> Option<(i64, u32, &[u8])> {
    let (timestamp_ms, rest) = bytes.split_first_chunk()?;
    let (count, records) = rest.split_first_chunk()?;
    Some((i64::from_le_bytes(*timestamp_ms), u32::from_le_bytes(*count), records))
}

fn first_offset(last: u64, count: u32) -> Option<u64> {
    (last + 1).checked_sub(u64::from(count))
}
