//! Ten times more than a cluster can do is refused, with a time to wait; what it was doing goes on, and
//! within ten seconds after the storm it is as fast as before.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use proto::convert::detail_of;
use proto::v1::devices_client::DevicesClient;
use proto::v1::wallets_client::WalletsClient;
use proto::v1::{Commit, OpenSessionRequest, PushRequest};
use server::cluster::admin::channel;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{Lab, Plan, crowd::Crowd, raw};
use tokio::{task::JoinSet, time::sleep};

/// Clients that push, before the storm, in it and behind it.
const CLIENTS: usize = 8;
/// Records that each of them has.
const RECORDS: u32 = 64;
/// How many times what the cluster can do is asked of it.
const TIMES: u64 = 10;
/// For how many seconds at least.
const SECONDS: u64 = 5;
/// Requests of the storm under way: more than there are places.
const CONNECTIONS: usize = 16;
const ON_EACH: usize = 100;
/// The bound that is promised.
const BACK_WITHIN: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;

/// What became of the storm.
#[derive(Default)]
struct Storm {
    offered: AtomicU64,
    refused_busy: AtomicU64,
    without_wait: AtomicU64,
    over: AtomicBool,
}

/// Pushes acknowledged in each of some seconds.
async fn seconds(crowd: &Crowd, count: usize) -> Vec<u64> {
    let mut rates = Vec::new();
    for _ in 0..count {
        let before = crowd.acknowledged();
        sleep(Duration::from_secs(1)).await;
        rates.push(crowd.acknowledged() - before);
    }
    rates
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Asks as fast as it is answered, whatever it is told.
async fn blow(endpoint: String, lab_tls: Arc<rustls::ClientConfig>, storm: Arc<Storm>) {
    let Ok(channel) = channel(&endpoint, lab_tls).await else { return };
    let mut askers = JoinSet::new();
    for asker in 0..ON_EACH {
        let (channel, storm) = (channel.clone(), storm.clone());
        askers.spawn(async move {
            let mut wallets = WalletsClient::new(channel.clone());
            let mut devices = DevicesClient::new(channel);
            // A push with as much in it as a usual one, and nonsense.
            let commit = Commit { envelopes: vec![vec![7; 2_000].into()], ..Commit::default() };
            while !storm.over.load(Ordering::Relaxed) {
                storm.offered.fetch_add(1, Ordering::Relaxed);
                let answer = match asker % 2 {
                    0 => {
                        let push = PushRequest { commit: Some(commit.clone()) };
                        wallets.push(push).await.map(drop)
                    }
                    _ => devices.open_session(OpenSessionRequest::default()).await.map(drop),
                };
                let detail = answer.err().as_ref().and_then(detail_of);
                if let Some(detail) = detail.filter(|detail| detail.code == "busy") {
                    storm.refused_busy.fetch_add(1, Ordering::Relaxed);
                    let silent = u64::from(detail.retry_after_ms == 0);
                    storm.without_wait.fetch_add(silent, Ordering::Relaxed);
                }
            }
        });
    }
    while askers.join_next().await.is_some() {}
}

/// How much memory a node has, in MiB.
fn resident_mib(lab: &Lab, node: usize) -> u64 {
    let pid = lab.cluster.nodes()[node].pid().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Attack 51: no metastable failure. The median of three storms counts.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_storm_of_ten_times_the_capacity_it_is_as_fast_as_before_within_ten_seconds() {
    let lab = Plan::of(3).setting("limits.requests_per_address", 256).start().await;
    let tls = raw::tls(&lab, &["h2"], None);
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let crowd = Crowd::start_with(&lab, CLIENTS, 1_000, RECORDS).await;
        seconds(&crowd, 1).await;
        let before = median(seconds(&crowd, 5).await);
        let memory = resident_mib(&lab, 0);
        let storm = Arc::new(Storm::default());
        let mut winds = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let endpoints = lab.cluster.endpoints();
            let endpoint = endpoints[connection % endpoints.len()].clone();
            winds.spawn(blow(endpoint, tls.clone(), storm.clone()));
        }
        let (begun, goal) = (Instant::now(), TIMES * SECONDS * before);
        let meanwhile = crowd.acknowledged();
        let enough = || storm.offered.load(Ordering::Relaxed) >= goal;
        while !enough() || begun.elapsed() < Duration::from_secs(SECONDS) {
            assert!(begun.elapsed() < Duration::from_secs(120), "the storm did not come about");
            sleep(Duration::from_millis(50)).await;
        }
        let lasted = begun.elapsed();
        let meanwhile = crowd.acknowledged() - meanwhile;
        storm.over.store(true, Ordering::Relaxed);
        let over = Instant::now();
        let back = loop {
            let rate = seconds(&crowd, 1).await[0];
            if rate * 10 >= before * 8 {
                break over.elapsed();
            }
            assert!(over.elapsed() < 6 * BACK_WITHIN, "{rate}/s, and {before}/s before the storm");
        };
        while winds.join_next().await.is_some() {}
        let busy = storm.refused_busy.load(Ordering::Relaxed);
        println!(
            "round {round}: {before} pushes/s before; {} requests in {lasted:?}, {busy} of them \
             refused as too many; {meanwhile} pushes meanwhile; as fast as before after {back:?}; \
             {memory} MiB before, {} MiB after",
            storm.offered.load(Ordering::Relaxed),
            resident_mib(&lab, 0),
        );
        assert!(busy > 0, "nothing was too much: this was no storm");
        assert_eq!(storm.without_wait.load(Ordering::Relaxed), 0, "each is told how long to wait");
        assert!(resident_mib(&lab, 0) < memory + 200, "a storm is not kept in memory");
        took.push(back);
        for client in crowd.finish().await {
            client.verify(&lab).await;
        }
    }
    assert!(median(took.clone()) <= BACK_WITHIN, "{took:?}");
}
