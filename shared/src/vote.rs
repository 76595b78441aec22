//! A vote as it lies on the votes topic: the record of the Kafka + Spark + Streamlit pipelines, unchanged.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A text that borrows from the record where the JSON has no escapes in it.
///
/// A type of its own because serde borrows a `Cow` only where it stands alone, not inside an `Option`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Text<'_> {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The fields of a vote that Tallyboard reads; all others are ignored and not kept.
///
/// Everything is optional here because absence is judged by the rules of validation, with a reason, and not by
/// the JSON parser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Vote<'a> {
    /// Who votes: 1 to 256 bytes, the key of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<Text<'a>>,
    /// Whom the vote is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_id: Option<Text<'a>>,
    /// When the vote was cast: `YYYY-MM-DD HH:MM:SS` in UTC, or RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voting_time: Option<Text<'a>>,
    /// Which contest; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest_id: Option<Text<'a>>,
    /// Where: the id or the name of a place. Wins over `address.state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_id: Option<Text<'a>>,
    /// Where, as the seeds write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address<'a>>,
    /// The weight, 1 where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<i64>,
    /// The candidate's name, used where there is no definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_name: Option<Text<'a>>,
    /// The candidate's party, used where there is no definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party_affiliation: Option<Text<'a>>,
    /// The candidate's picture, used where there is no definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<Text<'a>>,
}

/// The part of a voter's address that says where the vote is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Address<'a> {
    /// The place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Text<'a>>,
}

/// The largest record that is read, in bytes.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// The longest voter id, in bytes.
pub const VOTER_ID_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_are_borrowed_and_escaped_ones_are_owned() {
        let vote: Vote<'_> = serde_json::from_str(r#"{"voter_id":"v","candidate_id":"\u0063"}"#).unwrap();
        assert!(matches!(vote.voter_id, Some(Text(Cow::Borrowed("v")))));
        assert!(matches!(vote.candidate_id, Some(Text(Cow::Owned(id))) if id == "c"));
    }

    #[test]
    fn unknown_fields_are_ignored_and_a_repeated_field_is_an_error() {
        let vote: Vote<'_> =
            serde_json::from_str(r#"{"email":"a@b","address":{"postcode":7,"state":"Ohio"}}"#).unwrap();
        assert_eq!(vote.address.unwrap().state, Some(Text::from("Ohio")));
        assert!(serde_json::from_str::<Vote<'_>>(r#"{"voter_id":"a","voter_id":"b"}"#).is_err());
    }
}
