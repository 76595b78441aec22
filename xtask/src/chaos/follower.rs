//! Somebody who watches all viewers all the time and remembers every version they showed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Result, bail};
use serde_json::Value;

use super::fleet::ViewerAddress;
use crate::http;

/// How often a viewer is asked: about as often as there is a version.
const INTERVAL: Duration = Duration::from_millis(100);

/// Watches until it is dropped.
pub(super) struct Follower {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    /// What each version said.
    versions: BTreeMap<u64, Content>,
    faults: Vec<String>,
}

/// What tells one version's content from another's.
#[derive(Clone, PartialEq, Debug)]
struct Content {
    as_of: Value,
    votes: u64,
    inputs: BTreeMap<String, u64>,
}

impl Follower {
    pub(super) fn start(viewers: Vec<ViewerAddress>) -> Result<Self> {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let watch = |viewer: ViewerAddress| {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            let thread = std::thread::Builder::new().name(viewer.name.into());
            thread.spawn(move || watch(&viewer, &seen, &stop))
        };
        let threads = viewers.into_iter().map(watch).collect::<Result<_, _>>()?;
        Ok(Self { seen, stop, threads })
    }

    /// Makes sure that nothing wrong was seen up to this version.
    pub(super) fn reached(&self, version: u64) -> Result<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = seen.faults.first() {
            bail!("{fault}");
        }
        match seen.versions.last_key_value() {
            Some((newest, _)) if *newest > version => {
                bail!("version {newest} was shown, and now {version} is the newest")
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that what was counted only grew from version to version.
    pub(super) fn verdict(&self) -> Result<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for ((before, old), (after, new)) in seen.versions.iter().zip(seen.versions.iter().skip(1)) {
            let grew = old.inputs.iter().all(|(partition, end)| new.inputs.get(partition) >= Some(end));
            if new.votes < old.votes || !grew {
                bail!("version {after} says less than version {before}: {new:?}, {old:?}");
            }
        }
        crate::progress::note(&format!("{} versions were seen, each with one content", seen.versions.len()));
        Ok(())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // It may have panicked; that was told where it happened.
            drop(thread.join());
        }
    }
}

fn watch(viewer: &ViewerAddress, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let mut last = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(INTERVAL);
        let start = viewer.starts.load(Ordering::SeqCst);
        let Ok(results) = http::json(&format!("{}/api/v1/results", viewer.url)) else { continue };
        let Some((version, content)) = content(&results) else { continue };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == start && version < last.1 {
            seen.faults.push(format!("{} showed version {}, then {version}", viewer.name, last.1));
        }
        last = (start, version);
        let known = seen.versions.entry(version).or_insert_with(|| content.clone()).clone();
        if known != content {
            seen.faults.push(format!("version {version} was shown as {known:?} and as {content:?}"));
        }
    }
}

fn content(results: &Value) -> Option<(u64, Content)> {
    let inputs = results["inputs"].as_object()?;
    let inputs = inputs.iter().map(|(partition, end)| Some((partition.clone(), end.as_u64()?)));
    let content = Content {
        as_of: results["as_of"].clone(),
        votes: results["totals"]["votes"].as_u64()?,
        inputs: inputs.collect::<Option<_>>()?,
    };
    Some((results["version"].as_u64()?, content))
}
