//! From the bytes of a record to a ballot: strict where that protects, lenient where others write.
//!
//! Strict: size, UTF-8, a JSON object and nothing behind it, depth, escapes, the types of the fields that are read, each
//! of them at most once. Lenient: unknown fields of any shape, the order of the fields, both formats of time, and what
//! only breakdowns look at.

mod moment;
mod plain;

use tallyboard_shared::{
    reason::Reason,
    vote::{RECORD_BYTES_MAX, Text, VOTER_ID_BYTES_MAX, Vote},
};

use moment::moment;

/// A ballot with everything that is required; who or what it names isn't checked yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Ballot<'a> {
    /// 1 to 256 bytes.
    pub voter_id: Text<'a>,
    /// Not empty.
    pub candidate_id: Text<'a>,
    /// Where the ballot names its contest; not empty.
    pub contest_id: Option<Text<'a>>,
    /// Id or name of the place.
    pub location: Text<'a>,
    /// When the ballot was cast, in milliseconds since 1970 UTC.
    pub cast_at_ms: i64,
    /// The candidate's name, as the ballot tells it.
    pub candidate_name: Option<Text<'a>>,
    /// The candidate's party, as the ballot tells it.
    pub party: Option<Text<'a>>,
    /// The candidate's picture, as the ballot tells it.
    pub photo_url: Option<Text<'a>>,
    /// The voter's gender, as the ballot tells it.
    pub gender: Option<Text<'a>>,
    /// The voter's age in years, as the ballot tells it.
    pub age: Option<u32>,
}

/// Reads a record.
///
/// # Errors
/// The reason why it isn't a ballot: too large, malformed, a missing field or a weight other than 1.
pub fn decode(record: &[u8]) -> Result<Ballot<'_>, Reason> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(Reason::TooLarge);
    }
    // As a whole, which is faster than text by text.
    let json = std::str::from_utf8(record).map_err(|_| Reason::Malformed)?;
    let vote: Vote<'_> = match plain::read(json) {
        Some(vote) => vote,
        None => serde_json::from_str(json).map_err(|_| Reason::Malformed)?,
    };
    let voter_id = required(vote.voter_id)?;
    if voter_id.as_str().len() > VOTER_ID_BYTES_MAX {
        return Err(Reason::TooLarge);
    }
    let candidate_id = required(vote.candidate_id)?;
    let voting_time = required(vote.voting_time)?;
    let location = required(vote.location_id.or_else(|| vote.address.and_then(|address| address.state)))?;
    if vote.vote.is_some_and(|weight| weight != 1) {
        return Err(Reason::InvalidWeight);
    }
    Ok(Ballot {
        voter_id,
        candidate_id,
        // Who writes every field writes one that they don't have as nothing.
        contest_id: vote.contest_id.filter(|id| !id.as_str().is_empty()),
        location,
        cast_at_ms: moment(voting_time.as_str()).ok_or(Reason::Malformed)?,
        candidate_name: vote.candidate_name,
        party: vote.party_affiliation,
        photo_url: vote.photo_url,
        gender: vote.gender,
        age: vote.registered_age,
    })
}

fn required(text: Option<Text<'_>>) -> Result<Text<'_>, Reason> {
    text.filter(|text| !text.as_str().is_empty()).ok_or(Reason::MissingField)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: &str =
        r#"{"voter_id":"v","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"OH"}"#;

    #[track_caller]
    fn check(record: &str, expected: Reason) {
        assert_eq!(decode(record.as_bytes()).map(|ballot| format!("{ballot:?}")), Err(expected), "{record}");
    }

    fn with(fields: &str) -> String {
        format!("{},{fields}}}", SHORTEST.trim_end_matches('}'))
    }

    #[test]
    fn the_shortest_ballot_is_read() {
        let ballot = decode(SHORTEST.as_bytes()).unwrap();
        assert_eq!(ballot.cast_at_ms, 1_793_693_700_000);
        assert_eq!(ballot.location.as_str(), "OH");
        assert_eq!(ballot.contest_id, None);
    }

    #[test]
    fn a_whole_record_of_the_seeds_is_read() {
        let record = include_bytes!("../../tests/data/seed-vote.json");
        let ballot = decode(record).unwrap();
        assert_eq!(ballot.voter_id.as_str(), "5b0b1f52-58a1-4f5e-9c1c-0c2fbc0a7b1a");
        assert_eq!(ballot.location.as_str(), "Bedfordshire");
        assert_eq!(ballot.party.unwrap().as_str(), "Savior Party");
    }

    #[test]
    fn what_is_not_one_json_object_is_malformed() {
        let not_objects = ["", " ", "{", "null", "[]", r#"["v","c","2026-11-03 08:15:00"]"#, "\"v\"", "1"];
        not_objects.into_iter().for_each(|record| check(record, Reason::Malformed));
        check(&format!("{SHORTEST}{SHORTEST}"), Reason::Malformed);
        check(&format!("\u{feff}{SHORTEST}"), Reason::Malformed);
        check(&with(r#""x":1,"#), Reason::Malformed);
        assert!(decode(format!(" \n{SHORTEST}\n").as_bytes()).is_ok());
    }

    #[test]
    fn numbers_and_other_types_in_place_of_ids_are_malformed() {
        for field in ["\"v\"", "\"c\"", "\"OH\"", "\"2026-11-03 08:15:00\""] {
            for value in ["7", "7.5", "true", "[\"v\"]", "{\"v\":1}"] {
                check(&SHORTEST.replace(field, value), Reason::Malformed);
            }
        }
        for name in ["contest_id", "candidate_name", "party_affiliation", "photo_url"] {
            check(&with(&format!(r#""{name}":7"#)), Reason::Malformed);
        }
        for weight in ["1.5", "\"1\"", "true", "[1]", "9223372036854775808"] {
            check(&with(&format!(r#""vote":{weight}"#)), Reason::Malformed);
        }
        for weight in ["1.0", "1e0"] {
            assert!(decode(with(&format!(r#""vote":{weight}"#)).as_bytes()).is_ok(), "{weight}");
        }
        for address in ["\"Ohio\"", "[\"Ohio\"]", "[]", "7", r#"{"state":7}"#, r#"{"state":["Ohio"]}"#] {
            check(&with(&format!(r#""address":{address}"#)), Reason::Malformed);
        }
    }

    #[test]
    fn every_field_that_is_read_may_be_there_once() {
        let fields = [
            (r#""voter_id":"v""#, true),
            (r#""candidate_id":"c""#, true),
            (r#""voting_time":"2026-11-03 08:15:00""#, true),
            (r#""location_id":"OH""#, true),
            (r#""contest_id":"k""#, false),
            (r#""address":{"state":"OH"}"#, false),
            (r#""vote":1"#, false),
            (r#""candidate_name":"n""#, false),
            (r#""party_affiliation":"p""#, false),
            (r#""photo_url":"u""#, false),
            (r#""gender":"f""#, false),
            (r#""registered_age":44"#, false),
        ];
        for (field, is_there) in fields {
            let (name, _) = field.split_once(':').unwrap();
            if !is_there {
                assert!(decode(with(field).as_bytes()).is_ok(), "{field}");
                check(&with(&format!("{field},{field}")), Reason::Malformed);
            }
            check(&with(&format!("{field},{name}:null")), Reason::Malformed);
            check(&with(&format!("{name}:null,{field}")), Reason::Malformed);
            let escaped = field.replacen('_', "\\u005f", 1);
            check(&with(&format!("{field},{escaped}")), Reason::Malformed);
        }
        check(&with(r#""address":{"state":"OH","city":"x","state":"OH"}"#), Reason::Malformed);
        assert!(decode(with(r#""address":{"city":1,"city":2},"email":1,"email":2"#).as_bytes()).is_ok());
    }

    #[test]
    fn broken_utf_8_and_lone_surrogates_are_malformed_wherever_they_stand() {
        let sound = with(r#""email":"é😀\ud83d\ude00","address":{"city":"ß"}"#);
        assert!(decode(sound.as_bytes()).is_ok());
        for (sound_part, broken) in
            [("é", &b"\xc3"[..]), ("😀", b"\xed\xa0\xbd"), ("ß", b"\xff"), ("OH", b"\xc0\x80")]
        {
            let at = sound.find(sound_part).unwrap();
            let (before, after) = (&sound.as_bytes()[..at], &sound.as_bytes()[at + sound_part.len()..]);
            assert_eq!(
                decode(&[before, broken, after].concat()).err(),
                Some(Reason::Malformed),
                "{sound_part}"
            );
        }
        for escape in
            [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\ude00\ud83d", r"\u12g4", r"\x", "\n", "\0"]
        {
            check(&SHORTEST.replace("\"v\"", &format!("\"{escape}\"")), Reason::Malformed);
            check(&with(&format!(r#""email":"{escape}""#)), Reason::Malformed);
            check(&with(&format!(r#""{escape}":1"#)), Reason::Malformed);
            check(&with(&format!(r#""address":{{"city":["{escape}"]}}"#)), Reason::Malformed);
        }
        check(&with(r#""postcode":1e999"#), Reason::Malformed);
    }

    #[test]
    fn what_breakdowns_are_made_of_never_makes_a_vote_malformed() {
        let ballot =
            |fields| format!("{:?}", decode(with(fields).as_bytes()).map(|b| (b.gender.map(|g| g.0), b.age)));
        assert_eq!(ballot(r#""gender":"female","registered_age":44"#), r#"Ok((Some("female"), Some(44)))"#);
        assert_eq!(ballot(r#""gender":1,"registered_age":"44""#), "Ok((None, None))");
        assert_eq!(ballot(r#""gender":null,"registered_age":null"#), "Ok((None, None))");
        assert_eq!(ballot(r#""gender":{"a":[]},"registered_age":-1"#), "Ok((None, None))");
    }

    #[test]
    fn absent_null_and_empty_fields_are_missing() {
        check("{}", Reason::MissingField);
        for field in ["\"v\"", "\"c\"", "\"OH\""] {
            check(&SHORTEST.replace(field, "null"), Reason::MissingField);
            check(&SHORTEST.replace(field, "\"\""), Reason::MissingField);
        }
        check(&SHORTEST.replace("voting_time", "time"), Reason::MissingField);
        check(&SHORTEST.replace("\"location_id\":\"OH\"", "\"address\":{}"), Reason::MissingField);
    }

    #[test]
    fn an_optional_field_that_is_null_or_empty_is_not_there() {
        for nothing in ["null", "\"\""] {
            let record = with(&format!(r#""contest_id":{nothing}"#));
            assert_eq!(decode(record.as_bytes()).unwrap().contest_id, None, "{nothing}");
        }
        assert_eq!(decode(with(r#""contest_id":" ""#).as_bytes()).unwrap().contest_id.unwrap().as_str(), " ");
    }

    #[test]
    fn unknown_fields_of_any_shape_are_ignored() {
        for field in [r#""postcode":7"#, r#""x":{"y":[1,{"z":null}]}"#, r#""biography":"\u00e9\n""#] {
            assert!(decode(with(field).as_bytes()).is_ok(), "{field}");
        }
    }

    #[test]
    fn only_the_weight_one_counts() {
        assert!(decode(with(r#""vote":1"#).as_bytes()).is_ok());
        assert!(decode(with(r#""vote":null"#).as_bytes()).is_ok());
        for weight in ["0", "2", "-1", "9223372036854775807"] {
            check(&with(&format!(r#""vote":{weight}"#)), Reason::InvalidWeight);
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let voter = |length| SHORTEST.replace("\"v\"", &format!("\"{}\"", "v".repeat(length)));
        assert!(decode(voter(VOTER_ID_BYTES_MAX).as_bytes()).is_ok());
        check(&voter(VOTER_ID_BYTES_MAX + 1), Reason::TooLarge);
        // Bytes of the id itself, not letters, and not those of its escapes.
        for letter in ["é", "\\u00e9"] {
            let id = letter.repeat(VOTER_ID_BYTES_MAX / 2);
            let ballot = SHORTEST.replace("\"v\"", &format!("\"{id}\""));
            assert_eq!(decode(ballot.as_bytes()).unwrap().voter_id.as_str().len(), VOTER_ID_BYTES_MAX);
            check(&SHORTEST.replace("\"v\"", &format!("\"{id}x\"")), Reason::TooLarge);
        }
        let padded = |length: usize| format!("{SHORTEST}{}", " ".repeat(length - SHORTEST.len()));
        assert!(decode(padded(RECORD_BYTES_MAX).as_bytes()).is_ok());
        check(&padded(RECORD_BYTES_MAX + 1), Reason::TooLarge);
    }

    #[test]
    fn nesting_is_bounded_at_127_levels() {
        // The record itself is the first level.
        let nested = |open: &str, inner: &str, close: &str, levels: usize| {
            with(&format!(r#""x":{}{inner}{}"#, open.repeat(levels - 1), close.repeat(levels - 1)))
        };
        assert!(decode(nested("[", "", "]", 127).as_bytes()).is_ok());
        assert!(decode(nested("{\"x\":", "1", "}", 127).as_bytes()).is_ok());
        for levels in [128, 129, 1000, 30_000] {
            check(&nested("[", "", "]", levels), Reason::Malformed);
        }
        check(&nested("{\"x\":", "1", "}", 128), Reason::Malformed);
        check(&nested("[", "", "", 60_000), Reason::Malformed);
        let address = |levels| nested("[", "", "]", levels).replace(r#""x":"#, r#""address":{"x":"#) + "}";
        assert!(decode(address(126).as_bytes()).is_ok());
        check(&address(127), Reason::Malformed);
    }
}
