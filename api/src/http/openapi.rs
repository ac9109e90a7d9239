//! The description of all routes (OpenAPI 3.1), made from the table and the schema with its comments.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::Bound;
use super::problem::RETRIES;
use super::request::{IDEMPOTENCY_KEY, LAST_EVENT_ID, REQUEST_ID, elsewhere};
use super::routes::{Answer, HEAD_PATH};
use crate::methods::Access;
use crate::vault::Code;

mod comments;

/// The pattern of base64url without padding: no text has a length of one more than a multiple of four.
const BASE64URL: &str =
    "^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$";

/// The whole document.
pub(super) fn document(routes: &[Bound]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas = Map::new();
    schemas.insert("Problem".to_owned(), problem());
    for bound in routes {
        let verb = bound.route.verb.name().to_ascii_lowercase();
        paths.entry(bound.route.path).or_default().insert(verb, operation(bound));
        for message in reachable([&bound.input, &bound.output]) {
            schemas.entry(name_of(&message)).or_insert_with(|| schema(&message, &[]));
        }
        if bound.route.verb.has_body() {
            let name = body_name(bound);
            schemas.insert(name, schema(&bound.input, &elsewhere(bound.route)));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Bytes, among them all that is signed or sealed, are base64url without padding. \
                An unknown field is refused. Every refusal is a problem with a stable `code`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "DPoP",
                    "description": "The token of a session, and in `dpop` a proof (RFC 9449) under its key for this method and URL.",
                },
                "operator": {
                    "type": "mutualTLS",
                    "description": "An operator's certificate of this cluster.",
                },
            },
        },
    })
}

fn operation(bound: &Bound) -> Value {
    let Bound { route, method, input, output } = bound;
    let summary = comments::of_method(input, route.method);
    let mut operation = json!({
        "operationId": method.name().replace('/', "."),
        "description": summary,
        "tags": [method.name().split('/').next().unwrap_or_default()],
        "parameters": parameters(bound),
        "responses": {
            "default": {
                "description": "A refusal.",
                "content": { "application/problem+json": { "schema": reference("Problem") } },
            },
        },
    });
    let one = reference(&name_of(output));
    let tag = json!({
        "description": "The hash of the head, as an entity tag.",
        "schema": { "type": "string" },
    });
    let (status, answer) = match route.answer {
        Answer::One => (
            "200",
            json!({ "description": "Done.", "content": { "application/json": { "schema": one } } }),
        ),
        Answer::Created => (
            "201",
            json!({
                "description": "Created.",
                "headers": {
                    "ETag": tag,
                    "Location": { "description": "Where it is.", "schema": { "type": "string" } },
                },
                "content": { "application/json": { "schema": one } },
            }),
        ),
        Answer::List => (
            "200",
            json!({
                "description": "Everything, in the order of the stream.",
                "content": { "application/json": { "schema": { "type": "array", "items": one } } },
            }),
        ),
        Answer::Events => (
            "200",
            json!({
                "description": "An event for each message, named for its field; the event `end` has the id \
                    by which a reader can go on.",
                "content": { "text/event-stream": { "schema": { "type": "string" } } },
            }),
        ),
    };
    operation["responses"][status] = answer;
    if route.verb.has_body() {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(&body_name(bound)) } },
        });
    }
    match method.access {
        Access::Session => operation["security"] = json!([{ "session": [] }]),
        Access::Operator => operation["security"] = json!([{ "operator": [] }]),
        Access::Anyone | Access::Signed => {}
    }
    operation
}

fn parameters(bound: &Bound) -> Vec<Value> {
    let Bound { route, method, input, .. } = bound;
    let mut parameters: Vec<Value> = route
        .parameters()
        .map(|name| {
            let schema = match input.get_field_by_name(name) {
                Some(field) => field_schema(&field),
                None => json!({ "type": "string", "pattern": BASE64URL }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if !route.verb.has_body() {
        let elsewhere = elsewhere(route);
        let asked = input.fields().filter(|field| !elsewhere.contains(&field.name()));
        parameters.extend(asked.map(|field| {
            let description = comments::of_field(&field);
            let schema = field_schema(&field);
            json!({ "name": field.name(), "in": "query", "description": description, "schema": schema })
        }));
    }
    let mut header = |name: &str, required: bool, description: &str| {
        let schema = json!({ "type": "string", "minLength": 1 });
        parameters.push(json!({
            "name": name, "in": "header", "required": required, "description": description, "schema": schema,
        }));
    };
    if input.get_field_by_name(REQUEST_ID).is_some() {
        header(
            IDEMPOTENCY_KEY,
            true,
            "Chosen by the caller, 1 to 255 bytes; a retry has the same.",
        );
    }
    if route.path == HEAD_PATH {
        header("if-match", false, "The entity tag of the head that the commit follows.");
    }
    if route.answer == Answer::Events {
        header(
            LAST_EVENT_ID,
            false,
            "The id of the last event taken in; says more than the query.",
        );
    }
    if method.access == Access::Session {
        header("dpop", true, "The proof (RFC 9449).");
    }
    parameters
}

/// The messages themselves and all that they are made of.
pub(super) fn reachable<'a>(
    from: impl IntoIterator<Item = &'a MessageDescriptor>,
) -> Vec<MessageDescriptor> {
    let mut found: Vec<MessageDescriptor> = from.into_iter().cloned().collect();
    let mut next = 0;
    while let Some(message) = found.get(next).cloned() {
        for field in message.fields() {
            if let Kind::Message(part) = field.kind()
                && !found.contains(&part)
            {
                found.push(part);
            }
        }
        next += 1;
    }
    found
}

fn schema(message: &MessageDescriptor, elsewhere: &[&str]) -> Value {
    let fields = message.fields().filter(|field| !elsewhere.contains(&field.name()));
    let properties: Map<String, Value> = fields
        .map(|field| {
            let mut schema = field_schema(&field);
            let comment = comments::of_field(&field);
            if !comment.is_empty() {
                schema["description"] = comment.into();
            }
            (field.name().to_owned(), schema)
        })
        .collect();
    json!({
        "type": "object",
        "description": comments::of_message(message),
        "properties": properties,
        "additionalProperties": false,
    })
}

fn field_schema(field: &FieldDescriptor) -> Value {
    let one = match field.kind() {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Uint32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        Kind::Uint64 => json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        Kind::Bytes => json!({ "type": "string", "pattern": BASE64URL }),
        Kind::Message(message) => reference(&name_of(&message)),
        _ => json!({ "type": "string" }),
    };
    if field.is_list() { json!({ "type": "array", "items": one }) } else { one }
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457).",
        "required": ["type", "title", "status", "code", "detail", "retry"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "examples": codes, "description": "Stable; see docs/errors.md." },
            "detail": { "type": "string", "description": "What, where, and what to do." },
            "retry": { "type": "string", "enum": RETRIES, "description": "Whether the same request may be sent again." },
            "leader": { "type": "string", "description": "Public endpoint of the node to ask." },
            "retry_after_ms": { "type": "integer", "description": "How long to wait." },
            "found_seq": { "type": "integer", "description": "With a conflict: the sequence number of the stored head." },
            "found_head": { "type": "string", "description": "With a conflict: the hash of the stored head." },
        },
    })
}

/// The name of a message in the document. Public messages and operators' have no name in common, as a
/// test shows.
fn name_of(message: &MessageDescriptor) -> String {
    message.name().to_owned()
}

/// A request without what stands in path and headers.
fn body_name(bound: &Bound) -> String {
    format!("{}Body", bound.method.name().replace('/', ""))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
