//! P1, P9: a replica that is damaged, cut, odd or dead is repaired without a person, and no acknowledged
//! push is lost on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proto::admin::{NodeRequest, StatusReply, TransferRequest};
use std::{fs, time::Duration};
use store::Column;
use tests::{
    Lab, Plan,
    crowd::{Crowd, Pushed},
    harm,
    lab::{GROUP, PATIENCE, database, until},
};

/// What a cluster says at every look of a wait: that no configuration breaks the rule of zero loss.
async fn status_under_the_rule(lab: &Lab, asked: usize) -> Option<StatusReply> {
    let status = lab.status(asked).await?;
    let held = status.zero_loss.clone().unwrap();
    assert!(held.held, "P1 at every step: {}", held.reason);
    assert!(status.groups.iter().all(|group| group.zero_loss), "{:?}", status.groups);
    Some(status)
}

/// Waits until the machine called `name` is in service under a higher id than `former`, with the wanted
/// kind of replica of every group, and nothing is left of the former one. Gives the new id.
async fn back_under_a_new_id(lab: &Lab, asked: usize, name: &str, former: u64, kind: &str) -> u64 {
    until(&format!("{name} is back under a new id as {kind}"), PATIENCE, async || {
        let status = status_under_the_rule(lab, asked).await?;
        let of_name = |state: &str| {
            status.nodes.iter().rfind(|node| node.name == name && node.state == state)
        };
        let id = of_name("active").map(|node| node.id).filter(|id| *id > former)?;
        assert_eq!(of_name("removed")?.id, former, "ids are never used again");
        let placed = |group: &proto::admin::Group| {
            let has = |id| group.replicas.iter().find(|replica| replica.node == id);
            has(former).is_none() && has(id).is_some_and(|replica| replica.kind == kind)
        };
        status.groups.iter().all(placed).then_some(id)
    })
    .await
}

async fn acknowledged_is_there(lab: &mut Lab, pushed: &[Pushed], without: usize) {
    lab.equal().await;
    lab.cluster.kill(without).unwrap();
    for client in pushed {
        client.verify(lab).await;
    }
}

/// Makes a node lead every group, and reads back through it, byte for byte, what was acknowledged.
async fn reads_back_as_the_leader_of_all(lab: &Lab, pushed: &[Pushed], node: usize) {
    lab.equal().await;
    let (name, asked) = (format!("n{}", node + 1), (node + 1) % 3);
    until(&format!("{name} leads every group"), PATIENCE, async || {
        let status = status_under_the_rule(lab, asked).await?;
        let mut admin = lab.cluster.admin(asked).await.ok()?;
        let others = status.groups.iter().filter(|group| group.leader != name);
        let mut leads = !status.groups.is_empty();
        for group in others {
            leads = false;
            // Refused while another leader is being elected; it is asked for again.
            let transfer = TransferRequest { group: group.id, to: name.clone() };
            let _ = admin.transfer(transfer).await;
        }
        leads.then_some(())
    })
    .await;
    let own = lab.cluster.endpoints()[node].clone();
    for client in pushed {
        client.verify_at(lab, std::slice::from_ref(&own)).await;
    }
    let status = status_under_the_rule(lab, asked).await.unwrap();
    assert!(status.groups.iter().all(|group| group.leader == name), "it led all the while");
    lab.equal().await;
}

/// As [`with_a_dead_follower`], with everything that the follower applied in its table files.
async fn with_a_stopped_follower(plan: Plan) -> (Lab, Vec<Pushed>, usize) {
    let (mut lab, pushed, victim) = with_a_dead_follower(plan).await;
    lab.restart(victim).await;
    lab.equal().await;
    lab.cluster.stop_node(victim, PATIENCE).await.unwrap();
    (lab, pushed, victim)
}

/// Three nodes, some acknowledged pushes, and a follower of the wallets' group that was killed.
async fn with_a_dead_follower(plan: Plan) -> (Lab, Vec<Pushed>, usize) {
    let mut lab = plan.start().await;
    let crowd = Crowd::start(&lab, 2, 600).await;
    crowd.progress(40).await;
    let victim = (lab.leader(GROUP).await + 1) % 3;
    lab.cluster.kill(victim).unwrap();
    let pushed = crowd.finish().await;
    (lab, pushed, victim)
}

/// The end of the log is gone, and nothing shows it but the marks: quarantine, then another life.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_whose_log_was_cut_comes_back_under_a_new_id() {
    let (mut lab, pushed, victim) = with_a_dead_follower(Plan::of(3)).await;
    let (name, former) = (format!("n{}", victim + 1), lab.cluster.nodes()[victim].id);
    let wal = harm::files(&database(&lab.data(victim)), ".log");
    harm::cut(wal.last().unwrap(), 500);
    // No leader remembers what the victim acknowledged: only its own marks know.
    lab.cluster.kill_all().unwrap();
    for other in (0..3).filter(|node| *node != victim) {
        lab.cluster.start_node(other).unwrap();
    }
    let before = lab.log(victim).len();
    lab.restart(victim).await;
    let asked = (victim + 1) % 3;
    back_under_a_new_id(&lab, asked, &name, former, "voter").await;
    let said = lab.log(victim).split_off(before);
    assert!(said.contains("went back") && said.contains("in quarantine"), "{said}");
    acknowledged_is_there(&mut lab, &pushed, asked).await;
}

/// A node that has nothing any more is fenced under its old id, and gets a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_whose_directory_is_lost_comes_back_under_a_new_id() {
    let (mut lab, pushed, victim) = with_a_dead_follower(Plan::of(3)).await;
    let (name, former) = (format!("n{}", victim + 1), lab.cluster.nodes()[victim].id);
    fs::remove_dir_all(lab.data(victim)).unwrap();
    lab.restart(victim).await;
    let asked = (victim + 1) % 3;
    back_under_a_new_id(&lab, asked, &name, former, "voter").await;
    acknowledged_is_there(&mut lab, &pushed, asked).await;
}

/// A majority that lost its directories is not let back in: nobody can agree to forget what it held.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_majority_stays_in_quarantine_and_wipes_nothing() {
    let (mut lab, _, first) = with_a_dead_follower(Plan::of(3)).await;
    let second = (first + 1) % 3;
    lab.cluster.kill(second).unwrap();
    for victim in [first, second] {
        let wal = harm::files(&database(&lab.data(victim)), ".log");
        harm::cut(wal.last().unwrap(), 500);
    }
    for victim in [first, second] {
        lab.restart(victim).await;
        until("it says that it is in quarantine", PATIENCE, async || {
            let status = lab.status(victim).await?;
            status.repair.contains("in quarantine").then_some(())
        })
        .await;
    }
    // Their one healthy peer asks them for votes all the time, and they ask it to be let out.
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for victim in [first, second] {
            let status = lab.status(victim).await.unwrap();
            assert!(status.groups.is_empty(), "no group runs: {:?}", status.groups);
            assert!(status.repair.contains("in quarantine"), "{}", status.repair);
        }
    }
    for victim in [first, second] {
        let wal = harm::files(&database(&lab.data(victim)), ".log");
        assert!(!wal.is_empty(), "what is left of its log is still there");
    }
}

/// A state file is lost: the node names it and stops. Started again it keeps its log, its vote and its
/// id, and takes the state from a peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_state_is_taken_from_a_peer_under_the_same_id() {
    let plan = Plan::of(3).setting("raft.snapshot_entries", 100);
    let (mut lab, pushed, victim) = with_a_stopped_follower(plan).await;
    let (name, id) = (format!("n{}", victim + 1), lab.cluster.nodes()[victim].id);
    let lost = harm::tables(&database(&lab.data(victim)), Column::State).remove(0);
    fs::remove_file(&lost).unwrap();
    let (code, said) = lab.ends(victim).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains(lost.file_name().unwrap().to_str().unwrap()), "{said}");
    assert!(said.contains("Start it again"), "{said}");

    lab.restart(victim).await;
    let asked = (victim + 1) % 3;
    lab.equal().await;
    let status = status_under_the_rule(&lab, asked).await.unwrap();
    let own = status.nodes.iter().filter(|node| node.name == name).map(|node| node.id);
    assert_eq!(own.collect::<Vec<_>>(), [id], "the same node");
    acknowledged_is_there(&mut lab, &pushed, asked).await;
}

/// One bit of a replica's state is wrong: repaired, it leads every group and shows what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_with_a_flipped_bit_in_its_state_is_repaired_and_leads() {
    let plan = Plan::of(3).setting("repair.scrub_s", 1).setting("raft.snapshot_entries", 100);
    let (mut lab, pushed, victim) = with_a_stopped_follower(plan).await;
    let (name, id) = (format!("n{}", victim + 1), lab.cluster.nodes()[victim].id);
    let tables = harm::tables(&database(&lab.data(victim)), Column::State);
    let largest = tables.into_iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    harm::flip(&largest, 200);
    let (code, said) = lab.ends(victim).await;
    assert_eq!(code, 4, "{said}");
    lab.restart(victim).await;
    reads_back_as_the_leader_of_all(&lab, &pushed, victim).await;
    let status = status_under_the_rule(&lab, victim).await.unwrap();
    let own = status.nodes.iter().filter(|node| node.name == name).map(|node| node.id);
    assert_eq!(own.collect::<Vec<_>>(), [id], "the same node");
}

/// The same of its log: it comes back under a new id before it leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_with_a_flipped_bit_in_its_log_is_repaired_and_leads() {
    let (mut lab, pushed, victim) = with_a_dead_follower(Plan::of(3)).await;
    let (name, former) = (format!("n{}", victim + 1), lab.cluster.nodes()[victim].id);
    harm::flip(harm::files(&database(&lab.data(victim)), ".log").last().unwrap(), 300);
    let (code, said) = lab.ends(victim).await;
    assert_eq!(code, 4, "{said}");
    lab.restart(victim).await;
    back_under_a_new_id(&lab, (victim + 1) % 3, &name, former, "voter").await;
    reads_back_as_the_leader_of_all(&lab, &pushed, victim).await;
}

/// A row of one replica was changed by somebody who knew how: the replicas' digests part with the next
/// pushes, the odd one is fenced, and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_with_an_odd_digest_comes_back_under_a_new_id() {
    let plan = Plan::of(3).setting("repair.digest_entries", 10).setting("repair.scrub_s", 0);
    let (mut lab, mut pushed, victim) = with_a_stopped_follower(plan).await;
    let (name, former) = (format!("n{}", victim + 1), lab.cluster.nodes()[victim].id);
    harm::change_a_row(&database(&lab.data(victim)), GROUP);
    let before = lab.log(victim).len();
    lab.restart(victim).await;
    let crowd = Crowd::start(&lab, 1, 600).await;
    crowd.progress(30).await;
    let asked = (victim + 1) % 3;
    back_under_a_new_id(&lab, asked, &name, former, "voter").await;
    pushed.extend(crowd.finish().await);
    let said = lab.log(victim).split_off(before);
    assert!(said.contains("has fenced"), "it learns why: {said}");
    acknowledged_is_there(&mut lab, &pushed, asked).await;
}

/// The same change, on a node that reads its own disk again: it finds it by itself, and takes the state
/// from a peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_row_is_found_by_reading_the_disk_again() {
    let plan = Plan::of(3).setting("repair.scrub_s", 1).setting("raft.snapshot_entries", 100);
    let (mut lab, pushed, victim) = with_a_stopped_follower(plan).await;
    harm::change_a_row(&database(&lab.data(victim)), GROUP);
    let (code, said) = lab.ends(victim).await;
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("the rows on disk are not those that were applied"), "{said}");
    lab.restart(victim).await;
    acknowledged_is_there(&mut lab, &pushed, (victim + 1) % 3).await;
}

/// A node that stays away is replaced by the spare one of its data centre, and is a spare itself when it
/// comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dead_node_is_replaced_by_a_spare_of_its_data_centre() {
    let plan = Plan::in_dcs(&["dc1", "dc2", "dc3", "dc3"]).setting("repair.replace_after_s", 3);
    let mut lab = plan.start().await;
    let voters = |status: &StatusReply| -> Option<Vec<u64>> {
        let of = |group: &proto::admin::Group| -> Vec<u64> {
            let voters = group.replicas.iter().filter(|replica| replica.kind == "voter");
            voters.map(|replica| replica.node).collect()
        };
        let all: Vec<Vec<u64>> = status.groups.iter().map(of).collect();
        all.windows(2).all(|pair| pair[0] == pair[1]).then(|| all[0].clone())
    };
    let first = until("three vote, one is a spare", PATIENCE, async || {
        let status = status_under_the_rule(&lab, 0).await?;
        voters(&status).filter(|voters| voters.len() == 3)
    })
    .await;
    let crowd = Crowd::start(&lab, 2, 600).await;
    crowd.progress(20).await;

    let dead = if first.contains(&3) { 2 } else { 3 };
    let spare = if dead == 2 { 4 } else { 3 };
    let former = lab.cluster.nodes()[dead].id;
    lab.cluster.kill(dead).unwrap();
    until("the spare votes in its place", PATIENCE, async || {
        let status = status_under_the_rule(&lab, 0).await?;
        let voters = voters(&status)?;
        (voters == [1, 2, spare]).then_some(())
    })
    .await;
    crowd.progress(10).await;
    lab.restart(dead).await;
    back_under_a_new_id(&lab, 0, &format!("n{}", dead + 1), former, "learner").await;
    let pushed = crowd.finish().await;
    acknowledged_is_there(&mut lab, &pushed, 0).await;
}

/// Who was removed by an operator does not come back by itself: not with the old disk, and not with an
/// empty one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_removed_node_comes_back_by_an_operator_only() {
    let mut lab = Plan::in_dcs(&["dc1", "dc2", "dc3", "dc3"]).start().await;
    let request = NodeRequest { name: "n4".to_owned(), request_id: vec![7; 32] };
    lab.cluster.admin(0).await.unwrap().remove(request).await.unwrap();
    lab.cluster.kill(3).unwrap();
    let (code, said) = lab.ends(3).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has removed node 4"), "{said}");

    fs::remove_dir_all(lab.data(3)).unwrap();
    lab.restart(3).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = lab.status(0).await.unwrap();
    let known = status.nodes.iter().filter(|node| node.name == "n4");
    assert_eq!(known.map(|node| node.state.as_str()).collect::<Vec<_>>(), ["removed"]);
    assert!(!lab.status(3).await.unwrap().bootstrapped, "it waits for an operator");
}
