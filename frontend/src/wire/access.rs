//! What lists, objects and enums are made of.

use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::Value;

use super::{Input, Unreadable, bytes::Bytes};

/// The items of a list.
pub(super) enum Items<'a, 'de> {
    Json(std::slice::Iter<'de, Value>),
    Binary { bytes: &'a mut Bytes<'de>, left: usize },
}

impl<'de> Items<'_, 'de> {
    fn next(&mut self) -> Option<Input<'_, 'de>> {
        match self {
            Self::Json(items) => items.next().map(Input::Json),
            Self::Binary { bytes, left } => {
                *left = left.checked_sub(1)?;
                Some(Input::Binary(bytes))
            }
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        self.next().map(|item| seed.deserialize(item)).transpose()
    }

    /// Serde reserves little for a list that merely says that it is long.
    fn size_hint(&self) -> Option<usize> {
        Some(match self {
            Self::Json(items) => items.len(),
            Self::Binary { left, .. } => *left,
        })
    }
}

/// The entries of an object.
pub(super) enum Entries<'a, 'de> {
    Json { object: serde_json::map::Iter<'de>, value: Option<&'de Value> },
    Binary { bytes: &'a mut Bytes<'de>, left: usize },
}

impl<'de> Entries<'_, 'de> {
    fn key(&mut self) -> Option<Input<'_, 'de>> {
        match self {
            Self::Json { object, value } => {
                let (key, next) = object.next()?;
                *value = Some(next);
                Some(Input::Key(key))
            }
            Self::Binary { bytes, left } => {
                *left = left.checked_sub(1)?;
                Some(Input::Binary(bytes))
            }
        }
    }

    fn value(&mut self) -> Result<Input<'_, 'de>, Unreadable> {
        match self {
            Self::Json { value, .. } => value.take().map(Input::Json).ok_or(Unreadable),
            Self::Binary { bytes, .. } => Ok(Input::Binary(bytes)),
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        self.key().map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unreadable> {
        seed.deserialize(self.value()?)
    }
}

/// The variant of an enum by its number; on the wire none holds anything.
pub(super) struct Variant<'a, 'de>(pub(super) &'a mut Bytes<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;
    type Variant = Nothing;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Nothing), Unreadable> {
        let number = self.0.unsigned()?;
        Ok((seed.deserialize(number.into_deserializer())?, Nothing))
    }
}

/// What a variant holds.
pub(super) struct Nothing;

impl<'de> VariantAccess<'de> for Nothing {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Unreadable> {
        Err(Unreadable)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Unreadable> {
        Err(Unreadable)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Unreadable> {
        Err(Unreadable)
    }
}
