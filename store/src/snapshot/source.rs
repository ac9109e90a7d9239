//! The sender's side: a pinned moment, frame by frame.

use std::ops::ControlFlow;
use std::sync::Arc;

use types::ids::GroupId;

use super::{SnapshotMeta, applied, format};
use crate::engine::{Column, Direction, Engine, EngineView};
use crate::fault::Fault;
use crate::keys::{Key, KeyBytes, Prefix};
use crate::machine::incarnation;

/// A group's state at one moment, to be sent.
///
/// Holds the engine's snapshot until it is dropped, and with it the space of whatever is overwritten
/// meanwhile: for the length of one stream, no longer.
pub struct SnapshotSource {
    view: Arc<dyn EngineView>,
    prefix: Prefix,
    meta: SnapshotMeta,
    /// How many frames were given.
    frames: u64,
    /// How many rows were given.
    rows: u64,
    stage: Stage,
}

enum Stage {
    Header,
    /// The first key that was not given yet.
    Rows(Vec<u8>),
    End,
    Done,
}

impl SnapshotSource {
    /// Pins the present state of `group`. Needs no [`crate::Machine`].
    ///
    /// # Errors
    /// When the engine fails, or what is stored does not read back.
    pub fn open(engine: &dyn Engine, group: GroupId) -> Result<Self, Fault> {
        let view = engine.snapshot();
        let prefix = Prefix { group, incarnation: incarnation::current(&*view, group)? };
        let applied = applied(&*view, prefix)?.unwrap_or_default();
        let meta = SnapshotMeta {
            group,
            position: applied.position,
            membership: applied.membership,
            digest: applied.digest,
        };
        Ok(SnapshotSource { view, prefix, meta, frames: 0, rows: 0, stage: Stage::Header })
    }

    /// Whether reading it may wait for a device: [`EngineView::blocks`].
    pub fn blocks(&self) -> bool {
        self.view.blocks()
    }

    /// What it is of.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// The next frame, of at most [`format::FRAME_MAX`] bytes; none after the last.
    ///
    /// # Errors
    /// [`Fault::Disk`].
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let frame = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Header => {
                self.stage = Stage::Rows(self.prefix.range().0.to_vec());
                format::header(&self.meta)
            }
            Stage::Rows(from) => match self.rows_from(&from)? {
                Some(frame) => frame,
                None => format::end(self.frames, self.rows),
            },
            Stage::End => format::end(self.frames, self.rows),
            Stage::Done => return Ok(None),
        };
        self.frames += 1;
        Ok(Some(frame))
    }

    /// The next frame of rows, if any are left.
    fn rows_from(&mut self, from: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let applied = Key::Applied.encode(self.prefix);
        let (mut payload, mut rows) = (Vec::new(), 0);
        self.stage = Stage::End;
        let stage = &mut self.stage;
        let (_, to) = self.prefix.range();
        self.view.scan(Column::State, from, &to, Direction::Forward, &mut |key, value| {
            if payload.len() >= format::FRAME_TARGET {
                *stage = Stage::Rows(key.to_vec());
                return ControlFlow::Break(());
            }
            if *key != applied[..] {
                format::push_row(&mut payload, KeyBytes::digested_of(key), value);
                rows += 1;
            }
            ControlFlow::Continue(())
        })?;
        if rows == 0 {
            self.stage = Stage::Done;
            return Ok(None);
        }
        self.rows += rows;
        Ok(Some(format::rows(self.frames, &payload)))
    }
}
