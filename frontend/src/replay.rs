//! The night again: which versions there are, which one is shown, and what comes next while it plays.
//!
//! Pure state; `pages/replay.rs` asks the server and tells this what came.

use std::sync::Arc;

use tallyboard_shared::{
    results::Results,
    versions::{VersionPoint, Versions},
};

use crate::{format, say, texts::tr};

/// How fast it plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// A version every two seconds.
    Slow,
    /// A version a second.
    #[default]
    Normal,
    /// Four versions a second, as far as the server keeps up.
    Fast,
}

impl Speed {
    /// Every speed.
    pub const ALL: [Self; 3] = [Self::Slow, Self::Normal, Self::Fast];

    /// How long a version stands.
    #[must_use]
    pub fn step_ms(self) -> u32 {
        match self {
            Self::Slow => 2_000,
            Self::Normal => 1_000,
            Self::Fast => 250,
        }
    }

    /// For lists of choices.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Normal => "normal",
            Self::Fast => "fast",
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => tr("1 step in 2 seconds"),
            Self::Normal => tr("1 step a second"),
            Self::Fast => tr("4 steps a second"),
        }
    }

    /// What a code stands for; the default where it isn't known.
    #[must_use]
    pub fn parse(code: &str) -> Self {
        Self::ALL.into_iter().find(|speed| speed.code() == code).unwrap_or_default()
    }
}

/// What is known of the versions, and the one that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Some versions, oldest first; `None` before the server has listed them.
    pub versions: Option<Versions>,
    /// The version that is shown.
    pub results: Option<Arc<Results>>,
    /// Why what was asked for isn't there at the moment.
    pub trouble: Option<&'static str>,
    /// The latest version that the server had none of: neither has it any before.
    gone_up_to: Option<u64>,
}

/// Why a version wasn't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The server has no such version.
    NoSuchVersion,
    /// There was no answer, or none that can be read.
    NoAnswer,
}

/// What came from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The list of versions; `None`: there was no answer.
    Listed(Option<Versions>),
    /// A version that was asked for, and its results.
    Read(u64, Result<Arc<Results>, Unread>),
}

impl Replay {
    /// Takes what came, while `wanted` is the version that is to be shown.
    pub fn apply(&mut self, event: Event, wanted: Option<u64>) {
        match event {
            Event::Listed(Some(versions)) => {
                if self.versions.is_none() {
                    self.trouble = None;
                }
                self.versions = Some(versions);
            }
            Event::Listed(None) if self.versions.is_none() => {
                self.trouble = Some(tr("The versions can't be listed at the moment."));
            }
            Event::Listed(None) => {}
            // An answer that was overtaken by another question shows nothing any more.
            Event::Read(version, _) if Some(version) != wanted => {}
            Event::Read(_, Ok(results)) => {
                self.results = Some(results);
                self.trouble = None;
            }
            Event::Read(version, Err(Unread::NoSuchVersion)) => self.gone_up_to = Some(version),
            Event::Read(_, Err(Unread::NoAnswer)) => {
                self.trouble =
                    Some(tr("This version can't be read at the moment. The one before is still shown."));
            }
        }
    }

    /// The list of versions.
    #[must_use]
    pub fn points(&self) -> &[VersionPoint] {
        self.versions.as_ref().map_or(&[], |versions| &versions.versions)
    }

    /// The place of a version in the list: the last that isn't newer.
    #[must_use]
    pub fn position(&self, version: u64) -> usize {
        self.points().partition_point(|point| point.version <= version).saturating_sub(1)
    }

    /// The version at a place in the list.
    #[must_use]
    pub fn version_at(&self, position: usize) -> Option<u64> {
        self.points().get(position).map(|point| point.version)
    }

    /// The version to begin with: the one that is asked for or the nearest that there is, else the oldest that has votes.
    #[must_use]
    pub fn beginning(&self, asked: Option<u64>) -> Option<u64> {
        let newest = self.versions.as_ref()?.newest;
        let mut kept = self.points().iter().filter(|point| !self.is_gone(point.version));
        match asked.map(|version| version.min(newest)) {
            Some(version) if !self.is_gone(version) => Some(version),
            Some(_) => kept.next().map(|point| point.version),
            None => {
                let first = kept.clone().find(|point| point.votes > 0);
                first.or_else(|| kept.next()).map(|point| point.version)
            }
        }
    }

    fn is_gone(&self, version: u64) -> bool {
        self.gone_up_to.is_some_and(|gone| version <= gone)
    }

    /// What must be said of the version that is shown: why it isn't the one that was asked for.
    #[must_use]
    pub fn notice(&self, asked: Option<u64>) -> Option<String> {
        if let Some(trouble) = self.trouble {
            return Some(trouble.to_owned());
        }
        let shown = self.beginning(asked)?;
        let asked = asked.filter(|asked| *asked != shown)?;
        let (version, other) = (format::count(asked), format::count(shown));
        Some(if asked > shown {
            say!(
                "There is no version {version} yet: {other}, the newest, is shown.",
                version = version,
                other = other
            )
        } else {
            say!(
                "Version {version} is no longer kept, or never was: {other}, the oldest, is shown.",
                version = version,
                other = other
            )
        })
    }

    /// The version that follows in the list; `None` at its end.
    #[must_use]
    pub fn next(&self, version: u64) -> Option<u64> {
        self.points().iter().map(|point| point.version).find(|listed| *listed > version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    fn listed() -> Replay {
        let point = |(version, votes)| VersionPoint { version, as_of: samples::time(version), votes };
        let versions = [(1, 0), (5, 10), (9, 30)].map(point).to_vec();
        let mut replay = Replay::default();
        replay.apply(Event::Listed(Some(Versions { newest: 9, versions })), None);
        replay
    }

    fn read(version: u64) -> Event {
        Event::Read(version, Ok(Arc::new(samples::results(version, None, &[Some(version)]))))
    }

    #[test]
    fn it_begins_with_the_first_votes_or_where_it_was_asked_to() {
        let replay = listed();
        assert_eq!(replay.beginning(None), Some(5));
        assert_eq!(replay.beginning(Some(7)), Some(7));
        assert_eq!(replay.notice(Some(7)), None);
        assert_eq!(Replay::default().beginning(Some(7)), None);
    }

    #[test]
    fn another_version_never_passes_for_the_one_that_was_asked_for() {
        let mut replay = listed();
        assert_eq!(replay.beginning(Some(1_700)), Some(9), "a link into another count");
        let said = replay.notice(Some(1_700)).unwrap();
        assert_eq!(said, "There is no version 1,700 yet: 9, the newest, is shown.");
        // The server has thrown away what was before version 6.
        for (wanted, next) in [(2, 5), (5, 9)] {
            assert_eq!(replay.beginning(Some(2)), Some(wanted));
            replay.apply(Event::Read(wanted, Err(Unread::NoSuchVersion)), Some(wanted));
            assert_eq!(replay.beginning(Some(2)), Some(next));
        }
        let said = replay.notice(Some(2)).unwrap();
        assert_eq!(said, "Version 2 is no longer kept, or never was: 9, the oldest, is shown.");
        assert_eq!((replay.beginning(Some(6)), replay.notice(Some(6))), (Some(6), None));
        assert_eq!((replay.beginning(None), replay.notice(None)), (Some(9), None));
    }

    #[test]
    fn it_goes_on_from_anywhere_to_the_end() {
        let replay = listed();
        assert_eq!((replay.next(1), replay.next(7), replay.next(9)), (Some(5), Some(9), None));
        assert_eq!((replay.position(7), replay.position(9), replay.position(0)), (1, 2, 0));
        assert_eq!((replay.version_at(1), replay.version_at(3)), (Some(5), None));
    }

    #[test]
    fn speeds_are_read_back() {
        assert_eq!(Speed::ALL.map(|speed| Speed::parse(speed.code())), Speed::ALL);
        assert_eq!(Speed::parse("warp"), Speed::Normal);
    }

    #[test]
    fn an_answer_that_was_overtaken_is_not_shown() {
        let mut replay = listed();
        replay.apply(read(5), Some(9));
        assert_eq!(replay.results, None);
        replay.apply(read(9), Some(9));
        assert_eq!(replay.results.as_ref().map(|results| results.version), Some(9));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_takes_nothing_away() {
        let mut replay = listed();
        replay.apply(read(5), Some(5));
        replay.apply(Event::Read(9, Err(Unread::NoAnswer)), Some(9));
        assert!(replay.trouble.is_some() && replay.results.is_some());
        replay.apply(read(9), Some(9));
        assert_eq!(replay.trouble, None);
        let mut unlisted = Replay::default();
        unlisted.apply(Event::Listed(None), None);
        assert!(unlisted.trouble.is_some());
        unlisted.apply(Event::Listed(Some(Versions { newest: 1, versions: Vec::new() })), None);
        assert_eq!(unlisted.trouble, None);
    }
}
