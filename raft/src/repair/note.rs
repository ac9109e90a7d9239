//! The note that one run leaves for the next, in the file `repair` of a node's directory.
//!
//! ```text
//! 8 "HFNOTE01" | 1 task | task 2, 3: 16 incarnation | task 3: 16 cluster, 8 node, 4 wallet groups, 4+n roster | 4+n reason | 4 CRC-32C
//! task: 1 drop the state | 2 leave the cluster | 3 begin the new life
//! ```
//!
//! A note that cannot be read back means the worst that it can have said before the cluster agreed:
//! leave.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use rand::Rng;
use store::Damage;
use types::{ClusterId, Incarnation, NodeId};

use crate::durable;
use crate::identity::{Identity, Place};
use crate::roster::Roster;
use crate::wire::{DecodeError, Reader, Writer};

const FILE: &str = "repair";
const MAGIC: &[u8; 8] = b"HFNOTE01";

/// What the next start has to do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) task: Task,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Keep log and votes; the state comes from a peer.
    DropState,
    /// Promise nothing, and ask to come back as another.
    Leave {
        /// The machine's next life, if the cluster agrees.
        next: Incarnation,
    },
    /// Wipe everything: the cluster has agreed.
    Begin {
        /// Who the machine is from now on.
        identity: Identity,
        /// Who the others are.
        roster: Roster,
    },
}

/// A life that nobody has had.
pub(crate) fn draw() -> Incarnation {
    let mut incarnation = [0; Incarnation::LEN];
    rand::rng().fill_bytes(&mut incarnation);
    Incarnation::from_bytes(incarnation)
}

impl Note {
    /// About damage that was just found. A database that does not open may have sound promises in it:
    /// whether it does is found out when they are copied.
    pub(crate) fn found(damage: Damage, reason: String) -> Self {
        let task = match damage {
            Damage::State | Damage::Database => Task::DropState,
            Damage::Log => Task::Leave { next: draw() },
        };
        Note { task, reason }
    }

    /// The life that the note speaks of; a new one if it speaks of none.
    pub(crate) fn next(&self) -> Incarnation {
        match &self.task {
            Task::DropState => draw(),
            Task::Leave { next } => *next,
            Task::Begin { identity, .. } => identity.incarnation,
        }
    }

    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let bytes = match fs::read(directory.join(FILE)) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(decode(bytes).unwrap_or_else(|error| Note {
            task: Task::Leave { next: draw() },
            reason: format!("the note about earlier damage cannot be read ({error})"),
        })))
    }

    /// Leaves the note durably. One that says more stays: who must leave does not merely drop state.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        let stands = Note::load(directory)?;
        if self.task == Task::DropState && stands.is_some() {
            return Ok(());
        }
        durable::replace(directory, FILE, &encode(self))
    }

    pub(crate) fn remove(directory: &Path) -> io::Result<()> {
        durable::remove(directory, FILE)
    }
}

pub(crate) fn encode(note: &Note) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(MAGIC);
    match &note.task {
        Task::DropState => writer.u8(1),
        Task::Leave { next } => writer.u8(2).bytes(next.as_bytes()),
        Task::Begin { identity, roster } => {
            let place = identity.place.unwrap_or(Place::NONE);
            writer.u8(3).bytes(identity.incarnation.as_bytes()).bytes(place.cluster.as_bytes());
            writer.u64(place.node.0).u32(place.wallet_groups).sized(&roster.encode())
        }
    };
    writer.sized(note.reason.as_bytes());
    writer.finish_checked()
}

pub(crate) fn decode(bytes: Bytes) -> Result<Note, DecodeError> {
    let mut reader = Reader::checked("note", MAGIC, bytes)?;
    let task = match reader.u8()? {
        1 => Task::DropState,
        2 => Task::Leave { next: Incarnation::from_bytes(reader.array()?) },
        3 => {
            let incarnation = Incarnation::from_bytes(reader.array()?);
            let cluster = ClusterId::from_bytes(reader.array()?);
            let place = Place::checked(cluster, NodeId(reader.u64()?), reader.u32()?)
                .map_err(|problem| reader.error(problem))?;
            let roster = Roster::decode(reader.sized()?)?;
            Task::Begin { identity: Identity { incarnation, place: Some(place) }, roster }
        }
        _ => return Err(reader.error("unknown task")),
    };
    let reason = String::from_utf8_lossy(&reader.sized()?).into_owned();
    reader.finish()?;
    Ok(Note { task, reason })
}
