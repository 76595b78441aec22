//! Counts, shares, times and names as people read them.
//!
//! Everything here is a pure function of its arguments: the zone of the reader comes in as an offset, the clock as a
//! number. An unknown figure is a dash and never 0.

use jiff::{civil::DateTime, tz::Offset};
use tallyboard_shared::Timestamp;

use crate::{say, texts::catalogue};

/// What stands where a figure isn't known.
pub const UNKNOWN: &str = "—";

/// A count with its thousands apart: `1,204,331`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push_str(&catalogue().group);
        }
        text.push(digit);
    }
    text
}

/// A count that may be unknown.
#[must_use]
pub fn count_or_dash(number: Option<u64>) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), count)
}

/// A number with its sign: `+1,204`, `−3`.
#[must_use]
pub fn difference(number: i64) -> String {
    let sign = match number {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", count(number.unsigned_abs()))
}

/// A count with its noun: `1 vote`, `12 votes`.
#[must_use]
pub fn counted(number: u64, one: &'static str, many: &'static str) -> String {
    catalogue().counted(number, &count(number), one, many)
}

/// A share of 0 to 1 as percent with one decimal; a dash where it is unknown. What isn't nothing isn't shown as nothing,
/// and what isn't all isn't shown as all.
#[must_use]
pub fn percent(share: Option<f64>) -> String {
    match share {
        None => UNKNOWN.to_owned(),
        Some(share) if share > 0.0 && share < 0.000_5 => in_its_order(format!("<{}\u{202f}%", decimal(0.1))),
        Some(share) if (0.999_5..1.0).contains(&share) => {
            in_its_order(format!(">{}\u{202f}%", decimal(99.9)))
        }
        Some(share) => in_its_order(format!("{}\u{202f}%", decimal(share * 100.0))),
    }
}

/// Keeps signs where they are within lines from right to left: `<` would become `>` there.
fn in_its_order(figure: String) -> String {
    match catalogue().language.direction() {
        "rtl" => format!("\u{2066}{figure}\u{2069}"),
        _ => figure,
    }
}

/// A number with one decimal.
#[must_use]
pub fn decimal(number: f64) -> String {
    format!("{number:.1}").replace('.', &catalogue().decimal)
}

/// The time of day in the reader's zone: `20:15:02`.
#[must_use]
pub fn clock(time: Timestamp, offset_minutes: i32) -> String {
    let local = local(time, offset_minutes);
    format!("{:02}:{:02}:{:02}", local.hour(), local.minute(), local.second())
}

/// Day and time in the reader's zone: `3 November 2026, 20:00`.
#[must_use]
pub fn day_and_time(time: Timestamp, offset_minutes: i32) -> String {
    let local = local(time, offset_minutes);
    let month = usize::from(local.month().unsigned_abs()).saturating_sub(1);
    say!(
        "{day} {month} {year}, {time}",
        day = local.day(),
        month = catalogue().months.get(month).map_or(UNKNOWN, String::as_str),
        year = local.year(),
        time = format!("{:02}:{:02}", local.hour(), local.minute())
    )
}

fn local(time: Timestamp, offset_minutes: i32) -> DateTime {
    // Browsers know no offset beyond a day; one that does is shown as UTC rather than stopping the page.
    Offset::from_seconds(offset_minutes * 60).unwrap_or(Offset::UTC).to_datetime(time)
}

/// A version that isn't the newest: `Version 1,200 of 3 November 2026, 20:15:02`.
#[must_use]
pub fn replayed(version: u64, as_of: Timestamp, offset_minutes: i32) -> String {
    let seconds = local(as_of, offset_minutes).second();
    let time = format!("{}:{seconds:02}", day_and_time(as_of, offset_minutes));
    say!("Version {version} of {time}", version = count(version), time = time)
}

/// The name of an offset from UTC: `UTC+5:30`.
#[must_use]
pub fn zone(offset_minutes: i32) -> String {
    let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
    let sign = if offset_minutes < 0 { '−' } else { '+' };
    match (hours, minutes) {
        (0, 0) => "UTC".to_owned(),
        (_, 0) => format!("UTC{sign}{hours}"),
        _ => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// How long ago something was, from milliseconds: `0.4 s ago`, `12 s ago`, `3 min ago`.
#[must_use]
pub fn age(milliseconds: f64) -> String {
    say!("{span} ago", span = seconds(milliseconds / 1_000.0))
}

/// A span of time, from milliseconds: `0.4 s`, `12 s`, `3 min`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "milliseconds within an election stay below 2^53")]
pub fn span(milliseconds: i64) -> String {
    seconds(milliseconds as f64 / 1_000.0)
}

/// The width of windows of time, from milliseconds, in the largest unit of which they have a whole number: `8 s`,
/// `1 min`, `90 s`.
#[must_use]
pub fn width(milliseconds: i64) -> String {
    match milliseconds {
        0 => span(0),
        hours if hours % 3_600_000 == 0 => say!("{number} h", number = hours / 3_600_000),
        minutes if minutes % 60_000 == 0 => say!("{number} min", number = minutes / 60_000),
        seconds if seconds % 1_000 == 0 => say!("{number} s", number = seconds / 1_000),
        _ => span(milliseconds),
    }
}

fn seconds(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        say!("{number} s", number = decimal(seconds))
    } else if seconds < 99.5 {
        say!("{number} s", number = format!("{seconds:.0}"))
    } else if seconds < 5_400.0 {
        say!("{number} min", number = format!("{:.0}", seconds / 60.0))
    } else {
        say!("{number} h", number = format!("{:.0}", seconds / 3_600.0))
    }
}

/// Up to two letters that stand for a name where there is no picture.
#[must_use]
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().and_then(|word| word.chars().next());
    let last = words.next_back().and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

/// The part of a name that labels a chart: the last word, cut where it is long; the whole name where that is only a
/// letter, a number or a suffix.
#[must_use]
pub fn short_name(name: &str) -> String {
    const SUFFIXES: [&str; 4] = ["Jr", "Sr", "II", "III"];
    let last = name.split_whitespace().next_back().unwrap_or(name);
    let bare = last.trim_end_matches('.');
    let says_something =
        bare.chars().count() > 1 && bare.chars().any(char::is_alphabetic) && !SUFFIXES.contains(&bare);
    label(if says_something { last } else { name })
}

/// A text as a label in a chart: cut where it is longer than a line of a chart has room for. Narrow charts cut it again.
#[must_use]
pub fn label(text: &str) -> String {
    cut(text, 24)
}

/// A text of so many letters at most, with a sign where it goes on.
#[must_use]
pub fn cut(text: &str, letters_max: usize) -> String {
    if text.chars().count() <= letters_max {
        return text.to_owned();
    }
    text.chars().take(letters_max.saturating_sub(1)).chain(['…']).collect()
}

/// The beginning and the end of a hash, enough to compare by eye.
#[must_use]
pub fn short_hash(hash: &str) -> String {
    match (hash.get(..4), hash.len().checked_sub(4).and_then(|end| hash.get(end..))) {
        (Some(start), Some(end)) if hash.len() > 12 => format!("{start}…{end}"),
        _ => hash.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (41_904, "41,904"),
            (1_204_331, "1,204,331"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(
            [0, 1_204, -3, i64::MIN].map(difference),
            ["0", "+1,204", "−3", "−9,223,372,036,854,775,808"]
        );
        assert_eq!(counted(1, "vote", "votes"), "1 vote");
        assert_eq!(counted(2_000, "vote", "votes"), "2,000 votes");
    }

    #[test]
    fn unknown_figures_are_a_dash() {
        assert_eq!(count_or_dash(None), "—");
        assert_eq!(count_or_dash(Some(0)), "0");
        assert_eq!(percent(None), "—");
        assert_eq!(percent(Some(0.0)), "0.0\u{202f}%");
        assert_eq!(percent(Some(0.58714)), "58.7\u{202f}%");
        assert_eq!(percent(Some(0.000_49)), "<0.1\u{202f}%");
        assert_eq!(percent(Some(0.999_6)), ">99.9\u{202f}%");
        assert_eq!(percent(Some(1.0)), "100.0\u{202f}%");
    }

    #[test]
    fn times_are_in_the_zone_of_the_reader() {
        let time = "2026-11-03T23:45:02.5Z".parse().unwrap();
        assert_eq!(clock(time, 0), "23:45:02");
        assert_eq!(clock(time, 330), "05:15:02");
        assert_eq!(clock(time, -480), "15:45:02");
        assert_eq!(day_and_time(time, 60), "4 November 2026, 00:45");
        assert_eq!(replayed(1_200, time, 60), "Version 1,200 of 4 November 2026, 00:45:02");
        assert_eq!(clock(time, 9_999_999), "23:45:02");
        assert_eq!([zone(0), zone(120), zone(-210)], ["UTC", "UTC+2", "UTC−3:30"]);
    }

    #[test]
    fn ages_lose_precision_as_they_grow() {
        for (milliseconds, text) in [
            (-5.0, "0.0 s ago"),
            (240.0, "0.2 s ago"),
            (12_300.0, "12 s ago"),
            (180_000.0, "3 min ago"),
            (7_200_000.0, "2 h ago"),
        ] {
            assert_eq!(age(milliseconds), text);
        }
    }

    #[test]
    fn widths_are_whole_numbers_of_their_unit() {
        let widths = [8_000, 60_000, 90_000, 7_200_000, 1_500].map(width);
        assert_eq!(widths, ["8 s", "1 min", "90 s", "2 h", "1.5 s"]);
    }

    #[test]
    fn names_become_initials_and_labels() {
        assert_eq!(initials("Ines Okafor"), "IO");
        assert_eq!(initials("ana maria petrov"), "AP");
        assert_eq!(initials("Yes"), "Y");
        assert_eq!(initials(""), "");
        assert_eq!(short_name("Ines Okafor"), "Okafor");
        assert_eq!(short_name("Ana Cruz D."), "Ana Cruz D.");
        assert_eq!(short_name("Yes on 12"), "Yes on 12");
        assert_eq!(short_name("Ray Smith Jr."), "Ray Smith Jr.");
        assert_eq!(short_name("Bo Li"), "Li");
        assert_eq!(short_name("Hubert Wolfeschlegelsteinhausen"), "Wolfeschlegelsteinhausen");
        assert_eq!(label("Bergerdorff von Wolfeschlegel"), "Bergerdorff von Wolfesc…");
        assert_eq!([cut("Okafor", 6), cut("Okafor", 5)], ["Okafor", "Okaf…"]);
    }

    #[test]
    fn hashes_keep_both_ends() {
        assert_eq!(short_hash("7f3ac210"), "7f3ac210");
        assert_eq!(short_hash("7f3a0000000000c210"), "7f3a…c210");
    }
}
