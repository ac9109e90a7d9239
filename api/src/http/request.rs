//! What a request over HTTP asks for, as the message of its method.
//!
//! Every part of a message comes from one place: a field that stands in the path is not accepted in
//! the query or the body, so that no request can name two things and have the first or the last one win.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use types::hash::tagged;
use types::{Head, HeadHash, WalletId};

use super::json::{self, Misfit};
use super::routes::{HEAD_PATH, Route};
use super::strict;
use crate::vault::VaultError;

/// The header that makes a repetition have one effect.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header by which a reader goes on where it was (HTML, server-sent events).
pub(super) const LAST_EVENT_ID: &str = "last-event-id";
/// The field that an idempotency key becomes.
pub(super) const REQUEST_ID: &str = "request_id";
/// The tag under which an idempotency key is hashed.
const KEY_TAG: &str = "holdfast/1 idempotency key";
/// No key is longer, in bytes.
const KEY_MAX: usize = 255;

/// Fields of `input` that come neither from the query nor from the body.
pub(super) fn elsewhere(route: &Route) -> Vec<&'static str> {
    route.parameters().chain([REQUEST_ID]).collect()
}

/// Reads the message of a method from a request's parts.
///
/// # Errors
/// [`VaultError::Malformed`] names the part and what is wrong with it.
pub(super) fn read(
    route: &Route,
    input: &MessageDescriptor,
    path: &[(String, String)],
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<DynamicMessage, VaultError> {
    let elsewhere = elsewhere(route);
    let mut message = if route.verb.has_body() {
        if query.is_some() {
            return Err(malformed("this request has a body and no query"));
        }
        let value = strict::parse(body).map_err(|error| malformed(format!("the body: {error}")))?;
        json::read(input, &value, &elsewhere)?
    } else {
        if !body.is_empty() {
            return Err(malformed("this request has no body"));
        }
        from_query(input, query.unwrap_or_default(), &elsewhere)?
    };
    for (name, text) in path {
        match input.get_field_by_name(name) {
            Some(field) => json::set_text(&mut message, &field, text)?,
            None if route.path == HEAD_PATH => same_wallet(&message, text)?,
            None => return Err(malformed(format!("there is nothing called {name}"))),
        }
    }
    if let Some(field) = input.get_field_by_name(REQUEST_ID) {
        let id = request_id(headers)?;
        message
            .try_set_field(&field, prost_reflect::Value::Bytes(id.to_vec().into()))
            .map_err(|_| VaultError::Broken)?;
    }
    if route.path == HEAD_PATH {
        follows_what_is_expected(&message, headers)?;
    }
    if let Some(last) = headers.get(LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        let last = last.to_str().ok().and_then(Cursor::parse);
        let last = last.ok_or_else(|| malformed("last-event-id is none that a watch gave"))?;
        last.set(&mut message)?;
    }
    Ok(message)
}

fn from_query(
    input: &MessageDescriptor,
    query: &str,
    elsewhere: &[&str],
) -> Result<DynamicMessage, VaultError> {
    let mut message = DynamicMessage::new(input.clone());
    let mut seen = Vec::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        let field = input
            .get_field_by_name(&name)
            .filter(|field| !elsewhere.contains(&field.name()))
            .ok_or_else(|| malformed(format!("the query: there is no field {name:?} here")))?;
        if seen.contains(&name) {
            return Err(malformed(format!("the query: {name} stands there twice")));
        }
        json::set_text(&mut message, &field, &text)?;
        seen.push(name);
    }
    Ok(message)
}

/// The head that a push carries.
pub(super) fn head_of(message: &DynamicMessage) -> Result<Head, VaultError> {
    let missing = || malformed("commit.head.head: must be there");
    let commit = message.get_field_by_name("commit").ok_or_else(missing)?;
    let head = commit.as_message().and_then(|commit| commit.get_field_by_name("head"));
    let head = head.ok_or_else(missing)?;
    let bytes = head.as_message().and_then(|head| head.get_field_by_name("head"));
    Ok(Head::parse(bytes.as_ref().and_then(|bytes| bytes.as_bytes()).ok_or_else(missing)?)?)
}

fn same_wallet(message: &DynamicMessage, text: &str) -> Result<(), VaultError> {
    let named = WalletId::parse(&json::from_base64url(text, "wallet")?)?;
    if head_of(message)?.wallet == named { Ok(()) } else { Err(VaultError::OtherWallet) }
}

/// The id of an act, from the key that its caller chose for it.
fn request_id(headers: &HeaderMap) -> Result<[u8; 32], VaultError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) if !key.is_empty() && key.len() <= KEY_MAX => key,
        _ => {
            return Err(malformed(format!(
                "send one {IDEMPOTENCY_KEY} of 1 to {KEY_MAX} bytes, and the same again with a retry"
            )));
        }
    };
    Ok(tagged(KEY_TAG, &[key.as_bytes()]))
}

/// Holds `if-match` against the head that a push follows. A push is accepted on that head alone, so
/// that nothing else needs to be asked.
fn follows_what_is_expected(
    message: &DynamicMessage,
    headers: &HeaderMap,
) -> Result<(), VaultError> {
    let Some(expected) = headers.get(IF_MATCH) else { return Ok(()) };
    let expected = expected.to_str().ok().and_then(HeadTag::parse);
    let expected =
        expected.ok_or_else(|| malformed("if-match must be one entity tag of a head"))?;
    if expected.0 == head_of(message)?.prev { Ok(()) } else { Err(VaultError::Precondition) }
}

/// A head hash as an entity tag (RFC 9110, section 8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadTag(pub(super) HeadHash);

impl HeadTag {
    /// Reads one strong tag.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        let bytes = json::from_base64url(inner, "head").ok()?;
        HeadHash::parse(&bytes).ok().map(Self)
    }

    /// Whether a caller who sends these headers has this head already.
    pub(super) fn is_held(self, headers: &HeaderMap) -> bool {
        let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        tags.flat_map(|value| value.split(',')).any(|tag| Self::parse(tag.trim()) == Some(self))
    }
}

impl fmt::Display for HeadTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", json::base64url(self.0.as_bytes()))
    }
}

/// How far a reader of events has come, as the id of the last event of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) seq: u64,
    pub(super) head: HeadHash,
    pub(super) links: u32,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (seq, head, links) = (parts.next()?, parts.next()?, parts.next()?);
        let head = HeadHash::parse(&json::from_base64url(head, "head").ok()?).ok()?;
        let cursor = Self { seq: seq.parse().ok()?, head, links: links.parse().ok()? };
        (parts.next().is_none() && cursor.to_string() == text).then_some(cursor)
    }

    /// It says more than the query of the first request, which a browser repeats.
    fn set(self, message: &mut DynamicMessage) -> Result<(), VaultError> {
        let head = prost_reflect::Value::Bytes(self.head.as_bytes().to_vec().into());
        for (name, value) in [
            ("seq", prost_reflect::Value::U64(self.seq)),
            ("head", head),
            ("links", prost_reflect::Value::U32(self.links)),
        ] {
            let set = message.try_set_field_by_name(name, value);
            set.map_err(|_| malformed("last-event-id belongs to a watch"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = json::base64url(self.head.as_bytes());
        write!(formatter, "{}.{head}.{}", self.seq, self.links)
    }
}

/// How long the caller is ready to wait, from `prefer: wait=SECONDS` (RFC 7240, section 4.3).
pub(super) fn patience(headers: &HeaderMap) -> Result<Option<Duration>, VaultError> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wait = preferences
        .flat_map(|value| value.split(','))
        .find_map(|preference| preference.trim().strip_prefix("wait="));
    let Some(wait) = wait else { return Ok(None) };
    let seconds: Option<u32> = wait.parse().ok().filter(|_| !wait.starts_with('+'));
    let seconds = seconds.ok_or_else(|| malformed("prefer: wait must be whole seconds"))?;
    Ok(Some(Duration::from_secs(seconds.into())))
}

/// Whether the body is what it must be: nothing that a form of a web page could send.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let Ok(text) = only.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| parameter.eq_ignore_ascii_case("charset=utf-8"))
}

fn malformed(problem: impl Into<String>) -> VaultError {
    VaultError::Malformed(problem.into())
}

impl From<Misfit> for VaultError {
    fn from(misfit: Misfit) -> Self {
        malformed(misfit.to_string())
    }
}

#[cfg(test)]
mod tests;
