//! What happened, in order: a hash that tells two runs apart, and the events for people.

use std::{
    fmt::{self, Write as _},
    hash::{DefaultHasher, Hasher as _},
};

/// The events of one run.
#[derive(Default)]
pub(crate) struct Trace {
    hasher: DefaultHasher,
    events: u64,
    told: bool,
}

impl Trace {
    /// Tells the events as they happen, which a run among thousands has no time for.
    pub(crate) fn told() -> Self {
        Self { told: true, ..Self::default() }
    }

    pub(crate) fn event(&mut self, at_ms: i64, what: fmt::Arguments<'_>) {
        self.events += 1;
        write!(self, "{at_ms} {what}").expect("hashing can't fail");
        if self.told {
            eprintln!("{at_ms:>8} ms  {what}");
        }
    }

    pub(crate) fn fingerprint(&self) -> (u64, u64) {
        (self.events, self.hasher.finish())
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hasher.write(text.as_bytes());
        Ok(())
    }
}
