//! What a person meets first: the help, and what is said about a wrong call. Exit code 2, and
//! nothing done.

use crate::program::{bless, holdfast};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// Every command, as a person asks for its help.
const COMMANDS: [&str; 44] = [
    "",
    "demo",
    "dev",
    "cluster",
    "cluster new",
    "cluster add",
    "cluster operator",
    "cluster renew",
    "node",
    "wallet",
    "wallet create",
    "wallet put",
    "wallet get",
    "wallet list",
    "wallet delete",
    "wallet settle",
    "wallet push",
    "wallet pull",
    "wallet watch",
    "wallet devices",
    "wallet revoke",
    "wallet recover",
    "wallet session",
    "wallet session proof",
    "wallet import",
    "wallet export",
    "admin",
    "admin bootstrap",
    "admin join",
    "admin remove",
    "admin drain",
    "admin transfer",
    "admin unlock",
    "admin status",
    "admin nodes",
    "admin groups",
    "admin backup",
    "admin backup verify",
    "admin backup list",
    "admin journal",
    "admin recover",
    "admin restore",
    "bench",
    "bench push",
];

#[test]
fn the_help_of_every_command_is_as_it_was_read() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let mut differing = BTreeMap::new();
    for command in COMMANDS {
        let run = holdfast(command.split_ascii_whitespace().chain(["--help"]));
        assert_eq!(run.code, 0, "{command}: {}", run.err);
        let file = match command {
            "" => dir.join("holdfast.txt"),
            _ => dir.join(format!("{}.txt", command.replace(' ', "-"))),
        };
        if bless() {
            fs::write(&file, &run.out).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != run.out {
            differing.insert(command, run.out);
        }
    }
    assert!(differing.is_empty(), "run with HOLDFAST_BLESS=1, then read the diff: {differing:#?}");
}

#[test]
fn a_wrong_call_is_told_what_is_wrong_and_ends_with_2() {
    let calls = [
        "",
        "wallt list",
        "dev --nodes 2",
        "node",
        "node --config /nonexistent/config.toml",
        "cluster new --dir /tmp/x",
        "cluster new --dir /tmp/x --node a,north",
        "cluster new --dir /tmp/x --node a,north,10.0.0.1",
        "cluster new --dir /tmp/x --node a,n,10.0.0.1 --node a,s,10.0.0.2 --node b,w,10.0.0.3",
        "cluster new --dir /tmp/x --node a,n,h1 --node b,s,h2 --node c,w,h3 --peer-port 7600",
        "cluster add --dir /nonexistent --node a,n,h",
        "wallet put name",
        "wallet list --profile /nonexistent",
        "wallet create --profile /nonexistent/profile --no-passphrase",
        "wallet create --profile /nonexistent/profile --no-passphrase --endpoints https://h:1",
        "wallet recover --profile /nonexistent --code-file /nonexistent/code",
        "wallet session proof GET https://h/ --profile /nonexistent",
        "wallet revoke",
        "admin status",
        "admin status --dev /nonexistent",
        "admin status --endpoints https://h:1 --ca /nonexistent --cert /x --key /y",
        "admin bootstrap --dev /nonexistent",
        "admin bootstrap --wallet-groups 0 h:1",
        "admin transfer --group 1",
        "admin status --dev /nonexistent --ca /x",
        "admin backup",
        "admin backup --to /nonexistent/archive",
        "admin backup --to /tmp/x verify --from /tmp/x",
        "admin backup verify --from /nonexistent/archive",
        "admin backup list --from /nonexistent/archive --ca /nonexistent/ca.pem",
        "admin journal --to /tmp/x --every 9",
        "admin restore --from /tmp/x --journal /tmp/y --without-journal",
        "bench push --clients 0",
        "bench push --endpoints https://h:1",
        "bench failover",
    ];
    let mut seen = String::new();
    for call in calls {
        let run = holdfast(call.split_ascii_whitespace());
        assert_eq!(run.code, 2, "holdfast {call}\n{}{}", run.out, run.err);
        assert_eq!(run.out, "", "holdfast {call}: a refused call has no result");
        // The usage that clap adds stands in the help files already.
        let said = run.err.split("\n\nUsage:").next().unwrap_or_default().trim_end();
        let said = said.split("\n\nFor more information").next().unwrap_or_default();
        seen.push_str(&format!("$ holdfast {call}\n{said}\n\n"));
    }
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wrong_calls.txt");
    if bless() {
        fs::write(&golden, &seen).unwrap();
    }
    assert_eq!(
        seen,
        fs::read_to_string(&golden).unwrap(),
        "run with HOLDFAST_BLESS=1, then read the diff"
    );
}

#[test]
fn with_json_a_failure_is_one_object_with_its_exit_code() {
    let run = holdfast(["--json", "wallet", "list", "--profile", "/nonexistent"]);
    assert_eq!(run.code, 2);
    let said: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert_eq!(said["exit"], 2);
    assert!(said["error"].as_str().unwrap().contains("/nonexistent"), "{said}");
}
