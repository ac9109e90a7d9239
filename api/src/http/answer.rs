//! What a method answers, as an answer over HTTP: one object, an array, or events.
//!
//! An array that cannot be completed is broken off, so that nobody takes it for whole; a stream of
//! events that ends early says why in its last event.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, stream};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::Value;
use tonic::Status;
use types::SignedHead;

use super::call::Reply;
use super::json::{self, base64url};
use super::problem::{NEVER_KEPT, Problem};
use super::request::{Cursor, HeadTag};
use crate::vault::VaultError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The one object of an answer.
pub(super) async fn one(mut reply: Reply, output: &MessageDescriptor) -> Result<Response, Status> {
    let message = next(&mut reply, output).await?.ok_or(VaultError::Broken)?;
    let mut response = with_type(JSON, Body::from(json::write(&message).to_string()));
    if let Some(head) = message.get_field_by_name("head")
        && let Some(head) = head.as_bytes().and_then(|head| types::HeadHash::parse(head).ok())
    {
        set(&mut response, ETAG, &HeadTag(head).to_string());
    }
    Ok(response)
}

/// Says where what was created is.
pub(super) fn created(mut response: Response, at: &str) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    set(&mut response, LOCATION, at);
    response
}

/// An array of all messages, or that nothing has changed since what the caller has.
pub(super) async fn list(
    mut reply: Reply,
    output: MessageDescriptor,
    asked: &HeaderMap,
) -> Result<Response, Status> {
    let first = next(&mut reply, &output).await?;
    let tag = first.as_ref().and_then(head_of).map(|head| HeadTag(head.hash()));
    let mut response = match tag {
        Some(tag) if tag.is_held(asked) => {
            let mut response = with_type(JSON, Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove(CONTENT_TYPE);
            response
        }
        _ => with_type(JSON, Body::from_stream(array(reply, output, first))),
    };
    if let Some(tag) = tag {
        set(&mut response, ETAG, &tag.to_string());
    }
    Ok(response)
}

fn array(
    reply: Reply,
    output: MessageDescriptor,
    first: Option<DynamicMessage>,
) -> impl Stream<Item = Result<Bytes, Status>> {
    let opening = match &first {
        Some(first) => format!("[{}", json::write(first)),
        None => "[]".to_owned(),
    };
    let left = first.is_some().then_some((reply, output));
    let rest = stream::try_unfold(left, |left| async {
        let Some((mut reply, output)) = left else { return Ok(None) };
        Ok(Some(match next(&mut reply, &output).await? {
            Some(message) => {
                (format!(",\n{}", json::write(&message)).into(), Some((reply, output)))
            }
            None => (Bytes::from_static(b"]\n"), None),
        }))
    });
    futures::StreamExt::chain(stream::once(async { Ok(opening.into()) }), rest)
}

/// An event for each message. The last one of every change has an id by which a reader can go on.
pub(super) async fn events(
    mut reply: Reply,
    output: MessageDescriptor,
) -> Result<Response, Status> {
    let first = next(&mut reply, &output).await?;
    let state = Events { reply, output, cursor: None, waiting: first };
    let events = stream::unfold(Some(state), |state| async {
        let (event, state) = state?.next().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    Ok(with_type(EVENTS, Body::from_stream(events)))
}

struct Events {
    reply: Reply,
    output: MessageDescriptor,
    /// Where a reader is who has taken in the change that is being told.
    cursor: Option<Cursor>,
    waiting: Option<DynamicMessage>,
}

impl Events {
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        let message = match self.waiting.take() {
            Some(message) => Ok(Some(message)),
            None => next(&mut self.reply, &self.output).await,
        };
        match message {
            Ok(Some(message)) => Some((self.event(&message), Some(self))),
            Ok(None) => None,
            Err(status) => Some((event("error", None, &Problem::of(&status).to_json()), None)),
        }
    }

    fn event(&mut self, message: &DynamicMessage) -> Bytes {
        if let Some(signed) = head_of(message) {
            let head = signed.head();
            self.cursor = Some(Cursor { seq: head.seq, head: signed.hash(), links: head.links });
        }
        let Some((field, part)) = message.fields().next() else {
            return event("nothing", None, &Value::Null);
        };
        let id = if field.name() == "end" { self.cursor.take() } else { None };
        let data = match part.as_message() {
            Some(part) => json::write(part),
            None => part.as_bytes().map_or(Value::Null, |bytes| base64url(bytes).into()),
        };
        event(field.name(), id, &data)
    }
}

fn event(name: &str, id: Option<Cursor>, data: &Value) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

/// The head with which a pull begins.
fn head_of(message: &DynamicMessage) -> Option<SignedHead> {
    let start = message.get_field_by_name("start")?;
    let head = start.as_message()?.get_field_by_name("head")?;
    let head = head.as_message()?.transcode_to::<proto::v1::SignedHead>().ok()?;
    SignedHead::try_from(&head).ok()
}

async fn next(
    reply: &mut Reply,
    output: &MessageDescriptor,
) -> Result<Option<DynamicMessage>, Status> {
    let Some(bytes) = reply.next().await? else { return Ok(None) };
    match DynamicMessage::decode(output.clone(), bytes) {
        Ok(message) => Ok(Some(message)),
        Err(error) => Err(VaultError::broken("read a method's answer", &error).into()),
    }
}

fn with_type(kind: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    for (name, value) in NEVER_KEPT {
        headers.insert(name, value);
    }
    response
}

fn set(response: &mut Response, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
