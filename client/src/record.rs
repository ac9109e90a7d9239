//! A record as its owner sees it, and the CBOR in which it is sealed.
//!
//! ```text
//! { "kind": text, "name": text, "policy": text, "fields": {text: text}, "body": bytes,
//!   ? "conflicts": [ {"base": uint, "path": text, "value": any} ] }        unknown keys are kept
//! ```
//!
//! When two devices changed the same record, the value that reached the cluster first stays, and the
//! other goes whole to `conflicts` (with path ""): nothing is lost, and nobody is asked at a bad time.

use std::{collections::BTreeMap, fmt};

use ciborium::Value;
use types::limits;
use zeroize::Zeroizing;

use crate::{
    cbor::{self, CborError},
    error::Usage,
};

/// Names that begin with this belong to the wallet itself.
pub(crate) const RESERVED_PREFIX: &str = "holdfast/";
/// Longest name, in bytes.
pub const NAME_MAX: usize = 1024;
/// Largest encoded record: what fits the largest padded size beside its length.
pub const DATA_MAX: usize = limits::RECORD_DATA_MAX;

const KNOWN: [&str; 6] = ["kind", "name", "policy", "fields", "body", "conflicts"];

/// One record: a credential, a document, a setting.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// What it is, for example `dc+sd-jwt`, `mso_mdoc` or `opaque`.
    pub kind: String,
    /// By which its owner asks for it. One record per name.
    pub name: String,
    /// How it travels: `portable`, `re-issue`, or empty when that does not apply.
    pub policy: String,
    /// Whatever is worth knowing without reading the body, such as type, issuer or expiry.
    pub fields: BTreeMap<String, String>,
    /// The credential or file itself, byte for byte.
    pub body: Zeroizing<Vec<u8>>,
    /// Values of other devices that were set aside. Empty unless two devices clashed.
    pub conflicts: Vec<Conflict>,
    /// What a newer version of Holdfast wrote beside it.
    unknown: Vec<(Value, Value)>,
}

/// A value that lost a clash, kept until its owner settles it.
#[derive(Clone, PartialEq)]
pub struct Conflict {
    /// The version on which the change was made; 0 when the record was new.
    pub base: u64,
    /// Which part of the record it replaces; empty for all of it.
    pub path: String,
    value: Value,
}

/// Why data is not a record. An older or newer program may have written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not a CBOR value.
    #[error("{0}")]
    Cbor(&'static str),
    /// A key is missing or of another type.
    #[error("its key \"{0}\" is missing or of another type")]
    Key(&'static str),
}

impl From<CborError> for RecordError {
    fn from(error: CborError) -> Self {
        RecordError::Cbor(match error {
            CborError::Malformed => "it is not CBOR, or nested too deeply",
            CborError::Trailing => "bytes follow its end",
            CborError::Twice => "a key stands twice",
        })
    }
}

impl Record {
    /// A record without policy, fields or conflicts.
    pub fn new(kind: impl Into<String>, name: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            policy: String::new(),
            fields: BTreeMap::new(),
            body: Zeroizing::new(body.into()),
            conflicts: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Whether the wallet, not its owner, keeps this record.
    pub fn is_reserved(&self) -> bool {
        self.name.starts_with(RESERVED_PREFIX)
    }

    /// Refuses what could not be stored or found again.
    ///
    /// # Errors
    /// [`Usage::Record`] if the name is empty, too long or not printable, or the whole is too large.
    pub fn check(&self) -> Result<(), Usage> {
        let refuse =
            |problem| Err(Usage::Record { name: self.name.chars().take(80).collect(), problem });
        if self.name.is_empty() {
            return refuse("has no name");
        }
        if self.name.len() > NAME_MAX {
            return refuse("has a name of more than 1024 bytes");
        }
        if self.name.chars().any(char::is_control) {
            return refuse("has a control character in its name");
        }
        if self.encode().len() > DATA_MAX {
            return refuse("is larger than 256 KiB with its fields and conflicts");
        }
        Ok(())
    }

    /// The bytes that are sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        cbor::encode(&Value::Map(self.entries(true)))
    }

    /// Reads what [`Record::encode`] wrote, or a newer version of it.
    ///
    /// # Errors
    /// [`RecordError`] names the key that does not fit.
    pub fn decode(data: &[u8]) -> Result<Self, RecordError> {
        match cbor::decode(data)? {
            Value::Map(entries) => Self::from_entries(entries),
            _ => Err(RecordError::Cbor("it is not a map")),
        }
    }

    /// Whether both hold the same value, conflicts aside.
    pub(crate) fn same_value(&self, other: &Self) -> bool {
        cbor::encode(&Value::Map(self.entries(false)))
            == cbor::encode(&Value::Map(other.entries(false)))
    }

    fn entries(&self, with_conflicts: bool) -> Vec<(Value, Value)> {
        let text = |text: &str| Value::Text(text.to_owned());
        let fields = self.fields.iter().map(|(key, value)| (text(key), text(value))).collect();
        let mut entries = self.unknown.clone();
        entries.extend([
            (text("kind"), text(&self.kind)),
            (text("name"), text(&self.name)),
            (text("policy"), text(&self.policy)),
            (text("fields"), Value::Map(fields)),
            (text("body"), Value::Bytes(self.body.to_vec())),
        ]);
        if with_conflicts && !self.conflicts.is_empty() {
            let conflicts = self.conflicts.iter().map(Conflict::to_value).collect();
            entries.push((text("conflicts"), Value::Array(conflicts)));
        }
        entries
    }

    fn from_entries(entries: Vec<(Value, Value)>) -> Result<Self, RecordError> {
        let (known, unknown): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|(key, _)| key.as_text().is_some_and(|key| KNOWN.contains(&key)));
        let mut known: BTreeMap<String, Value> = known
            .into_iter()
            .filter_map(|(key, value)| Some((key.into_text().ok()?, value)))
            .collect();
        let mut text = |key: &'static str| {
            known.remove(key).and_then(|value| value.into_text().ok()).ok_or(RecordError::Key(key))
        };
        let (kind, name, policy) = (text("kind")?, text("name")?, text("policy")?);
        let fields = known.remove("fields").and_then(texts).ok_or(RecordError::Key("fields"))?;
        let body = known
            .remove("body")
            .and_then(|value| value.into_bytes().ok())
            .ok_or(RecordError::Key("body"))?;
        let conflicts = match known.remove("conflicts") {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(Conflict::from_value)
                .collect::<Option<_>>()
                .ok_or(RecordError::Key("conflicts"))?,
            Some(_) => return Err(RecordError::Key("conflicts")),
        };
        Ok(Self { kind, name, policy, fields, body: Zeroizing::new(body), conflicts, unknown })
    }
}

impl Conflict {
    /// A whole record, changed on version `base`, that another one was preferred to.
    pub(crate) fn whole(base: u64, loser: &Record) -> Self {
        Self { base, path: String::new(), value: cbor::sorted(&Value::Map(loser.entries(false))) }
    }

    /// The value that was set aside, when it is a whole record.
    pub fn record(&self) -> Option<Record> {
        match (&*self.path, &self.value) {
            ("", Value::Map(entries)) => Record::from_entries(entries.clone()).ok(),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        Value::Map(vec![
            (text("base"), Value::Integer(self.base.into())),
            (text("path"), text(&self.path)),
            (text("value"), self.value.clone()),
        ])
    }

    fn from_value(value: Value) -> Option<Self> {
        let (mut base, mut path, mut inner) = (None, None, None);
        for (key, value) in value.into_map().ok()? {
            match key.as_text()? {
                "base" => base = u64::try_from(value.into_integer().ok()?).ok(),
                "path" => path = value.into_text().ok(),
                "value" => inner = Some(value),
                _ => return None,
            }
        }
        Some(Self { base: base?, path: path?, value: inner? })
    }
}

fn texts(value: Value) -> Option<BTreeMap<String, String>> {
    let entries = value.into_map().ok()?;
    entries
        .into_iter()
        .map(|(key, value)| Some((key.into_text().ok()?, value.into_text().ok()?)))
        .collect()
}

/// Sizes only: what a record says is its owner's.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fields, body, conflicts, .. } = self;
        write!(
            f,
            "Record({} fields, {} bytes, {} conflicts)",
            fields.len(),
            body.len(),
            conflicts.len()
        )
    }
}

impl fmt::Debug for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conflict(base {})", self.base)
    }
}

#[cfg(test)]
mod tests;
