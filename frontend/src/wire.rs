//! Reads what the server sends: JSON, and the frames of `tallyboard.v1.bin`.
//!
//! Both by one deserializer, so that the code for the types of the wire is in the page once, whichever of the two they
//! come in: with `serde_json` and postcard it would be there twice. JSON is first read into a tree. Why something can't be
//! read is nobody's business here: errors have no words.

mod access;
mod bytes;

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeOwned, Error, Visitor, value::BorrowedStrDeserializer},
};
use serde_json::Value;
use tallyboard_shared::{
    binary::{BinaryError, Kind, open},
    message::ServerMessage,
};

use self::{
    access::{Entries, Items, Variant},
    bytes::Bytes,
};

/// It can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it can't be read")
    }
}

impl std::error::Error for Unreadable {}

impl Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A value in JSON.
#[must_use]
pub fn from_json<T: DeserializeOwned>(json: &str) -> Option<T> {
    T::deserialize(Input::Json(&tree(json)?)).ok()
}

fn tree(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok()
}

/// The message of a text frame; `None` where it is none, or of a kind that this page doesn't know.
#[must_use]
pub fn from_text_frame(frame: &str) -> Option<ServerMessage> {
    let tree = tree(frame)?;
    let kind = match tree.get("type")?.as_str()? {
        "welcome" => Kind::Welcome,
        "update" => Kind::Update,
        "status" => Kind::Status,
        "goodbye" => Kind::Goodbye,
        _ => return None,
    };
    read(kind, Input::Json(&tree)).ok()
}

/// The message of a binary frame; `None` where it can't be read.
///
/// # Errors
/// The frame is of another format: this page and its server are of two builds.
pub fn from_binary_frame(frame: &[u8]) -> Result<Option<ServerMessage>, Unreadable> {
    let (kind, body) = match open(frame) {
        Ok(opened) => opened,
        Err(BinaryError::Format(_)) => return Err(Unreadable),
        Err(BinaryError::Malformed) => return Ok(None),
    };
    let mut bytes = Bytes(body);
    let message = read(kind, Input::Binary(&mut bytes)).ok();
    Ok(message.filter(|_| bytes.0.is_empty()))
}

fn read(kind: Kind, input: Input<'_, '_>) -> Result<ServerMessage, Unreadable> {
    use serde::Deserialize;
    Ok(match kind {
        Kind::Welcome => ServerMessage::Welcome(Deserialize::deserialize(input)?),
        Kind::Update => ServerMessage::Update(Deserialize::deserialize(input)?),
        Kind::Status => ServerMessage::Status(Deserialize::deserialize(input)?),
        Kind::Goodbye => ServerMessage::Goodbye(Deserialize::deserialize(input)?),
    })
}

/// What a value is read from.
enum Input<'a, 'de> {
    /// A value of JSON.
    Json(&'de Value),
    /// The key of an object of JSON.
    Key(&'de str),
    /// As postcard writes it.
    Binary(&'a mut Bytes<'de>),
}

impl<'de> Input<'_, 'de> {
    fn text(self) -> Result<&'de str, Unreadable> {
        match self {
            Self::Json(Value::String(text)) => Ok(text),
            Self::Json(_) => Err(Unreadable),
            Self::Key(key) => Ok(key),
            Self::Binary(bytes) => bytes.text(),
        }
    }

    fn bool(self) -> Result<bool, Unreadable> {
        match self {
            Self::Json(value) => value.as_bool().ok_or(Unreadable),
            Self::Key(_) => Err(Unreadable),
            Self::Binary(bytes) => bytes.bool(),
        }
    }

    fn unsigned(self) -> Result<u64, Unreadable> {
        match self {
            Self::Json(value) => value.as_u64().ok_or(Unreadable),
            Self::Key(_) => Err(Unreadable),
            Self::Binary(bytes) => bytes.unsigned(),
        }
    }

    fn signed(self) -> Result<i64, Unreadable> {
        match self {
            Self::Json(value) => value.as_i64().ok_or(Unreadable),
            Self::Key(_) => Err(Unreadable),
            Self::Binary(bytes) => bytes.signed(),
        }
    }

    fn float(self) -> Result<f64, Unreadable> {
        match self {
            Self::Json(value) => value.as_f64().ok_or(Unreadable),
            Self::Key(_) => Err(Unreadable),
            Self::Binary(bytes) => bytes.float(),
        }
    }

    /// The items of a list; `len` where the list itself doesn't say how many.
    fn items<'b>(self, len: Option<usize>) -> Result<Items<'b, 'de>, Unreadable>
    where
        Self: 'b,
    {
        match self {
            Self::Json(Value::Array(items)) => Ok(Items::Json(items.iter())),
            Self::Json(_) | Self::Key(_) => Err(Unreadable),
            Self::Binary(bytes) => {
                let left = len.map_or_else(|| bytes.len(), Ok)?;
                Ok(Items::Binary { bytes, left })
            }
        }
    }
}

/// Methods for types that nothing on the wire has.
macro_rules! absent {
    ($($method:ident($($argument:ident: $kind:ty),*);)+) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $kind,)* _: V) -> Result<V::Value, Unreadable> {
            $(let _ = $argument;)*
            Err(Unreadable)
        })+
    };
}

/// Methods that read one value and show it.
macro_rules! plain {
    ($($method:ident: $read:ident, $visit:ident;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            visitor.$visit(self.$read()?)
        })+
    };
}

impl<'de> Deserializer<'de> for Input<'_, 'de> {
    type Error = Unreadable;

    plain! {
        deserialize_bool: bool, visit_bool;
        deserialize_i16: signed, visit_i64;
        deserialize_i32: signed, visit_i64;
        deserialize_i64: signed, visit_i64;
        deserialize_u16: unsigned, visit_u64;
        deserialize_u32: unsigned, visit_u64;
        deserialize_u64: unsigned, visit_u64;
        deserialize_f64: float, visit_f64;
        deserialize_str: text, visit_borrowed_str;
        deserialize_string: text, visit_borrowed_str;
        deserialize_identifier: text, visit_borrowed_str;
    }

    // Postcard writes these otherwise than their larger kin.
    absent! {
        deserialize_any();
        deserialize_i8();
        deserialize_u8();
        deserialize_f32();
        deserialize_char();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let input = match self {
            Self::Json(Value::Null) => return visitor.visit_none(),
            Self::Binary(bytes) => {
                if !bytes.bool()? {
                    return visitor.visit_none();
                }
                Self::Binary(bytes)
            }
            input => input,
        };
        visitor.visit_some(input)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(self.items(None)?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(self.items(Some(len))?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let entries = match self {
            Self::Json(Value::Object(object)) => Entries::Json { object: object.iter(), value: None },
            Self::Json(_) | Self::Key(_) => return Err(Unreadable),
            Self::Binary(bytes) => {
                let left = bytes.len()?;
                Entries::Binary { bytes, left }
            }
        };
        visitor.visit_map(entries)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self {
            Self::Binary(_) => self.deserialize_tuple(fields.len(), visitor),
            Self::Json(_) | Self::Key(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self {
            Self::Binary(bytes) => visitor.visit_enum(Variant(bytes)),
            input => visitor.visit_enum(BorrowedStrDeserializer::new(input.text()?)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self {
            // In a frame nothing can be passed over: what it is isn't said.
            Self::Binary(_) => Err(Unreadable),
            Self::Json(_) | Self::Key(_) => visitor.visit_unit(),
        }
    }

    fn is_human_readable(&self) -> bool {
        !matches!(self, Self::Binary(_))
    }
}

#[cfg(test)]
mod tests;
