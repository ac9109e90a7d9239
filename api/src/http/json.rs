//! Messages as JSON, by their descriptors: what the schema says, and nothing else.
//!
//! Fields are named as in the schema. `bytes` are base64url without padding (RFC 4648, section 5), and
//! one text only stands for each of them; whole numbers are numbers; a field that may be absent is left
//! out when it is; everything else is always written. Inwards nothing is guessed: an unknown name, a null,
//! a number of another type and two fields of one `oneof` are refused, with the place where they stand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value as Proto,
};
use serde_json::{Map, Value};

/// Why JSON is not such a message: the place, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub(crate) struct Misfit {
    at: String,
    problem: String,
}

impl Misfit {
    fn new(at: &str, problem: impl Into<String>) -> Self {
        let at = if at.is_empty() { "the body" } else { at };
        Self { at: at.to_owned(), problem: problem.into() }
    }
}

/// The message that an object says, without the fields in `elsewhere`, which the object must not name.
pub(super) fn read(
    descriptor: &MessageDescriptor,
    value: &Value,
    elsewhere: &[&str],
) -> Result<DynamicMessage, Misfit> {
    read_message(descriptor, value, "", elsewhere)
}

fn read_message(
    descriptor: &MessageDescriptor,
    value: &Value,
    at: &str,
    elsewhere: &[&str],
) -> Result<DynamicMessage, Misfit> {
    let object = value.as_object().ok_or_else(|| Misfit::new(at, "must be an object"))?;
    let mut message = DynamicMessage::new(descriptor.clone());
    let mut chosen: Vec<String> = Vec::new();
    for (name, value) in object {
        let field = descriptor
            .get_field_by_name(name)
            .filter(|field| !elsewhere.contains(&field.name()))
            .ok_or_else(|| Misfit::new(at, format!("there is no field {name:?} here")))?;
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        if let Some(choice) = field.containing_oneof() {
            let choice = choice.name().to_owned();
            if chosen.contains(&choice) {
                return Err(Misfit::new(&at, format!("only one field of {choice} may be there")));
            }
            chosen.push(choice);
        }
        let value = if field.is_list() {
            let items = value.as_array().ok_or_else(|| Misfit::new(&at, "must be an array"))?;
            let items = items
                .iter()
                .enumerate()
                .map(|(n, item)| read_one(&field.kind(), item, &format!("{at}[{n}]")))
                .collect::<Result<_, _>>()?;
            Proto::List(items)
        } else {
            read_one(&field.kind(), value, &at)?
        };
        set(&mut message, &field, value, &at)?;
    }
    Ok(message)
}

fn read_one(kind: &Kind, value: &Value, at: &str) -> Result<Proto, Misfit> {
    let text =
        |what: &str| value.as_str().ok_or_else(|| Misfit::new(at, format!("must be {what}")));
    match kind {
        Kind::Bool => {
            let value = value.as_bool().ok_or_else(|| Misfit::new(at, "must be true or false"))?;
            Ok(Proto::Bool(value))
        }
        Kind::Uint32 | Kind::Uint64 => {
            let number = value.as_u64().ok_or_else(|| Misfit::new(at, WHOLE))?;
            whole(kind, number).ok_or_else(|| Misfit::new(at, WHOLE_32))
        }
        Kind::String => text("a string").map(|text| Proto::String(text.to_owned())),
        Kind::Bytes => bytes(text(BASE64URL)?, at),
        Kind::Message(descriptor) => read_message(descriptor, value, at, &[]).map(Proto::Message),
        _ => Err(Misfit::new(at, NO_JSON)),
    }
}

/// Sets a field that is not a message or a list from text, as it stands in a path or a query.
pub(super) fn set_text(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    text: &str,
) -> Result<(), Misfit> {
    let at = field.name();
    let value = match field.kind() {
        _ if field.is_list() => return Err(Misfit::new(at, "stands in no path or query")),
        Kind::Bool => match text {
            "true" => Proto::Bool(true),
            "false" => Proto::Bool(false),
            _ => return Err(Misfit::new(at, "must be true or false")),
        },
        Kind::Uint32 | Kind::Uint64 => {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits);
            let number = number.ok_or_else(|| Misfit::new(at, WHOLE))?;
            whole(&field.kind(), number).ok_or_else(|| Misfit::new(at, WHOLE_32))?
        }
        Kind::String => Proto::String(text.to_owned()),
        Kind::Bytes => bytes(text, at)?,
        _ => return Err(Misfit::new(at, "stands in no path or query")),
    };
    set(message, field, value, at)
}

const WHOLE: &str = "must be a whole number from 0 on";
const WHOLE_32: &str = "must be a whole number from 0 to 4294967295";
const BASE64URL: &str = "a string in base64url without padding";
const NO_JSON: &str = "a field of this type has no form in JSON";

fn whole(kind: &Kind, number: u64) -> Option<Proto> {
    match kind {
        Kind::Uint32 => u32::try_from(number).ok().map(Proto::U32),
        _ => Some(Proto::U64(number)),
    }
}

fn bytes(text: &str, at: &str) -> Result<Proto, Misfit> {
    from_base64url(text, at).map(|bytes| Proto::Bytes(bytes.into()))
}

/// The bytes that a text says, which stands `at` some place.
pub(super) fn from_base64url(text: &str, at: &str) -> Result<Vec<u8>, Misfit> {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|_| Misfit::new(at, format!("must be {BASE64URL}")))
}

fn set(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    value: Proto,
    at: &str,
) -> Result<(), Misfit> {
    message.try_set_field(field, value).map_err(|_| Misfit::new(at, NO_JSON))
}

/// A message as an object.
pub(super) fn write(message: &DynamicMessage) -> Value {
    let mut object = Map::new();
    for field in message.descriptor().fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        object.insert(field.name().to_owned(), write_one(&message.get_field(&field)));
    }
    Value::Object(object)
}

fn write_one(value: &Proto) -> Value {
    match value {
        Proto::Bool(value) => Value::Bool(*value),
        Proto::U32(value) => Value::Number((*value).into()),
        Proto::U64(value) => Value::Number((*value).into()),
        Proto::String(value) => Value::String(value.clone()),
        Proto::Bytes(value) => Value::String(base64url(value)),
        Proto::Message(message) => write(message),
        Proto::List(items) => Value::Array(items.iter().map(write_one).collect()),
        // `has_form` is asked of every message of the schema before the first is written.
        _ => Value::Null,
    }
}

/// Bytes as they stand in JSON, paths and entity tags.
pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a field can be written and read here.
pub(super) fn has_form(field: &FieldDescriptor) -> bool {
    let known = matches!(
        field.kind(),
        Kind::Bool | Kind::Uint32 | Kind::Uint64 | Kind::String | Kind::Bytes | Kind::Message(_)
    );
    known && !field.is_map()
}

#[cfg(test)]
mod tests;
