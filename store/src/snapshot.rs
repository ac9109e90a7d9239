//! A group's whole state on its way to another replica.
//!
//! The sender pins the engine and streams frames ([`SnapshotSource`]); the receiver writes them into
//! a new life of the group's keys, its incarnation ([`SnapshotSink`]), beside the present one, which
//! goes on serving. When the last frame is in and the digest is the announced one, the new life is
//! flushed, one synced write names it ([`crate::Machine::finish_install`]), and the former one is
//! removed. Killed at any step, the group is the old one, the new one, or is fetched again.
//!
//! Frames are drawn in [`mod@format`].

use crate::codec;
use crate::digest::StateDigest;
use crate::engine::{Column, EngineView};
use crate::entry::Position;
use crate::fault::Fault;
use crate::keys::{Key, Prefix};
use crate::rows::{AppliedRow, MembershipAt};
use types::ids::GroupId;

pub mod format;
pub(crate) mod incoming;
mod sink;
mod source;

pub use incoming::SnapshotRefused;
pub use sink::{SnapshotError, SnapshotSink};
pub use source::SnapshotSource;

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The group.
    pub group: GroupId,
    /// The last entry applied.
    pub position: Option<Position>,
    /// The last membership applied, and where it stood.
    pub membership: Option<MembershipAt>,
    /// The digest of every row.
    pub digest: StateDigest,
}

/// How far the state under `prefix` has come; none if it holds nothing.
pub(crate) fn applied(view: &dyn EngineView, prefix: Prefix) -> Result<Option<AppliedRow>, Fault> {
    let Some(value) = view.get(Column::State, &Key::Applied.encode(prefix))? else {
        return Ok(None);
    };
    let row = codec::decode(&value);
    row.map(Some).map_err(|source| Fault::Corrupt {
        column: Column::State,
        kind: Key::Applied.kind(),
        source,
    })
}
