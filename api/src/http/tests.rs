#![allow(clippy::unwrap_used)]
//! The table against the schema, and the document against the table.

use std::collections::HashMap;

use super::*;

#[test]
fn every_field_of_every_message_has_a_form() {
    let pool = schema().unwrap();
    assert_eq!(bind_all(&pool).unwrap().len(), ROUTES.len());
}

#[test]
fn messages_have_one_name_each_in_the_document() {
    let pool = schema().unwrap();
    let mut names: HashMap<String, String> = HashMap::new();
    for bound in bind_all(&pool).unwrap() {
        for message in openapi::reachable([&bound.input, &bound.output]) {
            let whole = message.full_name().to_owned();
            let before = names.insert(message.name().to_owned(), whole.clone());
            assert!(before.is_none_or(|before| before == whole), "{whole} shares its name");
        }
    }
}

#[test]
fn the_document_describes_every_route_with_its_comment() {
    let document = openapi::document(&bind_all(&schema().unwrap()).unwrap());
    for route in ROUTES {
        let verb = route.verb.name().to_ascii_lowercase();
        let operation = &document["paths"][route.path][&verb];
        assert!(operation["operationId"].is_string(), "{verb} {}", route.path);
    }
    let push = &document["paths"][routes::HEAD_PATH]["put"];
    let said = push["description"].as_str().unwrap();
    assert!(said.starts_with("Moves the head of a wallet forward."), "{said}");
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(|value| value.as_str()) {
                    found.push(reference.to_owned());
                }
                object.values().for_each(|value| references(value, found));
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|value| references(value, found));
            }
            _ => {}
        }
    }
    let document = openapi::document(&bind_all(&schema().unwrap()).unwrap());
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let path = reference.trim_start_matches('#');
        assert!(document.pointer(path).is_some(), "{reference}");
    }
}
