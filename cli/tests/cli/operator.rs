//! The operator's commands against a local cluster, and how the cluster ends and comes back.

use crate::program::{Dev, holdfast, holdfast_with, terminate};
use server::cluster::Scratch;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

#[test]
fn an_operator_sees_and_moves_what_there_is() {
    let scratch = Scratch::new("holdfast-cli").unwrap();
    let dir = scratch.path().join("cluster");
    let dev = Dev::start(3, &dir);
    let admin = |args: &[&str]| {
        let mut all = vec!["--json", "admin", "--dev", dir.to_str().unwrap()];
        all.extend(args);
        holdfast(all)
    };

    let status = admin(&["status"]).done().json();
    assert_eq!(status["zero_loss"]["held"], true, "{status}");
    assert_eq!(status["self_healing"]["held"], true, "{status}");
    assert_eq!(status["nodes"].as_array().unwrap().len(), 3);
    let groups = admin(&["groups"]).done().json();
    let groups = groups["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 6, "system, public and four wallet groups");
    for group in groups {
        assert_eq!(group["replicas"].as_array().unwrap().len(), 3, "{group}");
        assert!(!group["leader"].as_str().unwrap().is_empty(), "{group}");
    }
    for node in admin(&["nodes"]).done().json()["nodes"].as_array().unwrap() {
        assert_eq!(node["state"], "active", "{node}");
        assert_eq!(node["reachable"], true, "{node}");
    }

    // What stands in the environment is for other clusters than the one that is named.
    let other = [("HOLDFAST_CA", "/nowhere"), ("HOLDFAST_ENDPOINTS", "https://192.0.2.1:1")];
    let named = ["--json", "admin", "--dev", dir.to_str().unwrap(), "nodes"];
    assert_eq!(holdfast_with(&other, named).done().json()["nodes"].as_array().unwrap().len(), 3);
    // And is what is asked where none is named.
    let text = |field: &str| dev.described[field].as_str().unwrap();
    let this = [
        ("HOLDFAST_ENDPOINTS", dev.described["endpoints"][0].as_str().unwrap()),
        ("HOLDFAST_CA", text("ca")),
        ("HOLDFAST_CERT", text("operator_cert")),
        ("HOLDFAST_KEY", text("operator_key")),
    ];
    holdfast_with(&this, ["--json", "admin", "nodes"]).done();

    // A leadership moves where it is told to.
    let leader = groups[2]["leader"].as_str().unwrap();
    let other = if leader == "n1" { "n2" } else { "n1" };
    let id = groups[2]["id"].to_string();
    admin(&["transfer", "--group", &id, "--to", other]).done();
    let moved = admin(&["groups"]).done().json();
    assert_eq!(moved["groups"][2]["leader"], other);

    // What cannot be is refused, with a reason.
    let refused = admin(&["transfer", "--group", &id, "--to", "nobody"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    let refused = admin(&["unlock", "--passphrase-file", secret(scratch.path()).as_str()]);
    assert_eq!(refused.code, 1, "{}", refused.err);

    // Without a node there is no answer, and the exit code says that it may come later.
    let nobody = admin(&["status", "--endpoints", "https://127.0.0.1:1"]);
    assert_eq!(nobody.code, 3, "{}", nobody.err);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_cluster_ends_with_its_starter_and_comes_back_from_its_directory() {
    let scratch = Scratch::new("holdfast-cli").unwrap();
    let dir = scratch.path().join("cluster");
    let dev = Dev::start(1, &dir);
    let endpoints = dev.described["endpoints"].clone();
    let profile = scratch.path().join("wallet").to_str().unwrap().to_owned();
    let reach = dev.reach();
    let mut create = vec!["wallet", "create", "--no-passphrase", "--profile", &profile];
    create.extend(reach.iter().map(String::as_str));
    holdfast(create).done();

    // A second one in the same directory is refused while the first one runs.
    let second = holdfast(["dev", "--nodes", "1", "--dir", dir.to_str().unwrap()]);
    assert_eq!(second.code, 3, "{}{}", second.out, second.err);
    assert!(second.err.contains("still running"), "{}", second.err);

    // A starter that is killed takes its nodes with it.
    let pid = dev.described["nodes"][0]["pid"].as_u64().unwrap();
    assert!(runs(pid));
    drop(dev);
    let since = Instant::now();
    while runs(pid) {
        assert!(since.elapsed() < Duration::from_secs(30), "the node outlives its starter");
        std::thread::sleep(Duration::from_millis(5));
    }

    let dev = Dev::start(1, &dir);
    assert_eq!(dev.described["endpoints"], endpoints, "the same ports as before");
    holdfast(["wallet", "pull", "--profile", &profile]).done();

    // SIGTERM to the node itself: it drains and says so.
    let pid = dev.described["nodes"][0]["pid"].as_u64().unwrap();
    terminate(u32::try_from(pid).unwrap());
    let since = Instant::now();
    while !log(&dev.dir).contains("ended node") {
        assert!(since.elapsed() < Duration::from_secs(30), "{}", log(&dev.dir));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(dev.stop(), 0);
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("n1/node.log")).unwrap()
}

/// Whether a process runs; one that has ended and was not waited for does not. Its files are open until the last of
/// its threads has ended, which need not be the first one.
fn runs(pid: u64) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut states = threads.map(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    });
    states.any(|state| state.is_some_and(|state| state != 'Z'))
}

fn secret(dir: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = dir.join("some passphrase");
    fs::write(&file, b"a passphrase that no key has").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}
