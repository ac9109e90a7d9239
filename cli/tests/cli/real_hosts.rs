//! `cluster new` for real hosts: three addresses of this machine stand for them, each with the same
//! ports, as on machines of their own.

use crate::program::{binary, holdfast, terminate};
use server::cluster::{Scratch, ports::ReservedPort};
use std::{
    fs::{self, File},
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The last is added later.
const HOSTS: [&str; 4] = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that is free on all hosts, kept free for the nodes.
fn common_port() -> (u16, Vec<ReservedPort>) {
    let hosts: Vec<IpAddr> = HOSTS.iter().map(|host| host.parse().unwrap()).collect();
    for _ in 0..100 {
        let first = ReservedPort::any(hosts[0]).unwrap();
        let port = first.address().port();
        let others =
            hosts[1..].iter().map(|host| ReservedPort::exactly(SocketAddr::new(*host, port)));
        if let Ok(others) = others.collect::<io::Result<Vec<_>>>() {
            return (port, others.into_iter().chain([first]).collect());
        }
    }
    panic!("no port is free on all of {HOSTS:?}");
}

/// Node processes that end with this.
struct Nodes(Vec<Child>);

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in &mut self.0 {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn start(dir: &Path, name: &str) -> Child {
    let home = dir.join(name);
    let log = File::options().create(true).append(true).open(home.join("node.log")).unwrap();
    Command::new(binary())
        .args(["node", "--config"])
        .arg(home.join("config.toml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

#[test]
fn a_cluster_on_real_hosts_is_written_formed_extended_and_drained() {
    let scratch = Scratch::new("holdfast-hosts").unwrap();
    let dir = scratch.path().join("cluster");
    let path = dir.to_str().unwrap();
    let ((public, _held), (peer, _held_too)) = (common_port(), common_port());
    let (public_text, peer_text) = (public.to_string(), peer.to_string());
    let mut new = vec!["--json", "cluster", "new", "--dir", path, "--name", "test.example"];
    let nodes: Vec<String> = ["a,north", "b,south", "c,west"]
        .iter()
        .zip(HOSTS)
        .map(|(n, h)| format!("{n},{h}"))
        .collect();
    for node in &nodes {
        new.extend(["--node", node]);
    }
    new.extend(["--public-port", &public_text, "--peer-port", &peer_text]);
    let written = holdfast(new.clone()).done().json();
    assert_eq!(written["nodes"].as_array().unwrap().len(), 3);
    let again = holdfast(new);
    assert_eq!(again.code, 2, "nothing is overwritten: {}", again.err);

    let mut running = Nodes(["a", "b", "c"].map(|name| start(&dir, name)).into());
    let endpoints = &HOSTS[..3];
    let endpoints: Vec<_> =
        endpoints.iter().map(|host| format!("https://{host}:{public}")).collect();
    let files = ["ca.pem", "operator.pem", "operator.key"].map(|file| dir.join(file));
    let admin = |endpoints: &str, args: &[&str]| {
        let [ca, cert, key] = files.each_ref().map(|file| file.to_str().unwrap());
        let mut all = vec!["--json", "admin", "--endpoints", endpoints];
        all.extend(["--ca", ca, "--cert", cert, "--key", key]);
        all.extend(args);
        holdfast(all)
    };
    let since = Instant::now();
    for endpoint in &endpoints {
        while admin(endpoint, &["status"]).code != 0 {
            assert!(since.elapsed() < PATIENCE, "{endpoint} does not answer: {}", logs(&dir));
        }
    }
    assert_eq!(admin(&endpoints[0], &["status"]).done().json()["bootstrapped"], false);

    let peers = HOSTS.map(|host| format!("{host}:{peer}"));
    let mut bootstrap = vec!["bootstrap", "--wallet-groups", "2"];
    bootstrap.extend(peers[..3].iter().map(String::as_str));
    admin(&endpoints[0], &bootstrap).done();
    loop {
        let status = admin(&endpoints[2], &["status"]).done().json();
        let groups = status["groups"].as_array().unwrap();
        let led = |group: &serde_json::Value| !group["leader"].as_str().unwrap().is_empty();
        if groups.len() == 4 && groups.iter().all(led) {
            assert_eq!(status["zero_loss"]["held"], true, "{status}");
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{status}");
    }

    // Registration asks for the token that was written.
    let profile = scratch.path().join("wallet");
    let all = endpoints.join(",");
    let ca = files[0].to_str().unwrap();
    let token = dir.join("a/registration.token");
    let mut create =
        vec!["wallet", "create", "--no-passphrase", "--profile", profile.to_str().unwrap()];
    create.extend(["--endpoints", &all, "--ca", ca]);
    let refused = holdfast(create.clone());
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    fs::remove_dir_all(&profile).unwrap();
    create.extend(["--registration-token-file", token.to_str().unwrap()]);
    holdfast(create).done();

    // A fourth node comes in, and takes the place of one that is drained and removed.
    holdfast(["cluster", "add", "--node", &format!("d,west,{}", HOSTS[3]), "--dir", path]).done();
    running.0.push(start(&dir, "d"));
    let joined = loop {
        let join = admin(&all, &["join", &peers[3]]);
        if join.code != 3 {
            break join.done().json();
        }
        assert!(since.elapsed() < PATIENCE, "{}{}", join.err, logs(&dir));
    };
    assert_eq!(joined["node"]["name"], "d", "{joined}");
    admin(&all, &["drain", "c"]).done();
    let kinds_of = |name: &str| {
        let groups = admin(&all, &["groups"]).done().json()["groups"].take();
        let replicas = |group: &serde_json::Value| group["replicas"].as_array().unwrap().clone();
        let all = groups.as_array().unwrap().iter().flat_map(replicas);
        let of = all.filter(|replica| replica["name"] == name);
        of.map(|replica| replica["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    while !(kinds_of("d") == ["voter"; 4] && kinds_of("c").is_empty()) {
        assert!(since.elapsed() < PATIENCE, "{:?} {:?}", kinds_of("d"), kinds_of("c"));
    }
    admin(&all, &["remove", "c"]).done();
    let nodes = admin(&all, &["nodes"]).done().json()["nodes"].take();
    let there = |name: &str| {
        let named = nodes.as_array().unwrap().iter().filter(|node| node["name"] == name);
        named.filter(|node| node["state"] != "removed").count()
    };
    assert_eq!((there("c"), there("d")), (0, 1), "{nodes}");

    // SIGTERM: each hands its leaderships over, drains and exits 0.
    for node in &mut running.0 {
        terminate(node.id());
        assert_eq!(node.wait().unwrap().code(), Some(0), "{}", logs(&dir));
    }
}

fn logs(dir: &Path) -> String {
    let of = |name| fs::read_to_string(dir.join(name).join("node.log")).unwrap_or_default();
    ["a", "b", "c", "d"].map(of).join("\n")
}

#[test]
fn a_further_node_gets_the_files_of_its_cluster() {
    let scratch = Scratch::new("holdfast-hosts").unwrap();
    let dir = scratch.path().join("cluster");
    let path = dir.to_str().unwrap();
    let new = ["cluster", "new", "--allow-single-dc", "--node", "a,north,10.0.0.1", "--dir", path];
    holdfast(new).done();
    let add = ["--json", "cluster", "add", "--node", "b,south,b.example.org", "--dir", path];
    let written = holdfast(add).done().json();
    assert_eq!(written["nodes"][0]["peer"], "b.example.org:7601");
    for shared in ["ca.pem", "epoch.key", "registration.token"] {
        let of = |node: &str| fs::read(dir.join(node).join(shared)).unwrap();
        assert_eq!(of("a"), of("b"), "{shared}");
    }
    let config = fs::read_to_string(dir.join("b/config.toml")).unwrap();
    assert!(config.contains("seeds = [\"10.0.0.1:7601\"]"), "{config}");
    assert_eq!(holdfast(add).code, 2, "a name that is taken");

    // Without the authority's key nobody can be added, and the message says what is missing.
    fs::rename(dir.join("ca.key"), scratch.path().join("offline")).unwrap();
    let refused = holdfast(["cluster", "add", "--node", "c,west,10.0.0.3", "--dir", path]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("ca.key"), "{}", refused.err);
    assert!(!dir.join("c").exists());
}
