//! A release has no switches that make it unsafe.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tests::lab;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Attack 93: no crate of this workspace has a feature that another build could switch on, and what such
/// a feature would be called elsewhere is no setting and no argument.
#[test]
fn there_is_nothing_to_switch_on() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = workspace.parse().unwrap();
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let manifest = root().join(member.as_str().unwrap()).join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(&manifest).unwrap().parse().unwrap();
        for feature in
            manifest.get("features").and_then(|found| found.as_table()).into_iter().flatten()
        {
            let name = feature.0.as_str();
            assert!(
                !["fail", "unsafe", "debug", "test", "fault", "insecure"]
                    .iter()
                    .any(|word| name.contains(word)),
                "{member} can be built with {name}"
            );
        }
    }
    for argument in ["--unsafe-no-fsync", "--no-sync", "--failpoints=a", "--debug", "--insecure"] {
        let ended = Command::new(lab::binary()).args(["node", argument]).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{argument}: {ended:?}");
    }
    let scratch = server::cluster::Scratch::new("holdfast-release").unwrap();
    let file = scratch.path().join("config.toml");
    for setting in ["unsafe_no_fsync = true", "[raft]\nsync = false", "[failpoints]\na = \"panic\""]
    {
        fs::write(&file, setting).unwrap();
        let mut command = Command::new(lab::binary());
        let ended =
            command.args(["node", "--config"]).arg(&file).env("FAILPOINTS", "a=panic").output();
        let ended = ended.unwrap();
        assert_eq!(ended.status.code(), Some(2), "{setting}: {ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("unknown setting"), "{ended:?}");
    }
}
