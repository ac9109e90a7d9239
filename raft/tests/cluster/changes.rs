//! Clusters that change: nodes join, are drained, and leave for ever.

use std::collections::BTreeSet;

use raft::Timing;
use types::{NodeId, NodeState};

use crate::harness::{Cluster, Machine, PATIENCE, WALLETS, new_cluster, order, refusal, until};

/// The voters of every group, as one node sees them; none if they differ or a change is under way.
async fn voters(cluster: &Cluster, at: usize) -> Option<BTreeSet<u64>> {
    let status = cluster.node(at).status().await;
    let sets: BTreeSet<BTreeSet<u64>> = status
        .groups
        .iter()
        .map(|group| {
            group
                .replicas
                .iter()
                .filter(|replica| replica.voter)
                .map(|replica| replica.node.0)
                .collect()
        })
        .collect();
    let settled = status.groups.iter().all(|group| !group.changing);
    sets.into_iter().next().filter(|_| {
        settled
            && status.groups.iter().all(|group| {
                let all: BTreeSet<u64> =
                    group.replicas.iter().filter(|r| r.voter).map(|r| r.node.0).collect();
                let first: BTreeSet<u64> = status.groups[0]
                    .replicas
                    .iter()
                    .filter(|r| r.voter)
                    .map(|r| r.node.0)
                    .collect();
                all == first
            })
    })
}

/// A fourth node joins as a learner, replaces one that is drained, and the drained one leaves for
/// ever. Its machine comes back with an empty directory, under another id.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_replaced() {
    let mut cluster = Cluster::three().await;
    cluster.set(WALLETS, 111).await;
    let mut fourth = Machine::new(&cluster.ca, "node-4", "a").await;
    fourth.seeds = cluster.machines.iter().map(|machine| machine.address.clone()).collect();
    fourth.start().await.unwrap();
    let name = order();
    let joined = cluster.node(1).join(name, &fourth.address).await.unwrap();
    assert_eq!(joined, NodeId(4));
    assert_eq!(cluster.node(2).join(name, &fourth.address).await.unwrap(), joined, "once");
    cluster.machines.push(fourth);
    assert_eq!(cluster.get(3, WALLETS).await, 111, "a learner serves reads");
    until("four replicas of every group", async || {
        let status = cluster.node(0).status().await;
        status.groups.iter().all(|group| group.replicas.len() == 4)
    })
    .await;
    assert_eq!(voters(&cluster, 0).await, Some([1, 2, 3].into()), "a fourth vote outlives no more");

    let itself = refusal(cluster.node(0).remove(order(), NodeId(1), PATIENCE).await);
    assert!(itself.contains("ask another node"), "{itself}");
    cluster.node(1).remove(order(), NodeId(1), PATIENCE).await.unwrap();
    until("the new voters", async || voters(&cluster, 1).await == Some([2, 3, 4].into())).await;
    let running = refusal(cluster.node(1).join(order(), &cluster.machines[0].address).await);
    assert!(running.contains("was removed for ever"), "{running}");
    cluster.machines[0].stop(std::time::Duration::ZERO).await;
    cluster.set(WALLETS, 222).await;
    assert_eq!(cluster.get(3, WALLETS).await, 222);
    assert_eq!(cluster.node(3).status().await.zero_loss, Ok(()));

    // The removed node's directory must not come back; its machine may.
    cluster.machines[0].seeds = vec![cluster.machines[1].address.clone()];
    let refused = cluster.machines[0].start().await.unwrap_err().to_string();
    assert!(refused.contains("has removed node 1"), "{refused}");
    cluster.machines[0].wipe();
    cluster.machines[0].start().await.unwrap();
    let again = cluster.node(1).join(order(), &cluster.machines[0].address).await.unwrap();
    assert_eq!(again, NodeId(5), "ids are never used again");
    assert_eq!(cluster.get(0, WALLETS).await, 222);
    cluster.agree().await;
    cluster.stop().await;
}

/// Three nodes become five: every replica gets a vote, two data centres hold two each.
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_become_five() {
    let mut cluster = Cluster::three().await;
    for (name, dc) in [("node-4", "a"), ("node-5", "b")] {
        let mut machine = Machine::new(&cluster.ca, name, dc).await;
        machine.start().await.unwrap();
        cluster.node(0).join(order(), &machine.address).await.unwrap();
        cluster.machines.push(machine);
    }
    until("five voters", async || voters(&cluster, 0).await == Some([1, 2, 3, 4, 5].into())).await;
    // Two data centres' worth of nodes are not a majority, one whole data centre may go.
    cluster.machines[0].stop(std::time::Duration::ZERO).await;
    cluster.machines[3].stop(std::time::Duration::ZERO).await;
    cluster.set(WALLETS, 555).await;
    assert_eq!(cluster.get(4, WALLETS).await, 555);
    cluster.stop().await;
}

/// A node is not drained when those that stay could lose what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn the_rule_outranks_a_drain() {
    let mut cluster = Cluster::begun(&["a", "a", "b", "b", "c"], &Timing::default()).await;
    cluster.node(0).remove(order(), NodeId(5), PATIENCE).await.unwrap();
    until("four in two data centres", async || {
        voters(&cluster, 0).await.is_some_and(|set| !set.contains(&5))
    })
    .await;
    cluster.node(0).remove(order(), NodeId(4), PATIENCE).await.unwrap();
    // One each is left in a and b beside another in a: two in two data centres vote.
    until("two in two data centres", async || {
        voters(&cluster, 0).await.is_some_and(|set| set.len() == 2)
    })
    .await;
    let refused = refusal(cluster.node(0).drain(order(), NodeId(3), PATIENCE).await);
    assert!(refused.contains("without node 3"), "{refused}");
    assert_eq!(cluster.node(0).node(NodeId(3)).unwrap().state, NodeState::Active, "nothing moved");
    cluster.stop().await;
}

/// Which layouts may begin.
#[tokio::test(flavor = "multi_thread")]
async fn layouts_that_lose_writes_are_refused() {
    for dcs in [&["a"][..], &["a", "a", "b"], &["a", "a", "a"], &["a", "a", "a", "b", "c"]] {
        let mut cluster = Cluster::fresh(dcs, &Timing::default()).await;
        let mut new = new_cluster(&cluster.machines);
        let refused = refusal(cluster.node(0).bootstrap(order(), &new).await);
        assert!(refused.contains("one data centre holds a majority"), "{dcs:?}: {refused}");
        assert!(cluster.machines.iter().all(|machine| machine.node().identity().place.is_none()));
        if dcs.len() < 5 {
            new.allow_single_dc = true;
            cluster.node(0).bootstrap(order(), &new).await.unwrap();
            cluster.set(WALLETS, 99).await;
            // Where some of the nodes can keep the rule, they alone are to vote.
            let kept = dcs.contains(&"b");
            if !kept {
                assert!(
                    cluster.node(0).status().await.zero_loss.is_err(),
                    "it is said, not hidden"
                );
            }
            until("the status tells", async || {
                cluster.node(0).status().await.zero_loss.is_ok() == kept
            })
            .await;
            until("the metric says so too", async || {
                cluster.machines[0].metric("holdfast_zero_loss") == f64::from(kept)
            })
            .await;
        }
        cluster.stop().await;
    }
}
