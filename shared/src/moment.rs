//! How a moment is read off the wire: as it is written there, `2026-11-03T08:15:02.25Z`.
//!
//! jiff's own parser knows far more forms, and what it says of each that it can't read is 60 KB of the page. So the page
//! does without; whoever isn't made for browsers falls back on it.

use jiff::{Timestamp, civil::DateTime, tz::Offset};
use serde::{Deserialize, Deserializer, de::Error};

/// A moment.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    moment(&text).ok_or_else(|| D::Error::custom("it is no moment of RFC 3339"))
}

/// A moment, where there is one.
pub(crate) fn read_if_known<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    moment(&text).map(Some).ok_or_else(|| D::Error::custom("it is no moment of RFC 3339"))
}

/// A moment in the form of the wire; elsewhere than in browsers in any form of RFC 3339.
#[cfg(target_family = "wasm")]
#[must_use]
pub fn moment(text: &str) -> Option<Timestamp> {
    as_written(text.as_bytes())
}

/// A moment in the form of the wire; elsewhere than in browsers in any form of RFC 3339.
#[cfg(not(target_family = "wasm"))]
#[must_use]
pub fn moment(text: &str) -> Option<Timestamp> {
    as_written(text.as_bytes()).or_else(|| text.parse().ok())
}

/// In the form in which jiff writes the moments of the years from 0 to 9999.
fn as_written(text: &[u8]) -> Option<Timestamp> {
    let (text, rest) = text.split_first_chunk::<19>()?;
    if [text[4], text[7], text[10], text[13], text[16]] != *b"--T::" {
        return None;
    }
    let number = |from: usize, to: usize| digits(&text[from..to]);
    let pair = |at: usize| i8::try_from(number(at, at + 2)?).ok();
    let nanosecond = match rest.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', fraction @ ..] => {
            let missing = 9_usize.checked_sub(fraction.len())?;
            digits(fraction)? * 10_i32.pow(u32::try_from(missing).ok()?)
        }
        _ => return None,
    };
    let year = i16::try_from(number(0, 4)?).ok()?;
    let civil = DateTime::new(year, pair(5)?, pair(8)?, pair(11)?, pair(14)?, pair(17)?, nanosecond).ok()?;
    Offset::UTC.to_timestamp(civil).ok()
}

/// Nine digits at most.
fn digits(text: &[u8]) -> Option<i32> {
    (1..=9).contains(&text.len()).then_some(())?;
    text.iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_moment_is_read_as_it_was_written(
            seconds in -62_167_219_200_i64..253_402_207_200,
            nanoseconds in prop_oneof![Just(0), Just(500_000_000), 0..1_000_000_000_i32],
        ) {
            let moment = Timestamp::new(seconds, nanoseconds).unwrap();
            prop_assert_eq!(as_written(moment.to_string().as_bytes()), Some(moment));
        }

        #[test]
        fn what_is_read_is_what_jiff_reads(
            text in "(00|20|99)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.][0-9]{0,10}|)Z",
        ) {
            if let Some(moment) = as_written(text.as_bytes()) {
                prop_assert_eq!(text.parse().ok(), Some(moment));
            }
        }
    }

    #[test]
    fn other_forms_are_left_to_jiff() {
        for text in [
            "2026-11-03T08:15:00+01:00",
            "2026-11-03 08:15:00Z",
            "-002026-11-03T08:15:00Z",
            "２026-11-03T08:15:00Z",
        ] {
            assert_eq!(as_written(text.as_bytes()), None, "{text}");
            assert_eq!(moment(text), text.parse().ok(), "{text}");
        }
        for text in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-11-03T08:15:00.Z",
            "2026-11-03T08:15:0+Z",
            "2026-11-03T08:15:00",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
