//! Deterministic CBOR (RFC 8949, 4.2.1): equal values have equal bytes.
//!
//! ciborium writes the shortest integers and definite lengths by itself; what is left to do is to
//! sort maps by their encoded keys, and to refuse what is too deep or ambiguous when reading.

use std::collections::BTreeSet;

use ciborium::Value;
use zeroize::Zeroizing;

/// Nesting deeper than this is refused, so that no input can exhaust the stack.
const DEPTH_MAX: usize = 16;

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CborError {
    #[error("it is not CBOR, or nested too deeply")]
    Malformed,
    #[error("bytes follow its end")]
    Trailing,
    #[error("a map has a key twice")]
    Twice,
}

/// The one encoding of a value.
pub(crate) fn encode(value: &Value) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(&sorted(value), &mut *bytes).expect("a Vec takes everything");
    bytes
}

/// Reads one value that fills `bytes`. Other encodings than the deterministic one are accepted:
/// what members signed is theirs, and the next change writes it in order.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, CborError> {
    let mut rest = bytes;
    let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_MAX)
        .map_err(|_| CborError::Malformed)?;
    if !rest.is_empty() {
        return Err(CborError::Trailing);
    }
    if has_twins(&value) {
        return Err(CborError::Twice);
    }
    Ok(value)
}

/// The same value with every map in the order of its encoded keys.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| (encode(key), sorted(key), sorted(value)))
                .collect();
            entries.sort_by(|(a, ..), (b, ..)| a.cmp(b));
            Value::Map(entries.into_iter().map(|(_, key, value)| (key, value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Tag(tag, inner) => Value::Tag(*tag, Box::new(sorted(inner))),
        other => other.clone(),
    }
}

fn has_twins(value: &Value) -> bool {
    match value {
        Value::Map(entries) => {
            let mut seen = BTreeSet::new();
            !entries.iter().all(|(key, _)| seen.insert(encode(key).to_vec()))
                || entries.iter().any(|(key, value)| has_twins(key) || has_twins(value))
        }
        Value::Array(items) => items.iter().any(has_twins),
        Value::Tag(_, inner) => has_twins(inner),
        _ => false,
    }
}
