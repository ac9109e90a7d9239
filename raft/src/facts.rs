//! What group 0 says of the cluster, kept at hand: placements, slots, and what is allowed.

use std::collections::BTreeMap;

use store::rows::{ClusterRow, PlacementRow, SlotMapRow};
use store::{Fault, Reader};
use types::{GroupId, NodeId, Slot, WalletId};

use crate::roster::Roster;

/// The cluster as this node's replica of group 0 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// None before the cluster began.
    pub(crate) cluster: Option<ClusterRow>,
    pub(crate) placements: BTreeMap<GroupId, PlacementRow>,
    slots: BTreeMap<u8, SlotMapRow>,
    /// The format level that the cluster has begun; 0 before it is known.
    pub(crate) level: u8,
    /// The levels that nodes have announced.
    pub(crate) levels: BTreeMap<NodeId, u8>,
}

impl Facts {
    /// Reads them, and the registry with them.
    pub(crate) fn read(reader: &Reader) -> Result<(Self, Roster), Fault> {
        let cluster = reader.cluster()?;
        let mut slots = BTreeMap::new();
        for region in cluster.iter().flat_map(|cluster| &cluster.regions) {
            if let Some(map) = reader.slot_map(*region)? {
                slots.insert(*region, map);
            }
        }
        let placements = reader.placements()?.into_iter().collect();
        let (level, levels) = (reader.level()?, reader.node_levels()?.into_iter().collect());
        let facts = Facts { cluster, placements, slots, level, levels };
        Ok((facts, Roster::new(reader.nodes()?)))
    }

    /// The group that owns a wallet's slot.
    pub(crate) fn group_of(&self, wallet: &WalletId) -> Option<GroupId> {
        self.slots.get(&wallet.region())?.group(Slot::of(wallet))
    }

    /// Whether voters may stand in one data centre.
    pub(crate) fn allow_single_dc(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.allow_single_dc)
    }

    /// Whether a placement names the node.
    pub(crate) fn places(&self, node: NodeId) -> bool {
        self.placements
            .values()
            .any(|placed| placed.voters.contains(&node) || placed.learners.contains(&node))
    }
}
