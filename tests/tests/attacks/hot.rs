//! One wallet that is hammered, and wallets of other groups beside it.

use server::cluster::group_of;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tests::{Plan, crowd::Crowd};
use tokio::task::JoinSet;

const WALLET_GROUPS: u32 = 4;
/// Devices that all push to the one wallet.
const DEVICES: u32 = 12;
/// Clients on other wallets; about three in four are in other groups.
const CLIENTS: usize = 8;
/// Pushes of those that have to get through.
const PUSHES: u64 = 400;
/// What none of them may wait for an acknowledgement.
const BOUND: Duration = Duration::from_secs(3);

/// Attack 52: every device of a wallet changes the same record as fast as it can. Its pushes clash, merge
/// and go on; pushes of other groups are acknowledged, none is refused, and none waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hot_wallet_leaves_other_groups_alone() {
    let lab = Plan::of(3).wallet_groups(WALLET_GROUPS).start().await;
    let (hot, code) = lab.wallet("hot").await;
    let group = group_of(&hot.id(), WALLET_GROUPS);
    let crowd = Crowd::start_with(&lab, CLIENTS, 1_000, 16).await;
    crowd.progress(50).await;

    let over = Arc::new(AtomicBool::new(false));
    let (done, clashes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        devices.push(lab.device(&code, &format!("device {number}")).await);
    }
    let mut hammers = JoinSet::new();
    for mut device in devices {
        let (over, done, clashes) = (over.clone(), done.clone(), clashes.clone());
        hammers.spawn(async move {
            for turn in 0_u32.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let body = turn.to_be_bytes().to_vec();
                device.put(client::Record::new("opaque", "the one", body)).unwrap();
                // It may be asked for patience: that is what this wallet gets.
                if let Ok(report) = device.push().await {
                    done.fetch_add(1, Ordering::Relaxed);
                    clashes.fetch_add(report.merged.set_aside.len() as u64, Ordering::Relaxed);
                }
                device.settle("the one", None).unwrap();
            }
        });
    }
    crowd.progress(PUSHES).await;
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = hammers.join_next().await {
        ended.unwrap();
    }
    let (done, clashes) = (done.load(Ordering::Relaxed), clashes.load(Ordering::Relaxed));
    assert!(clashes > 0, "{done} pushes and no clash: it was not hot");
    let (mut elsewhere, mut longest) = (0, Duration::ZERO);
    for client in crowd.finish().await {
        client.verify(&lab).await;
        if group_of(&client.wallet.id(), WALLET_GROUPS) != group {
            elsewhere += 1;
            longest = longest.max(client.longest);
        }
    }
    println!(
        "{done} hot pushes with {clashes} clashes; {elsewhere} others waited {longest:?} at most"
    );
    assert!(elsewhere > 0, "all of these wallets fell into one group: once in 65,536 runs");
    assert!(longest < BOUND, "another group waited {longest:?}");
    assert!(done > 0, "the hot wallet itself goes on");
}
