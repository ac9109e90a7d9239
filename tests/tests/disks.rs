//! P1, P9: what full, failing and slow disks do: never a wrong answer, never a lost acknowledgement.
//!
//! Needs strace, or root for small file systems; without them a test says so and is skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::{ClientError, Record};
use server::cluster::{Cluster, Options, Scratch};
use std::time::{Duration, Instant};
use tests::{
    Lab, Plan,
    crowd::Crowd,
    fault::{Injected, LossyDisk, SYNCS, SmallDisk, or_skip},
    lab::{GROUP, PATIENCE, until},
};

/// A sync that fails ends the process with the reason; the others go on, and the node comes back when the
/// disk does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sync_that_fails_ends_the_process() {
    let mut lab = Plan::of(3).start().await;
    let crowd = Crowd::start(&lab, 2, 600).await;
    crowd.progress(10).await;
    let leader = lab.leader(GROUP).await;
    let before = lab.log(leader).len();
    let pid = lab.cluster.nodes()[leader].pid().unwrap();
    let Some(broken) = or_skip(Injected::into(pid, SYNCS, "error=EIO")) else { return };
    let (code, said) = lab.end(leader, before).await;
    drop(broken);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("this node cannot go on") && said.contains("Input/output error"),
        "{said}"
    );
    crowd.progress(10).await;
    lab.restart(leader).await;
    let pushed = crowd.finish().await;
    lab.equal().await;
    for client in &pushed {
        client.verify(&lab).await;
    }
}

/// A follower whose syncs take a second each: pushes take no part of that second.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_disk_on_a_follower_slows_nobody() {
    let lab = Plan::of(3).start().await;
    let leader = lab.leader(GROUP).await;
    let (mut phone, _) = lab.wallet("phone").await;
    let follower = (leader + 1) % 3;
    let pid = lab.cluster.nodes()[follower].pid().unwrap();
    let Some(_slow) = or_skip(Injected::into(pid, SYNCS, "delay_enter=1000000")) else { return };
    let mut took = Vec::new();
    for number in 0..15 {
        phone.put(Record::new("opaque", format!("record {number}"), "body")).unwrap();
        let begun = Instant::now();
        phone.push().await.unwrap();
        took.push(begun.elapsed());
    }
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(500), "{took:?}");
}

/// A leader whose syncs take far longer than those of its peers hands over, and is not given leadership
/// again while its disk is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_with_a_slow_disk_hands_over() {
    let lab = Plan::of(3).start().await;
    let crowd = Crowd::start(&lab, 2, 600).await;
    crowd.progress(10).await;
    let slow = lab.leader(GROUP).await;
    let pid = lab.cluster.nodes()[slow].pid().unwrap();
    let Some(_slow) = or_skip(Injected::into(pid, SYNCS, "delay_enter=400000")) else { return };
    until("it leads nothing", PATIENCE, async || {
        let status = lab.status((slow + 1) % 3).await?;
        let name = format!("n{}", slow + 1);
        let led = |group: &proto::admin::Group| group.leader.is_empty() || group.leader == name;
        (!status.groups.iter().any(led)).then_some(())
    })
    .await;
    assert!(lab.log(slow).contains("far slower than its peers'"), "it says why");
    crowd.progress(20).await;
    let pushed = crowd.finish().await;
    for client in &pushed {
        client.verify(&lab).await;
    }
}

/// A cluster whose nodes keep their data on small disks of their own, which are in `places`: that has to outlive them,
/// since a directory in which something is mounted cannot be removed.
async fn on_small_disks(places: &Scratch, small: &[usize]) -> Option<(Options, Vec<SmallDisk>)> {
    let mut options = Plan::of(3)
        .setting("disk.reserve_percent", 25)
        .setting("memory.write_buffer_mib", 4)
        .options(places.path().join("cluster"));
    let mut disks = Vec::new();
    for node in small {
        let disk = or_skip(SmallDisk::mount(&places.path().join(format!("disk{node}")), 256))?;
        let path = disk.path().join("data").to_str().unwrap().to_owned();
        options.nodes[*node].overrides.insert("data_dir".into(), path.into());
        disks.push(disk);
    }
    Some((options, disks))
}

/// Below the reserve a leader gives way to a node with room, and pushes go on there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_below_its_reserve_gives_way() {
    let places = Scratch::new("holdfast-test").unwrap();
    let Some((options, disks)) = on_small_disks(&places, &[0]).await else { return };
    let cluster = Cluster::start(&options).await.unwrap();
    let lab = Lab::around(cluster, Scratch::new("holdfast-test").unwrap());
    let (mut phone, _) = lab.wallet("phone").await;
    disks[0].ballast().fill(200).unwrap();
    until("it says so, and leads nothing", PATIENCE, async || {
        let status = lab.status(0).await?;
        let leads =
            status.groups.iter().any(|group| group.leader.is_empty() || group.leader == "n1");
        (status.disk_low && !leads).then_some(())
    })
    .await;
    phone.put(Record::new("opaque", "elsewhere", "there is room")).unwrap();
    phone.push().await.unwrap();
    disks[0].ballast().free().unwrap();
    until("it has room again", PATIENCE, async || (!lab.status(0).await?.disk_low).then_some(()))
        .await;
    drop(lab);
}

/// Where every disk is below its reserve, pushes are refused by name, a revocation passes, reads go on,
/// and with the room everything is as before, without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn where_all_disks_are_low_pushes_wait_and_revocations_pass() {
    let places = Scratch::new("holdfast-test").unwrap();
    let Some((options, disks)) = on_small_disks(&places, &[0, 1, 2]).await else { return };
    let cluster = Cluster::start(&options).await.unwrap();
    let lab = Lab::around(cluster, Scratch::new("holdfast-test").unwrap());
    let (mut phone, code) = lab.wallet("phone").await;
    phone.put(Record::new("opaque", "before", "there was room")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = lab.device(&code, "tablet").await;
    phone.pull().await.unwrap();
    for disk in &disks {
        disk.ballast().fill(200).unwrap();
    }
    until("all say so", PATIENCE, async || {
        for node in 0..3 {
            if !lab.status(node).await?.disk_low {
                return None;
            }
        }
        Some(())
    })
    .await;

    tablet.put(Record::new("opaque", "too much", "no room")).unwrap();
    match tablet.push().await {
        Err(ClientError::Unavailable(reason)) => {
            assert!(format!("{reason:?}").contains("disk"), "{reason:?}");
        }
        other => panic!("a push below the reserve: {other:?}"),
    }
    phone.pull().await.unwrap();
    phone.revoke(tablet.device()).await.unwrap();

    for disk in &disks {
        disk.ballast().free().unwrap();
    }
    phone.put(Record::new("opaque", "after", "room again")).unwrap();
    until("pushes go on", PATIENCE, async || phone.push().await.ok()).await;
    drop(lab);
}

/// A disk that is really full: the process ends and says so, nothing acknowledged is lost, and with room it
/// comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_disk_that_is_really_full_ends_the_process() {
    let places = Scratch::new("holdfast-test").unwrap();
    let Some((options, disks)) = on_small_disks(&places, &[2]).await else { return };
    let cluster = Cluster::start(&options).await.unwrap();
    let mut lab = Lab::around(cluster, Scratch::new("holdfast-test").unwrap());
    let crowd = Crowd::start(&lab, 2, 4000).await;
    crowd.progress(10).await;
    let before = lab.log(2).len();
    disks[0].ballast().fill_up().unwrap();
    let (code, said) = lab.end(2, before).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    crowd.progress(10).await;
    disks[0].ballast().free().unwrap();
    lab.restart(2).await;
    let pushed = crowd.finish().await;
    lab.equal().await;
    lab.cluster.kill(0).unwrap();
    for client in &pushed {
        client.verify(&lab).await;
    }
    drop(lab);
}

/// All nodes lose power at one moment, and with it everything that was not synced. What was acknowledged
/// is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_pushes_survive_the_loss_of_power_everywhere() {
    let places = Scratch::new("holdfast-test").unwrap();
    let mut options = Plan::of(3).options(places.path().join("cluster"));
    let mut disks = Vec::new();
    for node in 0..3 {
        let place = places.path().join(format!("disk{node}"));
        let Some(disk) = or_skip(LossyDisk::mount(&place, 128)) else { return };
        let path = disk.path().join("data").to_str().unwrap().to_owned();
        options.nodes[node].overrides.insert("data_dir".into(), path.into());
        disks.push(disk);
    }
    let cluster = Cluster::start(&options).await.unwrap();
    let mut lab = Lab::around(cluster, Scratch::new("holdfast-test").unwrap());
    for _ in 0..2 {
        let crowd = Crowd::start(&lab, 4, 600).await;
        crowd.progress(100).await;
        // The devices stop first: what they heard last is what must be there.
        let pushed = crowd.finish().await;
        for disk in &disks {
            disk.lose_power().unwrap();
        }
        lab.cluster.kill_all().unwrap();
        for (node, disk) in disks.iter().enumerate() {
            disk.power_up().unwrap();
            lab.restart(node).await;
        }
        for client in &pushed {
            client.verify(&lab).await;
        }
    }
    drop(lab);
}
