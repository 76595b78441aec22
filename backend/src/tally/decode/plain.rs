//! The fast way through the records that producers really write: an object of texts, whole numbers and literals, with
//! one address in it, without escapes.
//!
//! What this module accepts it reads exactly as `serde_json` does; whatever it finds odd, sound or not, it leaves to
//! `serde_json`. So it decides how fast a record is read and never what it says.

use tallyboard_shared::vote::{Address, Text, Vote};
use wide::u8x16;

/// At most so many quotes: 64 fields of text. A record with more takes the slow way.
const QUOTES_MAX: usize = 256;

/// Quotes are found in blocks of so many bytes, a bit for each.
const BLOCK_BYTES: usize = 64;

/// Reads a record, or leaves it to `serde_json` as [`None`].
pub(super) fn read(json: &str) -> Option<Vote<'_>> {
    let json = json.trim_matches([' ', '\t', '\n', '\r']);
    let mut quotes = Quotes { positions: [0; QUOTES_MAX], count: 0 };
    quotes.find(json.as_bytes())?;
    let mut object = Scanner { json, at: 0, quotes: &quotes, next_quote: 0 };
    let vote = object.vote()?;
    (object.at == json.len()).then_some(vote)
}

/// Where the quotes are. Without backslashes every second one ends a text.
struct Quotes {
    positions: [u16; QUOTES_MAX],
    count: usize,
}

impl Quotes {
    /// `None` where there are backslashes, control characters or too many quotes.
    fn find(&mut self, bytes: &[u8]) -> Option<()> {
        let mut odd = u8x16::ZERO;
        let (blocks, rest) = bytes.as_chunks();
        let mut last = [b' '; BLOCK_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        for (number, block) in blocks.iter().chain([&last]).enumerate() {
            self.add(number * BLOCK_BYTES, quote_bits(block, &mut odd))?;
        }
        (odd.to_bitmask() == 0).then_some(())
    }

    fn add(&mut self, start: usize, mut bits: u64) -> Option<()> {
        while bits != 0 {
            let position = start + bits.trailing_zeros() as usize;
            *self.positions.get_mut(self.count)? = u16::try_from(position).ok()?;
            self.count += 1;
            bits &= bits - 1;
        }
        Some(())
    }

    fn get(&self, number: usize) -> Option<usize> {
        self.positions.get(..self.count)?.get(number).map(|position| usize::from(*position))
    }
}

/// A bit for every quote of the block; `odd` takes up whether a backslash or a control character was among the bytes.
fn quote_bits(block: &[u8; BLOCK_BYTES], odd: &mut u8x16) -> u64 {
    let mut bits = 0;
    for (number, lane) in block.as_chunks().0.iter().enumerate() {
        let lane = u8x16::new(*lane);
        bits |= u64::from(lane.simd_eq(u8x16::splat(b'"')).to_bitmask()) << (number * 16);
        let is_control = lane.min(u8x16::splat(0x1f)).simd_eq(lane);
        *odd |= lane.simd_eq(u8x16::splat(b'\\')) | is_control;
    }
    bits
}

/// A value that stands alone.
enum Scalar<'a> {
    Text(&'a str),
    Number(u64),
    Literal,
}

struct Scanner<'a, 'q> {
    json: &'a str,
    at: usize,
    quotes: &'q Quotes,
    next_quote: usize,
}

impl<'a> Scanner<'a, '_> {
    fn vote(&mut self) -> Option<Vote<'a>> {
        let mut vote = Vote::default();
        self.object(|scanner, name| match (name, scanner.peek()?) {
            ("address", b'{') => {
                let address = scanner.address()?;
                set(&mut vote.address, address)
            }
            _ => field(&mut vote, name, &scanner.scalar()?),
        })?;
        Some(vote)
    }

    fn address(&mut self) -> Option<Address<'a>> {
        let mut address = Address::default();
        self.object(|scanner, name| match (name, scanner.scalar()?) {
            ("state", Scalar::Text(text)) => set(&mut address.state, text.into()),
            ("state", _) => None,
            _ => Some(()),
        })?;
        Some(address)
    }

    /// An object with at least one field, each of which `value` reads.
    fn object(&mut self, mut value: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        loop {
            let name = self.text()?;
            self.take(b':')?;
            self.space();
            value(self, name)?;
            if self.take(b',').is_none() {
                return self.take(b'}');
            }
            self.space();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Python writes one space behind commas and colons; more take the slow way.
    fn space(&mut self) {
        self.at += usize::from(self.peek() == Some(b' '));
    }

    fn text(&mut self) -> Option<&'a str> {
        let open = self.quotes.get(self.next_quote)?;
        let close = self.quotes.get(self.next_quote + 1)?;
        if open != self.at {
            return None;
        }
        self.next_quote += 2;
        self.at = close + 1;
        self.json.get(open + 1..close)
    }

    fn scalar(&mut self) -> Option<Scalar<'a>> {
        if self.peek()? == b'"' {
            return self.text().map(Scalar::Text);
        }
        let rest = self.json.get(self.at..)?;
        let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric())?;
        self.at += end;
        match &rest.as_bytes()[..end] {
            b"null" | b"true" | b"false" => Some(Scalar::Literal),
            b"0" => Some(Scalar::Number(0)),
            [b'1'..=b'9', ..] => rest[..end].parse().ok().map(Scalar::Number),
            _ => None,
        }
    }
}

fn field<'a>(vote: &mut Vote<'a>, name: &str, value: &Scalar<'a>) -> Option<()> {
    let field = match name {
        "voter_id" => &mut vote.voter_id,
        "candidate_id" => &mut vote.candidate_id,
        "voting_time" => &mut vote.voting_time,
        "contest_id" => &mut vote.contest_id,
        "location_id" => &mut vote.location_id,
        "candidate_name" => &mut vote.candidate_name,
        "party_affiliation" => &mut vote.party_affiliation,
        "photo_url" => &mut vote.photo_url,
        "gender" => &mut vote.gender,
        "address" => return None,
        "vote" | "registered_age" => {
            let Scalar::Number(number) = *value else { return None };
            return match name {
                "vote" => set(&mut vote.vote, number.try_into().ok()?),
                _ => set(&mut vote.registered_age, number.try_into().ok()?),
            };
        }
        _ => return Some(()),
    };
    let Scalar::Text(text) = *value else { return None };
    set(field, Text::from(text))
}

/// A field that is there twice is left to `serde_json` to refuse.
fn set<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.is_none().then(|| *field = Some(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn agrees(json: &str) -> bool {
        let slow = serde_json::from_str::<Vote<'_>>(json);
        let fast = read(json);
        if let Some(fast) = &fast {
            assert_eq!(Some(fast), slow.as_ref().ok(), "{json}");
        }
        fast.is_some()
    }

    const SEED: &str = include_str!("../../../tests/data/seed-vote.json");

    #[test]
    fn the_records_that_producers_write_take_the_fast_way() {
        assert!(agrees(SEED));
        assert!(agrees(&SEED.replace(", ", ",").replace(": ", ":")));
        assert!(agrees(&SEED.replace("Example", "Exämple 😀")));
        assert!(agrees("{\"voter_id\":\"v\",\"vote\":1,\"x\":null,\"y\":true,\"z\":0}\n"));
    }

    #[test]
    fn odd_records_are_left_to_serde_json() {
        let odd = [
            "",
            "{}",
            "[]",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":1}}",
            "{\"a\":1} {",
            "{\"a\" :1}",
            "{\"a\":01}",
            "{\"a\":1.5}",
            "{\"a\":-1}",
            "{\"a\":1e5}",
            "{\"a\":nul}",
            "{\"a\":[]}",
            "{\"a\":\"\\n\"}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"b\"\"c\"}",
            "{a:1}",
            "{\"a\":18446744073709551616}",
            "{\"voter_id\":\"a\",\"voter_id\":\"b\"}",
            "{\"voter_id\":null}",
            "{\"vote\":null}",
            "{\"address\":\"x\"}",
            "{\"address\":{\"state\":1}}",
            "{\"address\":{\"state\":\"a\",\"state\":\"b\"}}",
            "{\"registered_age\":4294967296}",
            "{\"gender\":1}",
            "{\"a\":1 ,\"b\":2}",
            "{\"a\":1,  \"b\":2}",
            "{\"a\":\"b}",
            "{\"a\":}",
            "{\"a\":\"b\":\"c\"}",
            "{,}",
            "\"a\"",
            "{\"a\":{\"b\":1}}",
        ];
        for json in odd {
            assert!(!agrees(json), "{json}");
        }
        let many: String = (0..QUOTES_MAX / 2).map(|n| format!(",\"f{n}\":1")).collect();
        assert!(agrees(&format!("{{{}}}", &many[1..])));
        assert!(!agrees(&format!("{{{},\"x\":1}}", &many[1..])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Every quote and brace of a sound record is likely to be hit.
        #[test]
        fn what_is_read_fast_is_what_serde_json_reads(
            edits in proptest::collection::vec(
                (any::<prop::sample::Index>(), 0..3usize, prop::sample::select(vec![
                    "\"", "{", "}", ":", ",", " ", "1", "0", "-", ".", "e", "[", "]", "\\", "\n", "null", "é",
                    "\"vote\":1,", "\"voter_id\":\"w\",", "\"gender\":true,", "\"address\":{\"state\":\"x\"},",
                ])),
                0..4,
            ),
            compact in any::<bool>(),
        ) {
            let mut json = if compact { SEED.replace(", ", ",").replace(": ", ":") } else { SEED.to_owned() };
            for (place, removed, inserted) in edits {
                let boundaries: Vec<_> = json.char_indices().map(|(at, _)| at).chain([json.len()]).collect();
                let at = place.index(boundaries.len());
                let end = boundaries[(at + removed).min(boundaries.len() - 1)];
                json.replace_range(boundaries[at]..end, inserted);
            }
            agrees(&json);
        }
    }
}
