#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::types::{LogId, Replica, leader_id};

const NODES: [u64; 4] = [1, 2, 3, 4];
const MAJORITY: usize = 3;

/// What may happen to four voters, two in each data centre.
#[derive(Clone, Debug)]
enum Event {
    /// A node asks those in the set for their votes.
    Campaign(usize, [bool; 4]),
    /// Whoever thinks it leads appends an entry.
    Append(usize),
    /// A leader sends a follower its log up to some length.
    Send(usize, usize, usize),
    /// A leader looks what has come to be committed.
    Commit(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let node = 0..4_usize;
    prop_oneof![
        2 => (node.clone(), any::<[bool; 4]>()).prop_map(|(node, set)| Event::Campaign(node, set)),
        3 => node.clone().prop_map(Event::Append),
        6 => (node.clone(), node.clone(), 0..12_usize)
            .prop_map(|(from, to, length)| Event::Send(from, to, length)),
        3 => node.prop_map(Event::Commit),
    ]
}

#[derive(Clone, Default)]
struct Replicated {
    term: u64,
    leads: bool,
    /// The term of each entry: of one term there is one leader, so that names them.
    log: Vec<u64>,
}

/// Raft as in its paper, figure 2, without anything that time does.
#[derive(Default)]
struct Cluster {
    nodes: [Replicated; 4],
    voted: BTreeMap<u64, u64>,
    committed: Vec<u64>,
}

impl Cluster {
    fn happen(&mut self, event: Event) {
        match event {
            Event::Campaign(node, set) => self.campaign(node, set),
            Event::Append(node) => {
                let node = &mut self.nodes[node];
                if node.leads {
                    node.log.push(node.term);
                }
            }
            Event::Send(from, to, length) => self.send(from, to, length),
            Event::Commit(node) => self.commit(node),
        }
    }

    fn campaign(&mut self, node: usize, set: [bool; 4]) {
        let term = self.nodes[node].term + 1;
        let end = |log: &[u64]| (log.last().copied(), log.len());
        let own = end(&self.nodes[node].log);
        let mut votes = 0;
        for (number, voter) in self.nodes.iter_mut().enumerate() {
            if (number == node || set[number]) && voter.term < term {
                (voter.term, voter.leads) = (term, false);
                votes += usize::from(end(&voter.log) <= own);
            }
        }
        if votes >= MAJORITY {
            assert_eq!(self.voted.insert(term, node as u64), None, "one leader per term");
            self.nodes[node].leads = true;
        }
    }

    fn send(&mut self, from: usize, to: usize, length: usize) {
        let leader = self.nodes[from].clone();
        if from == to || !leader.leads || self.nodes[to].term > leader.term {
            return;
        }
        let follower = &mut self.nodes[to];
        (follower.term, follower.leads) = (leader.term, false);
        let sent = &leader.log[..length.min(leader.log.len())];
        let same = sent.iter().zip(&follower.log).take_while(|(a, b)| a == b).count();
        if same < sent.len() {
            follower.log.truncate(same);
            follower.log.extend_from_slice(&sent[same..]);
        }
    }

    fn commit(&mut self, node: usize) {
        let leader = &self.nodes[node];
        if !leader.leads {
            return;
        }
        for length in (1..=leader.log.len()).rev() {
            let has = |other: &&Replicated| {
                other.term == leader.term && other.log.get(..length) == Some(&leader.log[..length])
            };
            let replicated = self.nodes.iter().filter(has).count() >= MAJORITY;
            if replicated && leader.log[length - 1] == leader.term && length > self.committed.len()
            {
                self.committed = leader.log[..length].to_vec();
                return;
            }
        }
    }

    fn standings(&self, of: [usize; 2]) -> BTreeMap<NodeId, Standing> {
        let nodes = BTreeMap::from(NODES.map(|id| (id, Replica { dc: "a".to_owned() })));
        let membership = Membership::new(vec![NODES.into()], nodes).unwrap();
        let standing = |at: usize| {
            let node = &self.nodes[at];
            let last = node.log.last().map(|term| {
                LogId::new(leader_id(*term, self.voted[term] + 1), node.log.len() as u64 - 1)
            });
            (NodeId(NODES[at]), Standing { term: node.term, last, membership: membership.clone() })
        };
        of.map(standing).into()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// The claim of the plan that people approve: of two survivors out of four, the one that is chosen has
    /// every entry that was ever committed, and no leader ever had the term after the highest they voted in.
    #[test]
    fn the_furthest_survivor_has_everything_committed(
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut cluster = Cluster::default();
        for event in events {
            cluster.happen(event);
        }
        for survivors in [[0, 1], [2, 3]] {
            let standings = cluster.standings(survivors);
            let (chosen, _) = furthest(&standings).unwrap();
            let log = &cluster.nodes[chosen.0 as usize - 1].log;
            prop_assert_eq!(log.get(..cluster.committed.len()), Some(&cluster.committed[..]));
            let highest = standings.values().map(|standing| standing.term).max().unwrap();
            prop_assert!(cluster.voted.keys().all(|term| *term <= highest));
        }
    }
}

fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

#[test]
fn a_majority_that_is_lost_may_have_committed_alone() {
    let sets = |list: &[&[u64]]| list.iter().map(|ids| set(ids)).collect::<Vec<_>>();
    let lost = |list: &[&[u64]], left: &[u64]| nothing_is_lost(&sets(list), &set(left)).is_err();
    assert!(!lost(&[&[1, 2, 3, 4]], &[1, 2]));
    assert!(lost(&[&[1, 2, 3, 4]], &[1]));
    assert!(lost(&[&[1, 2, 3]], &[1]));
    assert!(!lost(&[&[1, 2, 3]], &[1, 2]));
    // While voters change, each set alone may come to decide.
    assert!(lost(&[&[1, 2, 3, 4], &[1, 3, 4]], &[1, 2]));
    assert!(!lost(&[&[1, 2, 3, 4], &[1, 2, 3]], &[1, 2]));
    let on = |list: &[&[u64]], left: &[u64]| goes_on(&sets(list), &set(left));
    assert!(!on(&[&[1, 2, 3, 4]], &[1, 2]));
    assert!(on(&[&[1, 2, 3]], &[1, 2]));
    assert!(!on(&[&[1, 2, 3], &[1, 2, 3, 4]], &[1, 2]));
}
