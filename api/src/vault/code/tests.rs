#![allow(clippy::unwrap_used)]
use std::collections::HashSet;
use std::path::Path;

use super::*;

const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->\n";

fn table() -> String {
    let mut table =
        String::from("| code | gRPC status | HTTP | retry | meaning |\n|---|---|---|---|---|\n");
    for code in Code::ALL {
        let retry = match code.retry() {
            Retry::Never => "no",
            Retry::Safe => "safe",
            Retry::SameRequest => "same request only",
            Retry::Unspecified => "unspecified",
        };
        let status = format!("{:?}", code.status());
        let (name, http, meaning) = (code.name(), code.http().as_u16(), code.meaning());
        table += &format!("| `{name}` | {status} | {http} | {retry} | {meaning} |\n");
    }
    table
}

#[test]
fn the_document_is_this_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = text.split_once(BEGIN).unwrap();
    let (found, _) = rest.split_once(END).unwrap();
    assert!(found == table(), "{} must hold this table:\n{}", path.display(), table());
}

#[test]
fn codes_are_distinct_and_in_snake_case() {
    let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for name in names {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
    }
}

#[test]
fn every_code_says_whether_a_retry_is_safe() {
    for code in Code::ALL {
        assert_ne!(code.retry(), Retry::Unspecified, "{}", code.name());
        assert_ne!(code.status(), Status::Ok, "{}", code.name());
        assert!(code.http().is_client_error() || code.http().is_server_error(), "{}", code.name());
        assert_eq!(Code::named(code.name()), Some(*code));
    }
}
