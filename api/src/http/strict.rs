//! JSON as strangers send it (RFC 8259), with the doubtful refused: a name that stands twice in an object,
//! anything after the value, nesting without end, numbers that no type holds, text that is not Unicode.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::door::parts::PARTS_MAX;

/// Reads one value and nothing after it.
///
/// # Errors
/// What is wrong with it, and in which line and column.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    // Every value but the first stands behind one of these. A value of two bytes takes more than
    // thirty in memory.
    let values = bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if values > VALUES_MAX {
        return Err(serde_json::Error::custom(format_args!(
            "there are more than {VALUES_MAX} values"
        )));
    }
    serde_json::from_slice::<Strict>(bytes).map(|Strict(value)| value)
}

/// More values than the largest commit has parts: each can stand behind a bracket and a name.
const VALUES_MAX: usize = 2 * PARTS_MAX;

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Strict)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no such number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} stands twice in an object")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_in_order_is_read() {
        let value = parse(br#" {"a": [1, -2, 1.5, "x\u00e9", null, true], "b": {}} "#).unwrap();
        assert_eq!(value, json!({"a": [1, -2, 1.5, "xé", null, true], "b": {}}));
    }

    #[test]
    fn the_doubtful_is_refused() {
        let (deep, many) = ("[".repeat(100_000), format!("[{}0]", "0,".repeat(1_000_000)));
        for text in [
            &br#"{"a": 1, "a": 2}"#[..],
            br#"{"a": {"b": 1, "b": 1}}"#,
            br#"{"a": 1, "\u0061": 2}"#,
            b"1e400",
            br#""\ud800""#,
            b"\"\xff\"",
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"{,}",
            b"",
            b"NaN",
            deep.as_bytes(),
            many.as_bytes(),
        ] {
            let shown = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
            assert!(parse(text).is_err(), "{shown}");
        }
    }
}
