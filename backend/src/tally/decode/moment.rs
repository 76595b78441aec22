//! When a ballot was cast.

use jiff::{Timestamp, civil};

/// `YYYY-MM-DD HH:MM:SS[.fraction]` as UTC, or RFC 3339; in milliseconds since 1970.
///
/// jiff alone would also take ISO 8601's shortened forms and names of zones, which no contract of ours allows.
pub(super) fn moment(text: &str) -> Option<i64> {
    plain(text.as_bytes()).or_else(|| by_jiff(text))
}

/// `YYYY-MM-DD HH:MM:SS` with a space or a T, alone or with a Z: what nearly every vote has, in a third of jiff's time.
/// Everything else is left to jiff, with years far away and leap days.
fn plain(text: &[u8]) -> Option<i64> {
    const MONTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (text, zone) = text.split_first_chunk::<19>()?;
    let separators = [text[4], text[7], text[13], text[16]];
    if separators != *b"--::" || !matches!(text[10], b' ' | b'T') || !matches!(zone, [] | [b'Z']) {
        return None;
    }
    let pair = |at: usize| {
        let is_number = text[at].is_ascii_digit() && text[at + 1].is_ascii_digit();
        is_number.then(|| i64::from(text[at] - b'0') * 10 + i64::from(text[at + 1] - b'0'))
    };
    let (year, month, day) = (pair(0)? * 100 + pair(2)?, pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    let days = MONTHS.get(usize::try_from(month - 1).ok()?)?;
    let is_day = (1970..3000).contains(&year) && (1..=*days).contains(&day);
    if !is_day || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Counted from March on, a leap day is a year's last and doesn't move the months.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // Five months from March or August on have 153 days; 719,469 days lie between 1 March of the year 0 and 1970,
    // counting the day itself.
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

fn by_jiff(text: &str) -> Option<i64> {
    let (shape, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let separators = [shape[4], shape[7], shape[13], shape[16]];
    if separators != *b"--::" || !matches!(shape[10], b' ' | b'T' | b't') {
        return None;
    }
    let fraction = rest.iter().position(|byte| !matches!(byte, b'.' | b'0'..=b'9')).unwrap_or(rest.len());
    match &rest[fraction..] {
        [] => {
            let civil: civil::DateTime = text.parse().ok()?;
            Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
        }
        [b'Z' | b'z'] | [b'+' | b'-', _, _, b':', _, _] => {
            Some(text.parse::<Timestamp>().ok()?.as_millisecond())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_utc_or_rfc_3339() {
        let moments = [
            ("2026-11-03 08:15:00", Some(1_793_693_700_000)),
            ("2026-11-03 08:15:00.250", Some(1_793_693_700_250)),
            ("2026-11-03T08:15:00", Some(1_793_693_700_000)),
            ("2026-11-03T08:15:00Z", Some(1_793_693_700_000)),
            ("2026-11-03T08:15:00.123456+01:00", Some(1_793_690_100_123)),
            ("2026-11-03t08:15:00.5z", Some(1_793_693_700_500)),
            ("2026-11-03 08:15:00-00:30", Some(1_793_695_500_000)),
            ("2026-12-31 23:59:59", Some(1_798_761_599_000)),
            ("2026-12-31T23:59:60Z", Some(1_798_761_599_000)),
            ("2028-02-29 00:00:00", Some(1_835_395_200_000)),
            ("1969-12-31 23:59:59", Some(-1000)),
            ("2026-02-29 00:00:00", None),
            ("2026-11-31 00:00:00", None),
            ("2026-11-00 08:15:00", None),
            ("2026-00-03 08:15:00", None),
            ("2026-11-03 08:60:00", None),
            ("2026-11-03 08:15:61", None),
            ("2026-11-03 08:15:00.", None),
            ("2026-11-03 08:15:00,5", None),
            ("2026-11-03 08:15:00.1.1", None),
            ("2026-11-03T08:15:00+01", None),
            ("2026-11-03T08:15:00+0100", None),
            ("2026-11-03T08:15:00+01:00:00", None),
            ("2026-11-03T08:15:00+é:00", None),
            (" 2026-11-03 08:15:00", None),
            ("2026-11-03 08:15:00 ", None),
            ("2026-11-03_08:15:00", None),
            ("+002026-11-03 08:15:00", None),
            ("２026-11-03 08:15:00", None),
            ("2026-11-03 08:15", None),
            ("2026-11-03", None),
            ("20261103T081500Z", None),
            ("2026-11-03T08:15:00+01:00[Europe/Berlin]", None),
            ("2026-13-03 08:15:00", None),
            ("2026-11-03 24:15:00", None),
            ("03.11.2026 08:15:00", None),
            ("2026-11-03 08:15:00 tomorrow", None),
            ("ÄÄÄÄÄÄÄÄÄÄÄÄ", None),
        ];
        for (text, expected) in moments {
            assert_eq!(moment(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_is_that_of_jiff() {
        let mut day = civil::date(1969, 12, 1);
        while day.year() < 3001 {
            for (time, zone) in [(" 00:00:00", ""), ("T23:59:59", "Z")] {
                let text = format!("{day}{time}{zone}");
                let plain = plain(text.as_bytes());
                let is_plain = (1970..3000).contains(&day.year()) && (day.month(), day.day()) != (2, 29);
                assert_eq!(plain, is_plain.then(|| by_jiff(&text).unwrap()), "{text}");
            }
            day = day.tomorrow().unwrap();
        }
    }

    proptest! {
        #[test]
        fn what_is_read_fast_is_what_jiff_reads(
            text in "(19|20|29|30)[0-9]{2}-[0-3][0-9]-[0-3][0-9][ Tt][0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|z|[.]5|[+]01:00|)",
        ) {
            if let Some(plain) = plain(text.as_bytes()) {
                assert_eq!(by_jiff(&text), Some(plain), "{text}");
            }
        }
    }
}
