//! A vote as it lies on the votes topic: the record of the Kafka + Spark + Streamlit pipelines, unchanged.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor},
};

/// A text that borrows from the record where the JSON has no escapes in it.
///
/// A type of its own because serde borrows a `Cow` only where it stands alone, not inside an `Option`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, description = "A text."))]
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
/// the JSON parser. A field that is read may be there once, `null` counting as there. Ignored values of any shape are
/// passed over, yet looked at: what `serde_json::Value` couldn't hold (a lone surrogate, 1e999, nesting beyond
/// `serde_json`'s 127 levels) is an error wherever it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(description = "A vote, as JSON of at most 65,536 bytes in UTF-8. The place is `location_id` or \
                       `address.state`; one of them is needed. Fields that aren't listed are ignored and not kept. A \
                       listed field may be there once, and `null` is as good as absent. Texts that are required \
                       aren't empty.")
)]
pub struct Vote<'a> {
    /// Who votes: 1 to 256 bytes, the key of the record.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = true, nullable = false, min_length = 1, max_length = 256)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<Text<'a>>,
    /// Whom the vote is for: the candidate's id. Without a definition it has at most 128 bytes, as have `contest_id` and the
    /// place.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = true, nullable = false, min_length = 1)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_id: Option<Text<'a>>,
    /// When the vote was cast: `YYYY-MM-DD HH:MM:SS` in UTC, or RFC 3339. The milliseconds count, what is finer doesn't.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, required = true, nullable = false, min_length = 1)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voting_time: Option<Text<'a>>,
    /// Which contest, by id; may be left out, or empty, where there is only one. Without a definition, a vote that names none
    /// is for the contest `election`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contest_id: Option<Text<'a>>,
    /// Where: the id or the name of a place. Wins over `address.state`; an empty text does too, and is a `missing_field`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, min_length = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_id: Option<Text<'a>>,
    /// Where, as the existing pipelines write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address<'a>>,
    /// The weight, 1 where it is there: `1.0` is as good, a text isn't.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<i64>,
    /// The candidate's name, used where there is no definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_name: Option<Text<'a>>,
    /// The candidate's party, used where there is no definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_affiliation: Option<Text<'a>>,
    /// The candidate's picture, used where there is no definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<Text<'a>>,
    /// The voter's gender, for breakdowns only: `female` or `male`, in capitals or not; empty, `unknown`, and what isn't a
    /// text is `unknown`; every other text is `other`.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Text<'a>>,
    /// The voter's age in years, for breakdowns only, by the bands of `GroupResult`: what isn't a whole number from 0 on is
    /// read as absent.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_age: Option<u32>,
}

/// The part of a voter's address that says where the vote is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Address<'a> {
    /// The place: its id or its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Text<'a>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum VoteField {
    VoterId,
    CandidateId,
    VotingTime,
    ContestId,
    LocationId,
    Address,
    Vote,
    CandidateName,
    PartyAffiliation,
    PhotoUrl,
    Gender,
    RegisteredAge,
    #[serde(other)]
    Ignored,
}

// By hand, because a derived struct is also read from an array, and passes over ignored values without a bound on
// their depth.
impl<'de: 'a, 'a> Deserialize<'de> for Vote<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Address<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A struct that is filled field by field from a JSON object.
trait Fields<'de>: Default {
    type Field: Deserialize<'de> + Copy;

    /// The bit that says that the field was there; `None` for one that is ignored.
    fn bit(field: Self::Field) -> Option<u32>;

    fn read<A: MapAccess<'de>>(&mut self, field: Self::Field, map: &mut A) -> Result<(), A::Error>;
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Fields<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut fields = T::default();
        let mut seen = 0u32;
        while let Some(field) = map.next_key()? {
            if let Some(bit) = T::bit(field) {
                if seen & 1 << bit != 0 {
                    return Err(de::Error::custom("a field is there twice"));
                }
                seen |= 1 << bit;
            }
            fields.read(field, &mut map)?;
        }
        Ok(fields)
    }
}

impl<'de: 'a, 'a> Fields<'de> for Vote<'a> {
    type Field = VoteField;

    fn bit(field: VoteField) -> Option<u32> {
        (!matches!(field, VoteField::Ignored)).then_some(field as u32)
    }

    fn read<A: MapAccess<'de>>(&mut self, field: VoteField, map: &mut A) -> Result<(), A::Error> {
        match field {
            VoteField::VoterId => self.voter_id = map.next_value()?,
            VoteField::CandidateId => self.candidate_id = map.next_value()?,
            VoteField::VotingTime => self.voting_time = map.next_value()?,
            VoteField::ContestId => self.contest_id = map.next_value()?,
            VoteField::LocationId => self.location_id = map.next_value()?,
            VoteField::Address => self.address = map.next_value()?,
            VoteField::Vote => self.vote = map.next_value::<Option<Whole>>()?.map(|whole| whole.0),
            VoteField::CandidateName => self.candidate_name = map.next_value()?,
            VoteField::PartyAffiliation => self.party_affiliation = map.next_value()?,
            VoteField::PhotoUrl => self.photo_url = map.next_value()?,
            VoteField::Gender => self.gender = map.next_value::<Loose<'a>>()?.text(),
            VoteField::RegisteredAge => self.registered_age = map.next_value::<Loose<'a>>()?.number(),
            VoteField::Ignored => map.next_value::<Ignored>().map(drop)?,
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum AddressField {
    State,
    #[serde(other)]
    Ignored,
}

impl<'de: 'a, 'a> Fields<'de> for Address<'a> {
    type Field = AddressField;

    fn bit(field: AddressField) -> Option<u32> {
        matches!(field, AddressField::State).then_some(0)
    }

    fn read<A: MapAccess<'de>>(&mut self, field: AddressField, map: &mut A) -> Result<(), A::Error> {
        match field {
            AddressField::State => self.state = map.next_value()?,
            AddressField::Ignored => map.next_value::<Ignored>().map(drop)?,
        }
        Ok(())
    }
}

/// A value of any shape, of which nothing is kept.
///
/// Unlike serde's `IgnoredAny` it asks for the value itself, so that the deserializer checks escapes and numbers and
/// counts the depth.
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Ignored {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A whole number, however JSON writes it: 1, 1.0 and 1e0 are the same.
struct Whole(i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        number.try_into().map(Whole).map_err(|_| E::custom("a number that is too large"))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
            return Ok(Whole(number as i64));
        }
        Err(E::custom("not a whole number"))
    }
}

/// Below it every whole number is exact as a float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A value that is used where it has the right shape, and absent where not.
enum Loose<'a> {
    Text(Text<'a>),
    Number(u64),
    Other,
}

impl<'a> Loose<'a> {
    fn text(self) -> Option<Text<'a>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn number(self) -> Option<u32> {
        if let Self::Number(number) = self { number.try_into().ok() } else { None }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(text.to_owned().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Loose<'de>, A::Error> {
        Ignored.visit_seq(items)?;
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Loose<'de>, A::Error> {
        Ignored.visit_map(map)?;
        Ok(Loose::Other)
    }
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

    #[test]
    fn a_weight_is_a_whole_number_however_it_is_written() {
        let read = |weight: &str| {
            let json = format!(r#"{{"vote":{weight}}}"#);
            let vote = serde_json::from_str::<Vote<'_>>(&json);
            vote.ok().map(|vote| vote.vote)
        };
        for (weight, expected) in [("1", 1), ("1.0", 1), ("1e0", 1), ("10e-1", 1), ("2.0", 2), ("-1", -1)] {
            assert_eq!(read(weight), Some(Some(expected)), "{weight}");
        }
        assert_eq!(read("null"), Some(None));
        for wrong in ["1.5", "1e300", "9223372036854775808", "\"1\"", "true", "[1]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_breakdowns_are_made_of_is_absent_where_it_has_another_shape() {
        let read = |gender: &str, age: &str| {
            let json = format!(r#"{{"gender":{gender},"registered_age":{age}}}"#);
            let vote: Vote<'_> = serde_json::from_str(&json).unwrap();
            (vote.gender.map(|text| text.as_str().to_owned()), vote.registered_age)
        };
        assert_eq!(read(r#""female""#, "44"), (Some("female".to_owned()), Some(44)));
        assert_eq!(read(r#""\u0066""#, "4294967295"), (Some("f".to_owned()), Some(u32::MAX)));
        let others = ["null", "true", "-1", "4.5", "4294967296", r#"["male",{"a":1}]"#, r#"{"a":"male"}"#];
        for other in others {
            assert_eq!(read(other, other), (None, None), "{other}");
        }
        assert_eq!(read("44", r#""44""#), (None, None));
    }
}
