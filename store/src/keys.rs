//! The keys of the columns `State` and `Meta`, one enum each.
//!
//! Every key of the state begins with the same fifteen bytes:
//!
//! ```text
//! group u32 ‖ incarnation u64 ‖ slot u16 ‖ table u8 ‖ rest        big-endian, at most 64 bytes in all
//! ```
//!
//! so that a group, a life of a group (see [`crate::snapshot`]), a slot, a table and a wallet are each
//! one range, and a slot can later move to another group as a range. Rows that belong to the group
//! and to no wallet stand in slot `ffff`, behind all slots. The bytes sort as the values do, and
//! decoding an encoding gives the value back. Never serde.
//!
//! Table numbers stand in one list below and are never reused.

use types::ids::{GroupId, Locator, NodeId, RecordId, RequestId, Slot, WalletId};
use types::layout::{FormatError, Problem, Reader};

use crate::act::Caller;

mod bytes;
#[cfg(test)]
mod tests;

pub use bytes::KeyBytes;
use bytes::KeyWriter;

/// The slot number of rows that belong to the group itself.
const GROUP_SLOT: u16 = 0xffff;
const WHAT: &str = "state key";

/// Whose keys: one life of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The group.
    pub group: GroupId,
    /// Which life of the group's keys; every installed snapshot begins a new one.
    pub incarnation: u64,
}

impl Prefix {
    /// The range of all its keys: from the first, up to but without the second.
    pub fn range(self) -> (KeyBytes, KeyBytes) {
        let end = match self.incarnation.checked_add(1) {
            Some(next) => Prefix { incarnation: next, ..self },
            None => Prefix { group: GroupId(self.group.0 + 1), incarnation: 0 },
        };
        (self.start().finish(), end.start().finish())
    }

    fn start(self) -> KeyWriter {
        KeyWriter::default().fixed(&self.group.0.to_be_bytes()).u64(self.incarnation)
    }
}

/// Where a wallet lives: itself and its slot, which costs a hash to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home {
    slot: Slot,
    wallet: WalletId,
}

impl Home {
    /// The home of a wallet.
    pub fn of(wallet: WalletId) -> Self {
        Home { slot: Slot::of(&wallet), wallet }
    }

    /// The wallet.
    pub fn wallet(self) -> WalletId {
        self.wallet
    }

    /// Its slot.
    pub fn slot(self) -> Slot {
        self.slot
    }
}

/// A key of a group's replicated state, behind its [`Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A wallet's head and counters.
    Wallet(Home),
    /// A wallet's members.
    Membership(Home),
    /// One sealed link, by its number.
    Link(Home, u32),
    /// A wallet's data key, wrapped.
    DataKey(Home),
    /// What the head says of a record: version, hash, size.
    Entry(Home, RecordId),
    /// A record's sealed body.
    Body(Home, RecordId),
    /// The hash of a head, by its sequence number; also the receipt of the push that made it.
    HeadHash(Home, u64),
    /// A whole head that a device did not sign, or the one below it, by its sequence number.
    Trail(Home, u64),
    /// A removed record.
    Tombstone(Home, RecordId),
    /// Which record was removed at which place among the wallet's removals, so that the oldest can go.
    TombstoneOrder(Home, u64),
    /// How far a wallet's links are known to have gone beyond the backup that it was restored from.
    Floor(Home),
    /// How far the group has come. Not part of the digest, which it holds.
    Applied,
    /// The group's clock and counters.
    Standing,
    /// The limits that apply keeps.
    Policy,
    /// The slots that the group owns.
    Slots,
    /// The wallets in which a locator stands.
    Locator(Locator),
    /// An audit leaf, by its number.
    AuditLeaf(u64),
    /// A node of the audit tree above the leaves: level from 1, and place on its level.
    AuditNode(u8, u64),
    /// What an act answered, by who asked and under which id.
    Receipt(Caller, RequestId),
    /// Which receipt came at which place, so that the oldest can go.
    ReceiptOrder(u64),
    /// Which wallet's links grew, by place: see [`crate::journal`].
    Journal(u64),
    /// The place of the next entry of the journal.
    JournalEnd,
    /// The backup that the group was restored from, and how far.
    Restore,
    /// The cluster's identity. Group 0, as all that follow.
    Cluster,
    /// A node of the registry.
    Node(NodeId),
    /// Where a group's replicas should be.
    Placement(GroupId),
    /// Which group owns which slots of a region.
    SlotMap(u8),
    /// A key epoch.
    Epoch(u32),
    /// The last backup that was taken (0), or restored elsewhere and compared (1).
    Backup(u8),
    /// The format level that the cluster has begun.
    Level,
    /// The format level that a node's program knows.
    NodeLevel(NodeId),
}

impl Key {
    /// The number of its table, on disk for ever.
    const fn table(&self) -> u8 {
        match self {
            Key::Wallet(_) => 1,
            Key::Membership(_) => 2,
            Key::Link(..) => 3,
            Key::DataKey(_) => 4,
            Key::Entry(..) => 5,
            Key::Body(..) => 6,
            Key::HeadHash(..) => 7,
            Key::Trail(..) => 8,
            Key::Tombstone(..) => 9,
            Key::TombstoneOrder(..) => 10,
            Key::Floor(_) => 11,
            Key::Applied => 32,
            Key::Standing => 33,
            Key::Policy => 34,
            Key::Slots => 35,
            Key::Locator(_) => 36,
            Key::AuditLeaf(_) => 37,
            Key::AuditNode(..) => 38,
            Key::Receipt(..) => 39,
            Key::ReceiptOrder(_) => 40,
            Key::Journal(_) => 41,
            Key::JournalEnd => 42,
            Key::Restore => 43,
            Key::Cluster => 48,
            Key::Node(_) => 49,
            Key::Placement(_) => 50,
            Key::SlotMap(_) => 51,
            Key::Epoch(_) => 52,
            Key::Backup(_) => 53,
            Key::Level => 54,
            Key::NodeLevel(_) => 55,
        }
    }

    /// Whether a backup brings the row into another cluster, which has the rest by itself: its
    /// identity, its slots, its nodes, and what was restored into it.
    pub const fn is_restored(&self) -> bool {
        !matches!(
            self,
            Key::Applied
                | Key::Slots
                | Key::Restore
                | Key::Cluster
                | Key::Node(_)
                | Key::Placement(_)
                | Key::SlotMap(_)
                | Key::Epoch(_)
                | Key::Backup(_)
                | Key::Level
                | Key::NodeLevel(_)
        )
    }

    /// What the row under it is called in errors.
    pub const fn kind(&self) -> &'static str {
        match self {
            Key::Wallet(_) => "a wallet",
            Key::Membership(_) => "a membership",
            Key::Link(..) => "a link",
            Key::DataKey(_) => "a data key",
            Key::Entry(..) => "an entry",
            Key::Body(..) => "a body",
            Key::HeadHash(..) => "a head hash",
            Key::Trail(..) => "a head of the trail",
            Key::Tombstone(..) => "a tombstone",
            Key::TombstoneOrder(..) => "the order of tombstones",
            Key::Floor(_) => "a floor",
            Key::Applied => "the applied position",
            Key::Standing => "the group's counters",
            Key::Policy => "the policy",
            Key::Slots => "the group's slots",
            Key::Locator(_) => "a locator",
            Key::AuditLeaf(_) => "an audit leaf",
            Key::AuditNode(..) => "a node of the audit tree",
            Key::Receipt(..) => "a receipt",
            Key::ReceiptOrder(_) => "the order of receipts",
            Key::Journal(_) => "an entry of the journal",
            Key::JournalEnd => "the end of the journal",
            Key::Restore => "a restore",
            Key::Cluster => "the cluster's identity",
            Key::Node(_) => "a node",
            Key::Placement(_) => "a placement",
            Key::SlotMap(_) => "the slot map",
            Key::Epoch(_) => "a key epoch",
            Key::Backup(_) => "a backup",
            Key::Level => "the format level",
            Key::NodeLevel(_) => "a node's format level",
        }
    }

    /// The bytes of the key under `prefix`.
    pub fn encode(&self, prefix: Prefix) -> KeyBytes {
        let slot = self.home().map_or(GROUP_SLOT, |home| home.slot.get());
        let writer = prefix.start().fixed(&slot.to_be_bytes()).u8(self.table());
        let writer = match self.home() {
            Some(home) => writer.fixed(home.wallet.as_bytes()),
            None => writer,
        };
        match self {
            Key::Wallet(_) | Key::Membership(_) | Key::DataKey(_) | Key::Floor(_) => writer,
            Key::Link(_, number) => writer.fixed(&number.to_be_bytes()),
            Key::Entry(_, record) | Key::Body(_, record) | Key::Tombstone(_, record) => {
                writer.fixed(record.as_bytes())
            }
            Key::HeadHash(_, number) | Key::Trail(_, number) | Key::TombstoneOrder(_, number) => {
                writer.u64(*number)
            }
            Key::Applied | Key::Standing | Key::Policy | Key::Slots | Key::Cluster => writer,
            Key::JournalEnd | Key::Restore | Key::Level => writer,
            Key::Locator(locator) => writer.fixed(locator.as_bytes()),
            Key::AuditLeaf(number) | Key::ReceiptOrder(number) | Key::Journal(number) => {
                writer.u64(*number)
            }
            Key::AuditNode(level, number) => writer.u8(*level).u64(*number),
            Key::Receipt(caller, request) => {
                writer.fixed(caller.as_bytes()).fixed(request.as_bytes())
            }
            Key::Node(node) | Key::NodeLevel(node) => writer.u64(node.0),
            Key::Placement(group) => writer.fixed(&group.0.to_be_bytes()),
            Key::SlotMap(region) => writer.u8(*region),
            Key::Backup(kind) => writer.u8(*kind),
            Key::Epoch(epoch) => writer.fixed(&epoch.to_be_bytes()),
        }
        .finish()
    }

    /// The prefix and the key of these bytes, all of them.
    ///
    /// # Errors
    /// When they are not exactly what [`Key::encode`] writes, a wallet in a foreign slot included.
    pub fn decode(bytes: &[u8]) -> Result<(Prefix, Key), FormatError> {
        let mut reader = Reader::new(WHAT, bytes);
        let prefix = Prefix {
            group: GroupId(reader.u32("group")?),
            incarnation: reader.u64("incarnation")?,
        };
        let slot = reader.u16("slot")?;
        let table = reader.u8("table")?;
        let key = if slot == GROUP_SLOT {
            of_group(table, &mut reader)?
        } else {
            of_wallet(table, slot, &mut reader)?
        };
        reader.finish()?;
        Ok((prefix, key))
    }

    pub(crate) fn home(&self) -> Option<Home> {
        match self {
            Key::Wallet(home) | Key::Membership(home) | Key::DataKey(home) | Key::Link(home, _) => {
                Some(*home)
            }
            Key::Entry(home, _) | Key::Body(home, _) | Key::Tombstone(home, _) => Some(*home),
            Key::HeadHash(home, _) | Key::Trail(home, _) | Key::TombstoneOrder(home, _) => {
                Some(*home)
            }
            Key::Floor(home) => Some(*home),
            _ => None,
        }
    }
}

fn of_wallet(table: u8, slot: u16, reader: &mut Reader<'_>) -> Result<Key, FormatError> {
    let home = Home::of(WalletId::from_bytes(reader.fixed("wallet")?));
    reader.require(home.slot.get() == slot, "slot", "the wallet's")?;
    Ok(match table {
        1 => Key::Wallet(home),
        2 => Key::Membership(home),
        3 => Key::Link(home, reader.u32("link")?),
        4 => Key::DataKey(home),
        5 => Key::Entry(home, RecordId::from_bytes(reader.fixed("record")?)),
        6 => Key::Body(home, RecordId::from_bytes(reader.fixed("record")?)),
        7 => Key::HeadHash(home, reader.u64("sequence number")?),
        8 => Key::Trail(home, reader.u64("sequence number")?),
        9 => Key::Tombstone(home, RecordId::from_bytes(reader.fixed("record")?)),
        10 => Key::TombstoneOrder(home, reader.u64("place")?),
        11 => Key::Floor(home),
        _ => return Err(unknown_table()),
    })
}

fn of_group(table: u8, reader: &mut Reader<'_>) -> Result<Key, FormatError> {
    Ok(match table {
        32 => Key::Applied,
        33 => Key::Standing,
        34 => Key::Policy,
        35 => Key::Slots,
        36 => Key::Locator(Locator::from_bytes(reader.fixed("locator")?)),
        37 => Key::AuditLeaf(reader.u64("leaf")?),
        38 => Key::AuditNode(reader.u8("level")?, reader.u64("place")?),
        39 => Key::Receipt(
            Caller::from_bytes(reader.fixed("caller")?),
            RequestId::from_bytes(reader.fixed("request id")?),
        ),
        40 => Key::ReceiptOrder(reader.u64("place")?),
        41 => Key::Journal(reader.u64("place")?),
        42 => Key::JournalEnd,
        43 => Key::Restore,
        48 => Key::Cluster,
        49 => Key::Node(NodeId(reader.u64("node")?)),
        50 => Key::Placement(GroupId(reader.u32("group")?)),
        51 => Key::SlotMap(reader.u8("region")?),
        52 => Key::Epoch(reader.u32("epoch")?),
        53 => Key::Backup(reader.u8("kind")?),
        54 => Key::Level,
        55 => Key::NodeLevel(NodeId(reader.u64("node")?)),
        _ => return Err(unknown_table()),
    })
}

const fn unknown_table() -> FormatError {
    FormatError::new(
        WHAT,
        14,
        Problem::Value { field: "table", allowed: "a table of this release" },
    )
}

/// A key of the column `Meta`. First bytes below 0x80 are this crate's, the others `raft`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaKey {
    /// Which life of a group's keys is the present one: table 1.
    Incarnation(GroupId),
}

impl MetaKey {
    /// The bytes of the key.
    pub fn encode(self) -> KeyBytes {
        match self {
            MetaKey::Incarnation(group) => {
                KeyWriter::default().u8(1).fixed(&group.0.to_be_bytes()).finish()
            }
        }
    }
}
