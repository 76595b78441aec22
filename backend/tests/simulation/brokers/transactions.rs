//! Exclusive names and their transactions, each of which may be left open, aborted, or ended in somebody's absence.

use std::collections::BTreeSet;

use rand::RngExt as _;
use tallyboard::journal::{JournalError, NewRecord, Position};

use super::{Entry, EntryState, Likeness, ProcessId, State, dead, unavailable};

/// A transaction that is left open for so long is ended by the brokers.
const TRANSACTION_TIMEOUT_MS: i64 = 10_000;

/// Who has a name.
#[derive(Default)]
pub(super) struct Holder {
    epoch: u64,
    open: Option<Transaction>,
}

struct Transaction {
    places: Vec<(String, Position)>,
    /// Committing was begun: it ends so, whatever happens.
    prepared: bool,
    since_ms: i64,
}

/// How a transaction ends, as the brokers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Committed,
    LostAcknowledgement,
    Aborted,
    /// Left open; aborted in the end.
    Hanging,
    /// Left open; committed in the end.
    Prepared,
    /// Nothing reached the brokers.
    Nothing,
}

impl State {
    pub(crate) fn take_name(&mut self, process: ProcessId, name: &str) -> Result<u64, JournalError> {
        self.reach(process)?;
        let holder = self.names.entry(name.to_owned()).or_default();
        holder.epoch += 1;
        let (epoch, open) = (holder.epoch, holder.open.take());
        self.event(format_args!("process {process} takes {name}, epoch {epoch}"));
        if let Some(open) = open {
            self.end_transaction(&open);
        }
        Ok(epoch)
    }

    pub(crate) fn append_all(
        &mut self,
        process: ProcessId,
        (name, epoch): (&str, u64),
        records: Vec<(String, NewRecord)>,
    ) -> Result<(), JournalError> {
        for (topic, _) in &records {
            self.topic(topic)?;
        }
        if self.is_dead(process) {
            return Err(dead());
        }
        let dies = self.dies_now(process);
        if !dies {
            self.check_disk(process)?;
            self.reach_alive(process)?;
        }
        if let Err(fenced) = self.check_epoch(process, name, epoch) {
            return if dies { Err(dead()) } else { Err(fenced) };
        }
        let ending = self.ending(dies);
        match ending {
            _ if dies => self.fault("death in a transaction"),
            Ending::Committed | Ending::Nothing => {}
            Ending::LostAcknowledgement => self.fault("no acknowledgement"),
            Ending::Aborted => self.fault("aborted"),
            Ending::Hanging | Ending::Prepared => self.fault("hanging"),
        }
        self.event(format_args!("process {process} appends {} as {name}: {ending:?}", records.len()));
        self.transact(name, records, ending);
        match ending {
            _ if dies => Err(dead()),
            Ending::Committed => Ok(()),
            _ => Err(unavailable("the transaction's end is unknown")),
        }
    }

    fn check_epoch(&mut self, process: ProcessId, name: &str, epoch: u64) -> Result<(), JournalError> {
        if self.names.get(name).is_some_and(|holder| holder.epoch == epoch) {
            return Ok(());
        }
        self.fault("fenced");
        self.event(format_args!("process {process} is fenced from {name}"));
        Err(JournalError::Fenced(name.to_owned()))
    }

    /// Appends topic by topic. Kafka knows nothing of the name here.
    pub(crate) fn append_plain(
        &mut self,
        process: ProcessId,
        (name, epoch): (&str, u64),
        records: Vec<(String, NewRecord)>,
    ) -> Result<Vec<Position>, JournalError> {
        if self.likeness == Likeness::Embedded {
            self.check_epoch(process, name, epoch)?;
        }
        let mut places = Vec::new();
        for portion in records.chunk_by(|(one, _), (other, _)| one == other) {
            let records = portion.iter().map(|(_, record)| record.clone()).collect();
            places.extend(self.append(process, &portion[0].0, records)?);
        }
        Ok(places)
    }

    fn ending(&mut self, dies: bool) -> Ending {
        let weather = self.weather;
        let kafka = self.likeness == Likeness::Kafka;
        let hanging = if self.rng.random() { Ending::Prepared } else { Ending::Hanging };
        if dies {
            return match self.rng.random_range(0..4) {
                0 => Ending::Nothing,
                1 => Ending::LostAcknowledgement,
                _ if kafka => hanging,
                _ => Ending::Nothing,
            };
        }
        if self.happens(weather.lost_acknowledgement) {
            Ending::LostAcknowledgement
        } else if kafka && self.happens(weather.aborted) {
            Ending::Aborted
        } else if kafka && self.happens(weather.hanging) {
            hanging
        } else {
            Ending::Committed
        }
    }

    fn transact(&mut self, name: &str, records: Vec<(String, NewRecord)>, ending: Ending) {
        if ending == Ending::Nothing {
            return;
        }
        let mut places = Vec::new();
        for (topic, record) in records {
            let place = self.push(&topic, record, EntryState::Open);
            places.push((topic, place));
        }
        let prepared = !matches!(ending, Ending::Aborted | Ending::Hanging);
        let transaction = Transaction { places, prepared, since_ms: self.now_ms };
        if matches!(ending, Ending::Hanging | Ending::Prepared) {
            self.names.get_mut(name).expect("taken before").open = Some(transaction);
        } else {
            self.end_transaction(&transaction);
        }
    }

    fn end_transaction(&mut self, transaction: &Transaction) {
        let state = if transaction.prepared { EntryState::Committed } else { EntryState::Aborted };
        self.event(format_args!("{} records are {state:?}", transaction.places.len()));
        let mut logs = BTreeSet::new();
        for (topic, place) in &transaction.places {
            logs.insert((topic.as_str(), place.partition));
            let topic = self.topics.get_mut(topic).expect("asked for before");
            let entry = usize::try_from(place.offset).expect("logs are short");
            topic.partitions[place.partition as usize].entries[entry].state = state;
        }
        if self.likeness == Likeness::Kafka {
            for (topic, partition) in logs {
                let topic = self.topics.get_mut(topic).expect("asked for before");
                topic.partitions[partition as usize].entries.push(Entry {
                    timestamp_ms: None,
                    record: NewRecord::default(),
                    state: EntryState::Marker,
                    compacted: false,
                });
            }
        }
    }

    pub(super) fn end_old_transactions(&mut self) {
        let oldest_ms = self.now_ms - TRANSACTION_TIMEOUT_MS;
        let old = |open: &mut Transaction| open.since_ms < oldest_ms;
        let ended: Vec<_> = self.names.values_mut().filter_map(|holder| holder.open.take_if(old)).collect();
        ended.iter().for_each(|transaction| self.end_transaction(transaction));
    }
}
