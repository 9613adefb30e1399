//! The members of a JSON object in a request's body; repeated members are rejected at any depth.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// The value of a field, before it is parsed.
pub(super) enum Value {
    /// Zeroized on drop: it may be a password.
    Text(Zeroizing<String>),
    Null,
    /// A number, a list, or anything else that is not text.
    Other,
}

/// The relevant parts of a JSON text: its members if it is an object. Names must be unique at every depth; the parser bounds the
/// depth.
pub(super) enum JsonText {
    Object(Vec<(String, Value)>),
    Value(Value),
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = JsonText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonText, A::Error> {
        let mut members = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = match map.next_value::<JsonText>()? {
                JsonText::Object(_) => Value::Other,
                JsonText::Value(value) => value,
            };
            if !names.insert(name.clone()) {
                return Err(de::Error::custom("a member appears more than once"));
            }
            members.push((name, value));
        }
        Ok(JsonText::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonText, A::Error> {
        while seq.next_element::<JsonText>()?.is_some() {}
        Ok(JsonText::Value(Value::Other))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Text(Zeroizing::new(text.to_owned()))))
    }

    fn visit_string<E>(self, text: String) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Text(Zeroizing::new(text))))
    }

    fn visit_unit<E>(self) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Null))
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Other))
    }

    fn visit_i64<E>(self, _: i64) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Other))
    }

    fn visit_u64<E>(self, _: u64) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Other))
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonText, E> {
        Ok(JsonText::Value(Value::Other))
    }
}
