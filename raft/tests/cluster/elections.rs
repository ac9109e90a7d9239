//! Leaders: found, lost, handed over; and reads that are never stale.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use raft::{ProposeError, ReadError, Timing};
use store::command::SystemCommand;
use store::{Command, Policy};
use tokio_util::sync::CancellationToken;
use types::{GroupId, NodeId, Role};

use crate::harness::{Cluster, Machine, WALLETS, new_cluster, order, refusal, until};

/// A cluster begins with a leader in every group, and leaders on every node.
#[tokio::test(flavor = "multi_thread")]
async fn leaders_spread_over_the_nodes() {
    let mut cluster = Cluster::three().await;
    let groups = cluster.node(0).groups();
    assert_eq!(groups.len(), 4, "system, public, and two that hold wallets");
    let mut leaders = BTreeSet::new();
    for group in groups {
        leaders.insert(cluster.leader(group).await);
    }
    assert_eq!(leaders.len(), 3);
    cluster.stop().await;
}

/// Every replica reads what was acknowledged before, whoever leads.
#[tokio::test(flavor = "multi_thread")]
async fn every_replica_reads_what_was_acknowledged() {
    let mut cluster = Cluster::three().await;
    for value in 100..140 {
        for group in cluster.node(0).groups() {
            cluster.set(group, value).await;
        }
        for at in 0..3 {
            for group in cluster.node(at).groups() {
                let reader = cluster.node(at).read(group).await.unwrap();
                assert_eq!(reader.policy().unwrap().tombstones, value, "node {at}, group {group}");
            }
        }
    }
    cluster.agree().await;
    cluster.stop().await;
}

/// A leader without its quorum keeps nobody waiting: it says that the outcome is unknown as soon as the others
/// may have another leader, long before the deadline of a proposal.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_quorum_says_so_soon() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.leader(WALLETS).await;
    for other in [1, 2] {
        cluster.machines[(leader + other) % 3].stop(Duration::ZERO).await;
    }
    let command =
        Command::System(order().act(0), Box::new(SystemCommand::SetPolicy(Policy::default())));
    let begun = Instant::now();
    let told = cluster.node(leader).propose(WALLETS, &command).await.unwrap_err();
    let outage = Timing::default().outage_max();
    match told {
        ProposeError::Unknown => {
            assert!(begun.elapsed() < 3 * outage, "after {:?}", begun.elapsed());
        }
        // It had noticed before it was asked.
        ProposeError::NotLeader { leader: None } => {}
        other => panic!("{other}"),
    }
    cluster.stop().await;
}

/// A proposal to a node that does not lead names the one that does, and nothing was proposed.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_names_the_leader() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.leader(WALLETS).await;
    let follower = (leader + 1) % 3;
    let command =
        Command::System(order().act(0), Box::new(SystemCommand::SetPolicy(Policy::default())));
    let before = cluster.node(leader).status().await.groups[2].last;
    let error = cluster.node(follower).propose(WALLETS, &command).await.unwrap_err();
    let named = cluster.node(leader).info();
    assert_eq!(error, ProposeError::NotLeader { leader: named });
    assert_eq!(cluster.node(leader).status().await.groups[2].last, before);
    assert_eq!(cluster.node(0).propose(GroupId(99), &command).await, Err(ProposeError::Stopped));
    cluster.stop().await;
}

/// A leader that is gone is replaced within the outage that the settings promise; nothing that was
/// acknowledged is lost, and the node that comes back catches up.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_leader_is_replaced() {
    let mut cluster = Cluster::three().await;
    cluster.set(WALLETS, 111).await;
    let lost = cluster.leader(WALLETS).await;
    cluster.machines[lost].stop(Duration::ZERO).await;
    let began = Instant::now();
    cluster.set(WALLETS, 222).await;
    let outage = began.elapsed();
    let promised = Timing::default().outage_max();
    assert!(
        outage < promised + Duration::from_secs(2),
        "{outage:?} without a leader, promised: {promised:?}"
    );
    let other = (lost + 1) % 3;
    assert_eq!(cluster.get(other, WALLETS).await, 222);
    cluster.machines[lost].start().await.unwrap();
    assert_eq!(cluster.get(lost, WALLETS).await, 222);
    cluster.agree().await;
    cluster.stop().await;
}

/// All nodes gone at once and back: whoever is asked first knows what was acknowledged last.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_all_forgets_nothing() {
    let mut cluster = Cluster::three().await;
    for round in 0..3 {
        cluster.set(WALLETS, 1000 + round).await;
        cluster.stop().await;
        for machine in &mut cluster.machines {
            machine.start().await.unwrap();
        }
        let first = round as usize % 3;
        assert_eq!(cluster.get(first, WALLETS).await, 1000 + round);
    }
    cluster.agree().await;
    cluster.stop().await;
}

/// Without a majority nothing is acknowledged and nothing is read, not even what is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_minority_answers_nothing() {
    let mut cluster = Cluster::three().await;
    cluster.set(WALLETS, 111).await;
    let kept = cluster.leader(WALLETS).await;
    for at in (0..3).filter(|at| *at != kept) {
        cluster.machines[at].stop(Duration::ZERO).await;
    }
    let node = cluster.node(kept).clone();
    let command =
        Command::System(order().act(0), Box::new(SystemCommand::SetPolicy(Policy::default())));
    let outcome = node.propose(WALLETS, &command).await.unwrap_err();
    assert!(
        matches!(outcome, ProposeError::Unknown | ProposeError::NotLeader { .. }),
        "{outcome:?}"
    );
    assert_eq!(node.read(WALLETS).await.err(), Some(ReadError::Unavailable));
    let stale = node.read_recent(WALLETS, Duration::from_millis(1)).await;
    assert_eq!(stale.err(), Some(ReadError::Unavailable));
    cluster.stop().await;
}

/// A recent read is answered here and now once a fresh one was, for as long as it may be old.
#[tokio::test(flavor = "multi_thread")]
async fn a_recent_read_shares_a_fresh_one() {
    let mut cluster = Cluster::three().await;
    let follower = (cluster.leader(WALLETS).await + 1) % 3;
    cluster.set(WALLETS, 333).await;
    let node = cluster.node(follower).clone();
    node.read(WALLETS).await.unwrap();
    for at in (0..3).filter(|at| *at != follower) {
        cluster.machines[at].stop(Duration::ZERO).await;
    }
    let reader = node.read_recent(WALLETS, Duration::from_secs(600)).await.unwrap();
    assert_eq!(reader.policy().unwrap().tombstones, 333);
    assert!(node.read(WALLETS).await.is_err(), "a fresh one needs a majority");
    cluster.stop().await;
}

/// Leadership goes where it is sent, from wherever it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn leadership_is_handed_over() {
    let mut cluster = Cluster::three().await;
    for to in [0, 1, 2, 1] {
        let asked = (to + 1) % 3;
        cluster.node(asked).transfer(WALLETS, cluster.id(to)).await.unwrap();
        assert_eq!(cluster.leader(WALLETS).await, to);
        cluster.set(WALLETS, 500 + to as u32).await;
    }
    let nobody = refusal(cluster.node(0).transfer(WALLETS, NodeId(9)).await);
    assert!(nobody.contains("node 9 has no vote in group 2"), "{nobody}");
    cluster.stop().await;
}

/// Whoever proposes while a leader hands over is sent to its successor when that one leads, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_sent_to_a_successor_finds_it_leading() {
    let mut cluster = Cluster::three().await;
    for _ in 0..6 {
        let from = cluster.leader(WALLETS).await;
        let to = (from + 1) % 3;
        let (node, successor) = (cluster.node(from).clone(), cluster.node(to).clone());
        let proposing = tokio::spawn(async move {
            loop {
                let set = SystemCommand::SetPolicy(Policy::default());
                let command = Command::System(order().act(0), Box::new(set));
                if let Err(ProposeError::NotLeader { leader: Some(named) }) =
                    node.propose(WALLETS, &command).await
                {
                    break (named.id, successor.is_leader(WALLETS));
                }
            }
        });
        cluster.node(from).transfer(WALLETS, cluster.id(to)).await.unwrap();
        assert_eq!(proposing.await.unwrap(), (cluster.id(to), true));
    }
    cluster.stop().await;
}

/// A planned stop gives leadership away first: the cluster is never without a leader for an election.
#[tokio::test(flavor = "multi_thread")]
async fn a_planned_stop_hands_over() {
    let mut cluster = Cluster::three().await;
    let leaving = cluster.leader(WALLETS).await;
    cluster.machines[leaving].stop(Duration::from_secs(10)).await;
    let rest: Vec<usize> = (0..3).filter(|at| *at != leaving).collect();
    // Those that stay know another leader at once: it was elected before the node ended.
    for at in rest {
        let leader = cluster.node(at).leader(WALLETS).unwrap();
        assert!(leader.id.0 as usize != leaving + 1, "node {at} still follows the one that left");
    }
    cluster.set(WALLETS, 444).await;
    cluster.stop().await;
}

/// A node that steps down leads nothing any more, and serves on.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_steps_down_leads_nothing() {
    let mut cluster = Cluster::three().await;
    let node = cluster.node(0).clone();
    node.step_down().await;
    for group in node.groups() {
        assert_ne!(cluster.leader(group).await, 0, "group {group}");
    }
    cluster.set(WALLETS, 777).await;
    assert_eq!(cluster.get(0, WALLETS).await, 777);
    cluster.stop().await;
}

/// Cut short at any moment and repeated, a bootstrap makes one cluster and gives every node one place.
#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_cut_short_goes_on() {
    let mut cluster = Cluster::fresh(&["a", "b", "c"], &Timing::default()).await;
    let (name, new) = (order(), new_cluster(&cluster.machines));
    for delay_ms in [1, 5, 10, 20, 40, 80] {
        let attempt = cluster.node(0).bootstrap(name, &new);
        let _ = tokio::time::timeout(Duration::from_millis(delay_ms), attempt).await;
    }
    let begun = cluster.node(0).bootstrap(name, &new).await.unwrap();
    assert_eq!(cluster.node(0).bootstrap(order(), &new).await.unwrap(), begun);
    let mut named = new.clone();
    named.peers.iter_mut().for_each(|peer| *peer = peer.replace("127.0.0.1", "localhost"));
    assert_eq!(cluster.node(0).bootstrap(order(), &named).await.unwrap(), begun, "the same nodes");
    let places: BTreeSet<_> =
        (0..3).map(|at| cluster.node(at).identity().place.unwrap().node).collect();
    assert_eq!(places, [1, 2, 3].map(NodeId).into());
    assert!((0..3).all(|at| cluster.node(at).identity().place.unwrap().cluster == begun));

    let mut other = new.clone();
    other.wallet_groups = 3;
    let refused = refusal(cluster.node(0).bootstrap(order(), &other).await);
    assert!(refused.contains("2 wallet groups"), "{refused}");
    let refused = refusal(cluster.node(1).bootstrap(order(), &new).await);
    assert!(refused.contains("node node-2 belongs to a cluster already"), "{refused}");
    until("the cluster serves", async || {
        cluster.node(2).group_of(&types::WalletId::ZERO).is_some()
    })
    .await;
    cluster.stop().await;
}

/// While leadership wanders, every read on every replica shows at least what was acknowledged when it
/// began, and never goes back.
#[tokio::test(flavor = "multi_thread")]
async fn reads_are_never_stale_while_leadership_wanders() {
    let mut cluster = Cluster::three().await;
    cluster.set(WALLETS, 100).await;
    let acknowledged = Arc::new(AtomicU32::new(100));
    let done = CancellationToken::new();
    let readers: Vec<_> = (0..3)
        .map(|at| {
            let (node, acknowledged, done) =
                (cluster.node(at).clone(), acknowledged.clone(), done.clone());
            tokio::spawn(async move {
                let (mut reads, mut seen) = (0, 0);
                while !done.is_cancelled() {
                    let floor = acknowledged.load(Ordering::SeqCst);
                    if let Ok(reader) = node.read(WALLETS).await {
                        let value = reader.policy().unwrap().tombstones;
                        assert!(value >= floor, "node {at} read {value}, {floor} was acknowledged");
                        assert!(value >= seen, "node {at} read {value} after {seen}");
                        seen = value;
                        reads += 1;
                    }
                }
                reads
            })
        })
        .collect();
    for value in 101..160 {
        cluster.set(WALLETS, value).await;
        acknowledged.store(value, Ordering::SeqCst);
        if value % 10 == 0 {
            let to = cluster.id(value as usize / 10 % 3);
            cluster.node(0).transfer(WALLETS, to).await.unwrap();
        }
    }
    done.cancel();
    for reads in readers {
        assert!(reads.await.unwrap() > 10, "too few reads to show anything");
    }
    cluster.stop().await;
}

/// Clients that repeat a command under its name until it is answered, through the loss of three
/// leaders: each has exactly one effect.
#[tokio::test(flavor = "multi_thread")]
async fn retries_through_lost_leaders_have_one_effect() {
    const CLIENTS: usize = 8;
    let mut cluster = Cluster::three().await;
    let counted =
        |cluster: &Cluster, at: usize| cluster.node(at).replica(WALLETS).unwrap().acts().unwrap();
    // Only behind a barrier has this replica seen the group's own beginning.
    cluster.get(0, WALLETS).await;
    let before = counted(&cluster, 0);
    let done = CancellationToken::new();
    // Nodes come and go; clients go to whichever are there.
    let nodes: Vec<_> =
        (0..3).map(|at| Arc::new(Mutex::new(Some(cluster.node(at).clone())))).collect();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (nodes, done) = (nodes.clone(), done.clone());
            tokio::spawn(async move {
                let mut answered = 0_u64;
                while !done.is_cancelled() {
                    let order = order();
                    let mut at = 0;
                    loop {
                        let act = Box::new(SystemCommand::SetPolicy(Policy::default()));
                        let command = Command::System(order.act(0), act);
                        let node = nodes[at % 3].lock().unwrap().clone();
                        at += 1;
                        if let Some(node) = node
                            && let Ok(reply) = node.propose(WALLETS, &command).await
                        {
                            assert!(matches!(reply, store::Reply::System(_)), "{reply:?}");
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for _ in 0..3 {
        let lost = cluster.leader(WALLETS).await;
        let reached = counted(&cluster, lost) + 50;
        until("some progress", async || counted(&cluster, lost) > reached).await;
        nodes[lost].lock().unwrap().take();
        cluster.machines[lost].stop(Duration::ZERO).await;
        cluster.leader(WALLETS).await;
        // Its directory is free once the last client has let go of the node.
        until("the node starts", async || cluster.machines[lost].start().await.is_ok()).await;
        *nodes[lost].lock().unwrap() = Some(cluster.node(lost).clone());
    }
    done.cancel();
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    cluster.get(0, WALLETS).await;
    assert_eq!(counted(&cluster, 0) - before, answered, "one effect for each that was answered");
    cluster.agree().await;
    cluster.stop().await;
}

/// A node that is started under another address is found again.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_may_move() {
    let mut cluster = Cluster::three().await;
    // It last knew itself as the leader, and those who lead now do not find it.
    cluster.node(0).transfer(GroupId::SYSTEM, NodeId(3)).await.unwrap();
    cluster.machines[2].stop(Duration::ZERO).await;
    until("the others have a leader", async || {
        (0..2).any(|at| cluster.node(at).is_leader(GroupId::SYSTEM))
    })
    .await;
    cluster.machines[2].move_to_free_port().await;
    cluster.machines[2].start().await.unwrap();
    let address = cluster.machines[2].address.clone();
    until("the others know the new address", async || {
        (0..3).all(|at| cluster.node(at).node(NodeId(3)).is_some_and(|node| node.peer == address))
    })
    .await;
    cluster.set(WALLETS, 888).await;
    cluster.node(0).transfer(WALLETS, NodeId(3)).await.unwrap();
    cluster.set(WALLETS, 889).await;
    cluster.agree().await;
    cluster.stop().await;
}

/// A witness votes and, elected, gives leadership to a data node; nobody can make it lead.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_does_not_lead() {
    let mut cluster = Cluster::fresh(&["a", "b"], &Timing::default()).await;
    let mut witness = Machine::new(&cluster.ca, "node-3", "c").await;
    witness.role = Role::Witness;
    witness.start().await.unwrap();
    cluster.machines.push(witness);
    let new = new_cluster(&cluster.machines);
    cluster.node(0).bootstrap(order(), &new).await.unwrap();
    for lost in [0, 1] {
        let other = 1 - lost;
        cluster.node(other).transfer(WALLETS, cluster.id(lost)).await.unwrap();
        cluster.machines[lost].stop(Duration::ZERO).await;
        for group in cluster.node(other).groups() {
            until("the data node leads", async || cluster.node(other).is_leader(group)).await;
        }
        cluster.set(WALLETS, 600 + lost as u32).await;
        cluster.machines[lost].start().await.unwrap();
        assert_eq!(cluster.get(lost, WALLETS).await, 600 + lost as u32);
    }
    let refused = refusal(cluster.node(0).transfer(WALLETS, NodeId(3)).await);
    assert!(refused.contains("node 3 is a witness"), "{refused}");
    cluster.agree().await;
    cluster.stop().await;
}
