//! What the reader chose for all screens, remembered in the browser.
//!
//! Each choice has a code, under which it is stored; a code that isn't known is the default.

use leptos::prelude::*;

use crate::feed::RENDER_INTERVAL_MS;
use crate::texts::tr;

/// One choice among a few.
pub trait Choice: Copy + PartialEq + Default + 'static {
    /// Under which name it is remembered.
    const KEY: &'static str;
    /// What can be chosen, the default first.
    const ALL: &'static [Self];
    /// How it is remembered.
    fn code(self) -> &'static str;
    /// For people.
    fn name(self) -> &'static str;

    /// What a code stands for.
    fn parse(code: &str) -> Self {
        Self::ALL.iter().copied().find(|choice| choice.code() == code).unwrap_or_default()
    }
}

/// Whose clock the page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// The reader's.
    #[default]
    Own,
    /// UTC.
    Utc,
}

impl Choice for Zone {
    const KEY: &'static str = "tallyboard.zone";
    const ALL: &'static [Self] = &[Self::Own, Self::Utc];

    fn code(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Utc => "utc",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Own => tr("Yours"),
            Self::Utc => "UTC",
        }
    }
}

/// How often the page is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// With every update, as far as eyes can follow.
    #[default]
    Live,
    /// Every few seconds.
    Calm,
    /// Every ten seconds.
    Slow,
    /// Once a minute.
    Minute,
}

impl Pace {
    /// The time between two drawings.
    #[must_use]
    pub fn interval_ms(self) -> u32 {
        match self {
            Self::Live => RENDER_INTERVAL_MS,
            Self::Calm => 2_000,
            Self::Slow => 10_000,
            Self::Minute => 60_000,
        }
    }
}

impl Choice for Pace {
    const KEY: &'static str = "tallyboard.pace";
    const ALL: &'static [Self] = &[Self::Live, Self::Calm, Self::Slow, Self::Minute];

    fn code(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Calm => "2s",
            Self::Slow => "10s",
            Self::Minute => "60s",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Live => tr("At once"),
            Self::Calm => tr("Every 2 seconds"),
            Self::Slow => tr("Every 10 seconds"),
            Self::Minute => tr("Every minute"),
        }
    }
}

/// Whether charts have patterns as a second sign beside colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patterns {
    /// Where the system asks for more contrast.
    #[default]
    System,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Choice for Patterns {
    const KEY: &'static str = "tallyboard.patterns";
    const ALL: &'static [Self] = &[Self::System, Self::On, Self::Off];

    fn code(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::On => "on",
            Self::Off => "off",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::System => tr("As the system"),
            Self::On => tr("On"),
            Self::Off => tr("Off"),
        }
    }
}

/// The reader's choices. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Settings {
    /// Whose clock the page shows.
    pub zone: RwSignal<Zone>,
    /// How often it is drawn.
    pub pace: RwSignal<Pace>,
    /// Whether charts have patterns.
    pub patterns: RwSignal<Patterns>,
}

impl Settings {
    /// What was chosen before.
    #[must_use]
    pub fn remembered() -> Self {
        Self { zone: signal_of(), pace: signal_of(), patterns: signal_of() }
    }
}

fn signal_of<T: Choice + Send + Sync>() -> RwSignal<T> {
    RwSignal::new(remembered_choice().unwrap_or_default())
}

/// What was chosen before; `None` where nothing was.
#[must_use]
pub fn remembered_choice<T: Choice>() -> Option<T> {
    let stored = storage()?.get_item(T::KEY).ok().flatten()?;
    Some(T::parse(&stored))
}

/// Remembers a choice. Without storage it holds for as long as the page is open.
pub fn remember<T: Choice>(choice: T) {
    if let Some(storage) = storage() {
        storage.set_item(T::KEY, choice.code()).ok();
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Choice + std::fmt::Debug>() {
        assert_eq!(T::ALL[0], T::default());
        for choice in T::ALL {
            assert_eq!(T::parse(choice.code()), *choice);
        }
        assert_eq!(T::parse("weather"), T::default());
    }

    #[test]
    fn choices_are_read_back_and_what_is_unknown_is_the_default() {
        check::<Zone>();
        check::<Pace>();
        check::<Patterns>();
        assert!(Pace::ALL.is_sorted_by_key(|pace| pace.interval_ms()));
    }
}
