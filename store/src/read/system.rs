//! Reading group 0: what the cluster knows of itself. Elsewhere all of it is empty, save the
//! cluster's identity.

use types::ids::{GroupId, NodeId, WalletId};
use types::node::NodeInfo;

use super::Reader;
use crate::fault::Fault;
use crate::formats::FIRST_LEVEL;
use crate::keys::{Home, Key};
use crate::rows::{BackupRow, ClusterRow, EpochRow, LevelRow, PlacementRow, SlotMapRow};

/// Every method fails as [`Reader::applied`] does.
impl Reader {
    /// The cluster's identity; none before it began.
    pub fn cluster(&self) -> Result<Option<ClusterRow>, Fault> {
        self.get(&Key::Cluster)
    }

    /// A node of the registry, removed or not.
    pub fn node(&self, node: NodeId) -> Result<Option<NodeInfo>, Fault> {
        self.get(&Key::Node(node))
    }

    /// Every node that was ever registered, by id.
    pub fn nodes(&self) -> Result<Vec<NodeInfo>, Fault> {
        self.collect((Key::Node(NodeId(0)), Key::Node(NodeId(u64::MAX))), |_, node| node)
    }

    /// Where the replicas of a group should be.
    pub fn placement(&self, group: GroupId) -> Result<Option<PlacementRow>, Fault> {
        self.get(&Key::Placement(group))
    }

    /// The desired placement of every group, by group.
    pub fn placements(&self) -> Result<Vec<(GroupId, PlacementRow)>, Fault> {
        let range = (Key::Placement(GroupId(0)), Key::Placement(GroupId(u32::MAX)));
        let placed = self.collect(range, |key, row| match key {
            Key::Placement(group) => Some((group, row)),
            _ => None,
        })?;
        Ok(placed.into_iter().flatten().collect())
    }

    /// Which group owns which slots of a region; none if the cluster does not serve it.
    pub fn slot_map(&self, region: u8) -> Result<Option<SlotMapRow>, Fault> {
        self.get(&Key::SlotMap(region))
    }

    /// The group that owns a wallet; none if the cluster does not serve its region.
    pub fn group_of(&self, wallet: WalletId) -> Result<Option<GroupId>, Fault> {
        let map = self.slot_map(wallet.region())?;
        Ok(map.and_then(|map| map.group(Home::of(wallet).slot())))
    }

    /// The last backup that was taken, or with `verified` the last that was compared.
    pub fn backup(&self, verified: bool) -> Result<Option<BackupRow>, Fault> {
        self.get(&Key::Backup(verified.into()))
    }

    /// The format level that the cluster has begun.
    pub fn level(&self) -> Result<u8, Fault> {
        let row = self.get::<LevelRow>(&Key::Level)?;
        Ok(row.map_or(FIRST_LEVEL, |row| row.level))
    }

    /// The format levels that nodes have announced, by node; none for a node that has not yet.
    pub fn node_levels(&self) -> Result<Vec<(NodeId, u8)>, Fault> {
        let range = (Key::NodeLevel(NodeId(0)), Key::NodeLevel(NodeId(u64::MAX)));
        let known = self.collect(range, |key, row: LevelRow| match key {
            Key::NodeLevel(node) => Some((node, row.level)),
            _ => None,
        })?;
        Ok(known.into_iter().flatten().collect())
    }

    /// The key epochs, by number from 1 on.
    pub fn epochs(&self) -> Result<Vec<EpochRow>, Fault> {
        self.collect((Key::Epoch(0), Key::Epoch(u32::MAX)), |_, epoch| epoch)
    }
}
