#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use crate::registry::Registry;
use store::Caller;
use store::command::SystemCommand;
use store::engine::memory::MemoryEngine;
use store::rows::PlacementRow;
use types::NodeId;

use super::{CAUGHT_UP, Step, next};
use crate::membership::act::Order;
use crate::membership::bootstrap::new_node;
use crate::roster::Roster;
use crate::simulation::certificates;
use crate::status::GroupView;
use crate::types::Membership;
use crate::{Node, NodeConfig, Timing};

/// A change of voters that was left half way is finished by whoever leads, without being told.
#[tokio::test(flavor = "multi_thread")]
async fn a_joint_membership_that_is_found_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let config = NodeConfig {
        name: "node-1".to_owned(),
        dc: "a".to_owned(),
        role: types::Role::Data,
        peer: "127.0.0.1:1".to_owned(),
        endpoint: "https://127.0.0.1:1".to_owned(),
        directory: directory.path().to_owned(),
        seeds: Vec::new(),
        timing: Timing::default(),
        proposal_bytes: crate::PROPOSAL_BYTES,
        levels: store::formats::Levels::OF_THIS_RELEASE,
        upkeep: crate::Upkeep::default(),
    };
    let tls = certificates::Ca::new().node("node-1", "a");
    let engine = Arc::new(MemoryEngine::new());
    let node = Node::start(config, engine, tls, &mut Registry::default()).await.unwrap();
    let incarnation = node.identity().incarnation;
    let info = types::NodeInfo {
        id: NodeId(1),
        name: "node-1".to_owned(),
        dc: "a".to_owned(),
        role: types::Role::Data,
        peer: "127.0.0.1:1".to_owned(),
        endpoint: "https://127.0.0.1:1".to_owned(),
        incarnation,
        state: types::NodeState::Active,
    };
    let request = proto::peer::AdoptRequest {
        cluster: vec![7; 16].into(),
        node: 1,
        incarnation: incarnation.as_bytes().to_vec().into(),
        roster: Roster::new([info.clone()]).to_proto(),
        wallet_groups: 1,
        initialize: vec![0, 1, 2],
        voters: vec![1],
        allow_single_dc: true,
    };
    node.inner.adopt(request).await.unwrap();
    let caller = Caller::named("test");
    let order = Order { caller, request: types::RequestId::from_bytes([1; 32]) };
    let begin = store::command::Bootstrap {
        cluster: types::ClusterId::from_bytes([7; 16]),
        nodes: vec![new_node(&info)],
        wallet_groups: 1,
        regions: vec![0],
        allow_single_dc: true,
        policy: store::Policy::default(),
    };
    node.inner.must(types::GroupId(0), order, SystemCommand::Bootstrap(begin)).await.unwrap();

    let group = node.inner.group(types::GroupId::FIRST_WALLET).unwrap();
    let mut report = group.report();
    assert!(report.until(|seen| seen.state.is_leader()).await);
    // A leader changes members once an entry of its own term is committed.
    node.read(types::GroupId::FIRST_WALLET).await.unwrap();
    // Whatever the reconciler does first, the log's membership is the present one or a later one.
    let replica = crate::types::Replica { dc: "a".to_owned() };
    let nodes = BTreeMap::from([(1, replica)]);
    let joint = Membership::new(vec![[1].into(), [1].into()], nodes).unwrap();
    group.raft.append_membership(joint, openraft::EntryPayload::Blank, []).await.unwrap();
    let sets =
        |seen: &crate::types::Metrics| seen.membership_config.membership().get_joint_config().len();
    assert!(report.until(|seen| sets(seen) == 1).await, "it stays half way");
    node.shutdown(std::time::Duration::ZERO).await;
}

fn ids(list: &[u64]) -> BTreeSet<NodeId> {
    list.iter().copied().map(NodeId).collect()
}

fn membership(sets: &[&[u64]], learners: &[u64]) -> Membership {
    let sets = sets.iter().map(|set| set.iter().copied().collect()).collect();
    Membership::new_with_defaults(sets, learners.iter().copied())
}

fn wanted(voters: &[u64], learners: &[u64]) -> PlacementRow {
    let list = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    PlacementRow { version: 1, voters: list(voters), learners: list(learners) }
}

fn view(lag: &[(u64, u64)]) -> GroupView {
    let lag = lag.iter().map(|(node, lag)| (NodeId(*node), *lag)).collect::<BTreeMap<_, _>>();
    GroupView { lag, ..GroupView::default() }
}

/// Replacing a node, step by step: add, catch up, give the vote, drop.
#[test]
fn add_comes_before_remove() {
    let goal = wanted(&[2, 3, 4], &[]);
    let idle = view(&[]);
    assert_eq!(next(&membership(&[&[1, 2, 3]], &[]), &goal, &idle), Step::Add(ids(&[4])));
    let with = membership(&[&[1, 2, 3]], &[4]);
    assert_eq!(next(&with, &goal, &idle), Step::Wait, "nobody knows how far it is");
    assert_eq!(next(&with, &goal, &view(&[(4, CAUGHT_UP + 1)])), Step::Wait);
    assert_eq!(next(&with, &goal, &view(&[(4, CAUGHT_UP)])), Step::Voters(ids(&[2, 3, 4])));
    let joint = membership(&[&[1, 2, 3], &[2, 3, 4]], &[]);
    assert_eq!(next(&joint, &goal, &idle), Step::Finish, "whoever began it");
    let voted = membership(&[&[2, 3, 4]], &[1]);
    assert_eq!(next(&voted, &goal, &idle), Step::Drop(ids(&[1])));
    assert_eq!(next(&membership(&[&[2, 3, 4]], &[]), &goal, &idle), Step::Done);
}

#[test]
fn learners_are_added_and_kept() {
    let goal = wanted(&[1, 2, 3], &[4]);
    let idle = view(&[]);
    assert_eq!(next(&membership(&[&[1, 2, 3]], &[]), &goal, &idle), Step::Add(ids(&[4])));
    assert_eq!(next(&membership(&[&[1, 2, 3]], &[4]), &goal, &idle), Step::Done);
}

/// From every membership that a crash can leave, the steps lead to the goal.
#[test]
fn every_half_way_state_reaches_the_goal() {
    let goal = wanted(&[2, 3, 4], &[5]);
    let everybody = view(&[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
    let starts = [
        membership(&[&[1, 2, 3]], &[]),
        membership(&[&[1, 2, 3]], &[4]),
        membership(&[&[1, 2, 3], &[2, 3, 4]], &[]),
        membership(&[&[1, 2, 3, 4]], &[5]),
        membership(&[&[2, 3, 4]], &[1, 5]),
    ];
    for mut present in starts {
        let start = present.clone();
        for _ in 0..6 {
            let learners = |present: &Membership| present.learner_ids().collect::<BTreeSet<_>>();
            let sets = present.get_joint_config().clone();
            let raw =
                |set: BTreeSet<NodeId>| set.into_iter().map(|id| id.0).collect::<BTreeSet<u64>>();
            present = match next(&present, &goal, &everybody) {
                Step::Done => break,
                Step::Wait => panic!("everybody has caught up"),
                Step::Finish => {
                    let before: BTreeSet<u64> = sets.iter().flatten().copied().collect();
                    Membership::new_with_defaults(
                        vec![sets.last().unwrap().clone()],
                        learners(&present).into_iter().chain(before),
                    )
                }
                Step::Add(missing) => Membership::new_with_defaults(
                    sets,
                    learners(&present).into_iter().chain(raw(missing)),
                ),
                Step::Voters(voters) => Membership::new_with_defaults(
                    vec![sets[0].clone(), raw(voters)],
                    learners(&present),
                ),
                Step::Drop(left) => {
                    let left = raw(left);
                    let kept = learners(&present).into_iter().filter(|id| !left.contains(id));
                    Membership::new_with_defaults(sets, kept.collect::<Vec<_>>())
                }
            };
        }
        assert_eq!(next(&present, &goal, &everybody), Step::Done, "from {start}");
        assert_eq!(present, membership(&[&[2, 3, 4]], &[5]), "from {start}");
    }
}
