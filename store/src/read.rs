//! The state of a group at one moment.
//!
//! A [`Reader`] pins the engine when it is opened: whatever is read through it belongs together, and
//! nothing applied later is seen. It holds back the reclaiming of space, so it lives for a request,
//! not for a connection. Opening one costs about a microsecond.
//!
//! Whether the moment is recent enough for whoever asks is not decided here: see the read index in
//! `raft`.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use types::ids::GroupId;

use crate::digest::{PairHash, StateDigest};
use crate::engine::{Column, Direction, Engine, EngineView};
use crate::entry::{Applied, Position};
use crate::fault::Fault;
use crate::keys::{Key, KeyBytes, Prefix};
use crate::machine::incarnation;
use crate::machine::view::decode;
use crate::rows::AppliedRow;
use crate::snapshot;

mod audit;
mod group;
mod journal;
mod system;
mod wallet;

pub use wallet::{Changes, StoredWallet};

/// The state of one group, as it was when this was opened.
pub struct Reader {
    view: Arc<dyn EngineView>,
    prefix: Prefix,
}

impl Reader {
    /// Pins the present state of `group`. Needs no [`crate::Machine`], so reading never waits for one.
    ///
    /// # Errors
    /// When the engine fails, or what is stored does not read back.
    pub fn open(engine: &dyn Engine, group: GroupId) -> Result<Self, Fault> {
        let view = engine.snapshot();
        // Read from the pinned moment itself: an install that finishes meanwhile is not seen.
        let incarnation = incarnation::current(&*view, group)?;
        Ok(Reader { view, prefix: Prefix { group, incarnation } })
    }

    /// The group.
    pub fn group(&self) -> GroupId {
        self.prefix.group
    }

    /// How far the state has come.
    ///
    /// # Errors
    /// As every read: [`Fault::Disk`] or [`Fault::Corrupt`].
    pub fn applied(&self) -> Result<Applied, Fault> {
        let AppliedRow { position, membership, .. } = self.applied_row()?;
        Ok(Applied { position, membership: membership.map(|at| (at.position, at.bytes)) })
    }

    /// The last entry applied.
    ///
    /// # Errors
    /// As [`Reader::applied`].
    pub fn position(&self) -> Result<Option<Position>, Fault> {
        self.applied_row().map(|row| row.position)
    }

    /// The digest of the whole state, as it was kept while applying.
    ///
    /// # Errors
    /// As [`Reader::applied`].
    pub fn digest(&self) -> Result<StateDigest, Fault> {
        self.applied_row().map(|row| row.digest)
    }

    /// The digest of the whole state, counted anew from every row: it differs from
    /// [`Reader::digest`] exactly if the disk does not hold what was applied.
    ///
    /// # Errors
    /// As [`Reader::applied`].
    pub fn recount(&self) -> Result<StateDigest, Fault> {
        self.recount_while(&mut || true).map(Option::unwrap_or_default)
    }

    /// As [`Reader::recount`], for whoever wants to rest in between, or give up: asked before each row,
    /// and once `go_on` says no there is no digest.
    ///
    /// # Errors
    /// As [`Reader::applied`].
    pub fn recount_while(
        &self,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<StateDigest>, Fault> {
        let mut digest = Some(StateDigest::default());
        let applied = Key::Applied.encode(self.prefix);
        let (from, to) = self.prefix.range();
        self.view.scan(Column::State, &from, &to, Direction::Forward, &mut |key, value| {
            if !go_on() {
                digest = None;
                return ControlFlow::Break(());
            }
            if let Some(digest) = &mut digest
                && *key != applied[..]
            {
                digest.add(PairHash::of(KeyBytes::digested_of(key), value));
            }
            ControlFlow::Continue(())
        })?;
        Ok(digest)
    }

    fn applied_row(&self) -> Result<AppliedRow, Fault> {
        Ok(snapshot::applied(&*self.view, self.prefix)?.unwrap_or_default())
    }

    fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Fault> {
        let value = self.view.get(Column::State, &key.encode(self.prefix))?;
        value.map(|value| decode(key, &value)).transpose()
    }

    fn expect<T: DeserializeOwned>(&self, key: &Key) -> Result<T, Fault> {
        self.get(key)?.ok_or(Fault::Inconsistent { group: self.group(), what: key.kind() })
    }

    /// What `row` makes of the rows of a range, in order.
    fn collect<T: DeserializeOwned, R>(
        &self,
        range: (Key, Key),
        mut row: impl FnMut(Key, T) -> R,
    ) -> Result<Vec<R>, Fault> {
        let mut rows = Vec::new();
        self.each(range, Direction::Forward, |key, value| {
            rows.push(row(key, value));
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }

    /// Shows the rows from `first` to `last`, both included, of one table.
    fn each<T: DeserializeOwned>(
        &self,
        (first, last): (Key, Key),
        direction: Direction,
        mut visit: impl FnMut(Key, T) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut outcome = Ok(());
        let (from, to) = (first.encode(self.prefix), last.encode(self.prefix).after());
        self.view.scan(Column::State, &from, &to, direction, &mut |key, value| match of_row(
            key, value,
        ) {
            Ok((key, row)) => visit(key, row),
            Err(fault) => {
                outcome = Err(fault);
                ControlFlow::Break(())
            }
        })?;
        outcome
    }
}

fn of_row<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<(Key, T), Fault> {
    let (_, key) = Key::decode(key).map_err(|error| Fault::Corrupt {
        column: Column::State,
        kind: "a key",
        source: crate::codec::DecodeError::Malformed(error.to_string()),
    })?;
    Ok((key, decode(&key, value)?))
}
