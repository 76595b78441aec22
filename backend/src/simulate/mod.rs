//! Made-up votes: an endless election from a seed, or a real result table ballot by ballot.
//!
//! Record number `k` is a function of the settings and `k` alone. So a simulation that is interrupted goes on where
//! the log ends, and a test can say what it sent without having kept it.

mod electorate;
mod replay;
mod sink;

use std::time::{Duration, Instant};

use tallyboard_shared::Timestamp;

pub use electorate::{Electorate, Expected, Intent, Shape, Shares};
pub use replay::{ResultTable, TableColumns, TableError};
pub use sink::{HttpSink, Sink, SinkError};

use crate::{journal::NewRecord, shutdown::Stop};

/// With a rate, batches are sent so often: often enough to look like a stream.
const BATCH_INTERVAL: Duration = Duration::from_millis(50);

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// So many records a second.
    PerSecond(f64),
    /// As fast as they are taken.
    Max,
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let number = text.strip_suffix("/s").unwrap_or(text);
        match number.replace('_', "").parse::<f64>() {
            Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(Self::PerSecond(rate)),
            _ => Err(format!("`{text}` is not a rate like 2000/s or max")),
        }
    }
}

/// What can be sent, record by record.
pub trait Source {
    /// Record number `number`, cast at `now`; [`None`] once there are no more.
    fn record(&self, number: u64, now: Timestamp) -> Option<NewRecord>;
}

/// What a run of the simulation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number of the record that would come next.
    pub next: u64,
    /// Whether the source has no more.
    pub exhausted: bool,
}

/// Sends records from number `first` on, until `count` are sent, the source has no more or `stop` is raised.
///
/// A sink that is away for a while is waited for, and the same batch is sent again: a vote that arrives twice is
/// counted once.
///
/// # Errors
/// [`SinkError`] where sending again can't help.
pub fn send(
    source: &dyn Source,
    sink: &dyn Sink,
    rate: Rate,
    first: u64,
    count: Option<u64>,
    stop: &Stop,
) -> Result<Sent, SinkError> {
    let end = count.map_or(u64::MAX, |count| first.saturating_add(count));
    let started = Instant::now();
    let mut next = first;
    while next < end && !stop.is_raised() {
        let room = (end - next).min(allowance(rate, sink.batch_max(), started.elapsed(), next - first));
        if room == 0 {
            std::thread::sleep(BATCH_INTERVAL);
            continue;
        }
        let now = Timestamp::now();
        let batch: Vec<_> = (next..next + room).map_while(|number| source.record(number, now)).collect();
        let (sent, exhausted) = (batch.len() as u64, (batch.len() as u64) < room);
        deliver(sink, &batch, stop)?;
        next += sent;
        if exhausted {
            return Ok(Sent { next, exhausted: true });
        }
        // Behind the rate there is no time to rest.
        if rate != Rate::Max && room < sink.batch_max() {
            std::thread::sleep(BATCH_INTERVAL);
        }
    }
    Ok(Sent { next, exhausted: false })
}

/// How many records may be sent now, at most `batch_max`, after `sent` in `elapsed`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the size of a batch")]
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn allowance(rate: Rate, batch_max: u64, elapsed: Duration, sent: u64) -> u64 {
    match rate {
        Rate::Max => batch_max,
        Rate::PerSecond(rate) => {
            (rate * elapsed.as_secs_f64() - sent as f64).clamp(0.0, batch_max as f64) as u64
        }
    }
}

fn deliver(sink: &dyn Sink, batch: &[NewRecord], stop: &Stop) -> Result<(), SinkError> {
    loop {
        match sink.send(batch) {
            Err(error) if error.is_transient() && !stop.is_raised() => {
                tracing::warn!(%error, "votes can't be sent; trying again");
                std::thread::sleep(Duration::from_secs(1));
            }
            outcome => return outcome,
        }
    }
}

/// A well-mixed number from a seed and another number (the finalizer of `SplitMix64`).
fn mix(seed: u64, number: u64) -> u64 {
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number in 0..1 from a mixed one.
#[expect(clippy::cast_precision_loss, reason = "53 bits are kept, as many as fit")]
fn unit(mixed: u64) -> f64 {
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// A number in the form of a UUID, as the seeds' voter ids have it.
fn uuid(seed: u64, number: u64) -> String {
    let (high, low) = (mix(seed, number), mix(!seed, number));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("2000/s".parse(), Ok(Rate::PerSecond(2000.0)));
        assert_eq!("1_000".parse(), Ok(Rate::PerSecond(1000.0)));
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert!(["", "0/s", "-1", "fast", "inf"].iter().all(|text| text.parse::<Rate>().is_err()));
    }

    #[test]
    fn the_allowance_follows_the_rate() {
        let second = Duration::from_secs(1);
        assert_eq!(allowance(Rate::PerSecond(100.0), 2000, second, 40), 60);
        assert_eq!(allowance(Rate::PerSecond(100.0), 2000, second, 100), 0);
        assert_eq!(allowance(Rate::PerSecond(1e9), 2000, second, 0), 2000);
    }

    #[test]
    fn ids_look_like_the_seeds_and_differ() {
        let ids: std::collections::BTreeSet<_> = (0..10_000).map(|number| uuid(7, number)).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'));
    }
}
