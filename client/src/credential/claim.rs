//! What a credential says about its holder, the same for all formats.

use std::fmt;

/// One claim (SD-JWT VC) or data element (mdoc).
///
/// `Debug` shows names and never values.
#[derive(Clone, PartialEq)]
pub struct Claim {
    /// The name space of an mdoc element; an SD-JWT VC has none.
    pub space: Option<String>,
    /// Its name, as the issuer wrote it.
    pub name: String,
    /// Its value.
    pub value: ClaimValue,
    /// Whether a presentation can leave it out, or a part of it.
    pub disclosable: bool,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("space", &self.space)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A value, as JSON or CBOR have them.
#[derive(Clone, PartialEq)]
pub enum ClaimValue {
    /// No value.
    Null,
    /// True or false.
    Truth(bool),
    /// A number, in decimal.
    Number(String),
    /// Text; dates of an mdoc too.
    Text(String),
    /// Bytes, such as a portrait; of CBOR only.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<ClaimValue>),
    /// Named values, in the order of the file (CBOR) or of their names (JSON).
    Map(Vec<(String, ClaimValue)>),
}

impl fmt::Debug for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimValue(…)")
    }
}

/// One line: bytes as their number, control characters escaped.
impl fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Truth(value) => write!(f, "{value}"),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => f.write_str(&one_line(text)),
            Self::Bytes(bytes) => write!(f, "({} bytes)", bytes.len()),
            Self::List(values) => {
                for (place, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if place == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Map(members) => {
                for (place, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{}: {value}", if place == 0 { "" } else { "; " }, one_line(name))?;
                }
                Ok(())
            }
        }
    }
}

impl From<&serde_json::Value> for ClaimValue {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Truth(*value),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(values) => Self::List(values.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Map(
                members.iter().map(|(name, value)| (name.clone(), value.into())).collect(),
            ),
        }
    }
}

impl From<ciborium::Value> for ClaimValue {
    fn from(value: ciborium::Value) -> Self {
        use ciborium::Value;
        match value {
            Value::Bool(value) => Self::Truth(value),
            Value::Integer(number) => Self::Number(i128::from(number).to_string()),
            Value::Float(number) => Self::Number(number.to_string()),
            Value::Text(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            // Dates and the like: the tag says how to read the text, and the text says it too.
            Value::Tag(_, value) => (*value).into(),
            Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Value::Map(members) => {
                let named = |(name, value)| (Self::from(name).to_string(), Self::from(value));
                Self::Map(members.into_iter().map(named).collect())
            }
            // Null, and what later CBOR libraries may add.
            _ => Self::Null,
        }
    }
}

/// Untrusted text with its control characters made visible, so that it cannot steer a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
