//! The simulated disk of a machine: what wasn't synced may be lost, torn or garbage after its process died.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::RngExt as _;
use tallyboard::checkpoint::Disk;

use crate::brokers::{Brokers, ProcessId, State};

/// So many bytes of a file are written as one: fingerprints are torn.
const SECTOR: usize = 16;

/// The files of a machine, which outlive its processes.
#[derive(Clone, Default)]
pub(crate) struct Files(Arc<Mutex<BTreeMap<String, File>>>);

#[derive(Clone, Default)]
struct File {
    /// As the operating system shows it.
    current: Vec<u8>,
    /// As it was when it was synced last.
    durable: Vec<u8>,
}

/// The disk as one process uses it.
pub(crate) struct SimulatedDisk {
    pub(crate) files: Files,
    pub(crate) brokers: Brokers,
    pub(crate) process: ProcessId,
    /// How often an operation fails, in thousandths.
    pub(crate) failing: u32,
}

impl Files {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.lock().insert(name.to_owned(), File { current: bytes.to_vec(), durable: bytes.to_vec() });
    }

    /// The machine has lost its power: of what wasn't synced any part may be there.
    pub(crate) fn lose_power(&self, state: &mut State) {
        for file in self.lock().values_mut().filter(|file| file.current != file.durable) {
            let lengths = [file.durable.len(), file.current.len()];
            let length = state.rng.random_range(lengths[0].min(lengths[1])..=lengths[0].max(lengths[1]));
            let mut found = vec![0; length];
            for (number, sector) in found.chunks_mut(SECTOR).enumerate() {
                let source = if state.rng.random() { &file.durable } else { &file.current };
                let part = source.get(number * SECTOR..).unwrap_or_default();
                let whole = part.len().min(sector.len());
                sector[..whole].copy_from_slice(&part[..whole]);
            }
            // What both agree on was never in danger.
            let same = file.durable.iter().zip(&file.current).take_while(|(one, other)| one == other).count();
            let same = same.min(length);
            found[..same].copy_from_slice(&file.durable[..same]);
            *file = File { current: found.clone(), durable: found };
        }
    }

    /// A bit turns over in some file; its name, where there is any.
    pub(crate) fn rot(&self, state: &mut State) -> Option<String> {
        let mut files = self.lock();
        let count = files.len();
        if count == 0 {
            return None;
        }
        let (name, file) = files.iter_mut().nth(state.rng.random_range(0..count))?;
        if file.current.is_empty() {
            return None;
        }
        let (byte, bit) = (state.rng.random_range(0..file.current.len()), state.rng.random_range(0..8));
        file.current[byte] ^= 1 << bit;
        file.durable.clone_from(&file.current);
        Some(name.clone())
    }

    /// Another machine's files in place of these, as an operator may copy them.
    pub(crate) fn copy(&self, other: &Self) {
        let other = other.lock().clone();
        *self.lock() = other;
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}

impl SimulatedDisk {
    /// Whether the operation takes place; an error otherwise. A process that dies now may have done a part of it.
    fn reach(&self) -> io::Result<()> {
        let mut state = self.brokers.lock();
        if !state.survives(self.process) {
            return Err(io::Error::other("this process has died"));
        }
        if state.happens(self.failing) {
            state.fault("disk failure");
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// How much of an operation on so many bytes is done although it fails.
    fn part(&self, length: usize) -> usize {
        self.brokers.lock().rng.random_range(0..=length)
    }

    /// Whether the process was dead before it asked.
    fn is_dead(&self) -> bool {
        self.brokers.lock().is_dead(self.process)
    }
}

impl Disk for SimulatedDisk {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.reach()?;
        Ok(self.files.lock().get(name).map(|file| file.current.clone()))
    }

    fn scan(&self, name: &str, length: u64, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.reach()?;
        let length = usize::try_from(length).expect("files are short");
        if length == 0 {
            return Ok(());
        }
        let file = self.files.lock().get(name).map(|file| file.current.clone());
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        let wanted = file.get(..length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let piece = self.part(40) + 1;
        wanted.chunks(piece).for_each(each);
        Ok(())
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.reach()?;
        let length = usize::try_from(length).expect("files are short");
        self.files.lock().entry(name.to_owned()).or_default().current.resize(length, 0);
        Ok(())
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let before = self.is_dead();
        let outcome = self.reach();
        let done = match &outcome {
            Ok(()) => bytes.len(),
            Err(_) if before => 0,
            Err(_) => self.part(bytes.len()),
        };
        if done > 0 || outcome.is_ok() {
            self.files.lock().entry(name.to_owned()).or_default().current.extend_from_slice(&bytes[..done]);
        }
        outcome
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.reach()?;
        let mut files = self.files.lock();
        let file = files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.durable.clone_from(&file.current);
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let before = self.is_dead();
        let outcome = self.reach();
        if outcome.is_ok() || !before && self.part(1) == 1 {
            self.files.put(name, bytes);
        }
        outcome
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        self.reach()?;
        let mut files = self.files.lock();
        if let Some(file) = files.remove(name) {
            files.insert(to.to_owned(), file);
        }
        Ok(())
    }
}
