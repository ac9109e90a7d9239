//! A configuration that passes is whole; what is wrong is named with its line.

use super::{Config, EpochKey, Registration, check_mode};
use crate::{
    cluster::{
        NodePlan, RealHosts, Scratch,
        plan::{PEER_PORT, PUBLIC_PORT},
        prepare,
    },
    settings::Source,
};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// A node's directory as `cluster new` writes it.
struct Written {
    _scratch: Scratch,
    home: PathBuf,
}

fn written() -> Written {
    let scratch = Scratch::new("holdfast-config").unwrap();
    let nodes = [NodePlan::new("a", "north", "127.0.0.1").unwrap()];
    let hosts = RealHosts {
        cluster: "test.example",
        nodes: &nodes,
        allow_single_dc: true,
        public_port: PUBLIC_PORT,
        peer_port: PEER_PORT,
        open_registration: false,
        passphrase: None,
        data_dir: None,
    };
    prepare(&scratch.path().join("cluster"), &hosts).unwrap();
    let home = scratch.path().join("cluster/a");
    Written { _scratch: scratch, home }
}

impl Written {
    /// The outcome of checking the written configuration with some of its text replaced, with the
    /// directory's name taken out.
    fn check(&self, change: impl Fn(String) -> String) -> Result<Config, String> {
        let file = self.home.join("config.toml");
        let text = change(fs::read_to_string(&file).unwrap());
        Source::parse(file, text)
            .and_then(Config::check)
            .map_err(|error| error.to_string().replace(self.home.to_str().unwrap(), "HOME"))
    }
}

#[test]
fn a_written_configuration_is_accepted_and_complete() {
    let written = written();
    let config = written.check(|text| text).unwrap();
    let identity = &config.identity;
    assert_eq!(
        (identity.cluster.as_str(), identity.name.as_str(), identity.dc.as_str()),
        ("test.example", "a", "north")
    );
    assert_eq!(config.data_dir, written.home.join("data"));
    assert_eq!(config.advertise.public, "https://127.0.0.1:7600");
    assert_eq!(config.advertise.peer, "127.0.0.1:7601");
    assert!(matches!(config.epoch_key, EpochKey::File(file) if file.is_absolute()));
    assert!(matches!(config.registration, Registration::Token(file) if file.is_absolute()));
}

#[test]
fn what_does_not_fit_is_refused_with_its_line_and_what_is_allowed() {
    let written = written();
    let changes: [&dyn Fn(String) -> String; 24] = [
        &|text| text.replace("127.0.0.1:7601", "127.0.0.1:7600"),
        &|text| text.replace("public = \"127.0.0.1:7600\"", "public = \"localhost\""),
        &|text| text.replace("public = \"127.0.0.1:7600\"", "public = \"127.0.0.1:0\""),
        &|text| text.replace("https://127.0.0.1:7600", "http://127.0.0.1:7600"),
        &|text| {
            text.replace("https://127.0.0.1:7600", "").replace("127.0.0.1:7600", "0.0.0.0:7600")
        },
        &|text| text.replace("\"ca.pem\"", "\"cb.pem\""),
        &|text| text.replace("\"ca.pem\"", "\".\""),
        &|text| text.replace("\"node.pem\"", "\"node.key\""),
        &|text| text.replace("\"node.pem\"", "\"ca.pem\""),
        &|text| text.replace("\"epoch.key\"", "\"ca.pem\""),
        &|text| format!("{text}\n[raft]\nheartbeat_ms = 5\n"),
        &|text| format!("{text}\n[raft]\nheartbeat_ms = 150\n"),
        &|text| format!("{text}\n[raft]\nelection_max_ms = 300\n"),
        &|text| format!("{text}\n[raft]\nelection_max_ms = 9223372036854775808\n"),
        &|text| format!("{text}\n[raft]\nelection_max_ms = 9223372036854775807\n"),
        &|text| format!("{text}\n[raft]\nelection_max_ms = 600001\n"),
        &|text| format!("{text}\n[raft]\nsnapshot_entries = 1\n"),
        &|text| format!("{text}\n[memory]\nblock_cache_mib = 1\n"),
        &|text| text.replace("seeds = []", "seeds = [\"a:1\", \"b\"]"),
        &|text| format!("{text}\n[log]\nfilter = \"a=b=c\"\n"),
        &|text| format!("{text}\n[telemetry]\nendpoint = \"127.0.0.1:4317\"\n"),
        &|text| format!("{text}\n[telemetry]\nendpoint = \"https://127.0.0.1:4317\"\n"),
        &|text| format!("{text}\n[telemetry]\nendpoint = \"https://o:4317\"\nca = \"no.pem\"\n"),
        &|text| format!("{text}\n[telemetry]\nsample_ratio = 2.0\n"),
    ];
    let seen: String = changes
        .iter()
        .map(|change| match written.check(change) {
            Ok(_) => "accepted\n".to_owned(),
            Err(refusal) => refusal + "\n",
        })
        .collect();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/config/refusals.txt");
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        fs::write(&golden, &seen).unwrap();
    }
    assert_eq!(
        seen,
        fs::read_to_string(golden).unwrap(),
        "run with HOLDFAST_BLESS=1, then read the diff"
    );
}

#[test]
fn the_memory_for_requests_has_room_for_the_largest_one() {
    let written = written();
    let with = |mib: u64| written.check(|text| format!("{text}\n[limits]\nrequest_mib = {mib}\n"));
    let least = with(48).unwrap().limits.requests.request_bytes;
    assert_eq!(least, api::Limits::REQUEST_BYTES_MIN);
    let refusal = with(47).unwrap_err();
    assert!(
        refusal.contains("limits.request_mib is 47; allowed: a whole number from 48"),
        "{refusal}"
    );
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let written = written();
    for file in ["node.key", "epoch.key", "registration.token"] {
        let path = written.home.join(file);
        check_mode(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = written.check(|text| text).unwrap_err();
            assert!(refusal.contains(&format!("HOME/{file} has mode {mode:04o}")), "{refusal}");
            assert!(refusal.contains("chmod 0600"), "{refusal}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    written.check(|text| text).unwrap();
}
