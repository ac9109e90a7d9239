//! JSON from strangers: every name at most once, nothing behind the end.
//!
//! `serde_json` lets the last of two equal names win, other readers the first: a credential could say
//! one thing to the wallet and another to a verifier. So a repeated name is refused here (RFC 7519, 4
//! leaves the choice). Nesting is limited to 128 levels by `serde_json`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::{CredentialError, Part, Problem};

/// Parses `text`, which was decoded from the file's bytes from `at` on.
pub(super) fn value(part: &Part, at: usize, text: &[u8]) -> Result<Value, CredentialError> {
    match serde_json::from_slice::<Unique>(text) {
        Ok(Unique(value)) => Ok(value),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let words = error.to_string();
            let reason = words.split(" at line ").next().unwrap_or_default().to_owned();
            Err(CredentialError::new(part.clone(), at, Problem::NotJson { line, column, reason }))
        }
    }
}

/// Like [`value`], for an object.
pub(super) fn object(
    part: &Part,
    at: usize,
    text: &[u8],
) -> Result<Map<String, Value>, CredentialError> {
    match value(part, at, text)? {
        Value::Object(object) => Ok(object),
        _ => Err(CredentialError::new(
            part.clone(),
            at,
            Problem::Wrong { what: "the decoded text", expected: "a JSON object" },
        )),
    }
}

/// A JSON value without repeated names.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let Unique(value) = map.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice in one object"));
            }
        }
        Ok(Value::Object(object))
    }
}
