//! Who this node is: drawn at its first start, kept in its directory, never drawn again.
//!
//! A directory's incarnation is random, so a wiped directory comes back as somebody else and can be
//! told from the one that voted. The cluster and the node's id are added once, when a cluster takes
//! the node in.
//!
//! ```text
//! 8 "HFNODE01" | 16 incarnation | 16 cluster (zero: none yet) | 8 node | 4 wallet groups | 4 CRC-32C
//! ```

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use types::{ClusterId, GroupId, Incarnation, NodeId};

use crate::durable;
use crate::log::marks::Marks;
use crate::repair::note::draw;

const MAGIC: &[u8; 8] = b"HFNODE01";
pub(crate) const LENGTH: usize = 56;
const FILE: &str = "node";
const MARKS: &str = "log-marks";

/// Who a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// One life of this directory.
    pub incarnation: Incarnation,
    /// Where it belongs; none while the node is fresh.
    pub place: Option<Place>,
}

/// A node's place in a cluster, given to it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node's id in it, never used for another.
    pub node: NodeId,
    /// How many groups hold wallets; they have the ids from 2 on.
    pub wallet_groups: u32,
}

impl Identity {
    /// Of a directory that cannot say who it was.
    pub(crate) const UNKNOWN: Identity = Identity { incarnation: Incarnation::ZERO, place: None };
}

impl Place {
    /// How many groups can hold wallets.
    pub(crate) const WALLET_GROUPS: RangeInclusive<u32> = 1..=4096;

    /// A place that there can be: every one that was read or received comes from here.
    ///
    /// # Errors
    /// What no cluster has.
    pub(crate) fn checked(
        cluster: ClusterId,
        node: NodeId,
        wallet_groups: u32,
    ) -> Result<Self, &'static str> {
        if cluster.is_zero() {
            return Err("it names no cluster");
        }
        if !Place::WALLET_GROUPS.contains(&wallet_groups) {
            return Err("a cluster has 1 to 4096 wallet groups");
        }
        Ok(Place { cluster, node, wallet_groups })
    }

    /// What stands where there is no place.
    pub(crate) const NONE: Place =
        Place { cluster: ClusterId::ZERO, node: NodeId(0), wallet_groups: 0 };

    /// Every group of the cluster: system, public, and those that hold wallets.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..GroupId::FIRST_WALLET.0.saturating_add(self.wallet_groups)).map(GroupId)
    }
}

/// Why a directory cannot say who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system refused.
    #[error("{action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{path} is damaged or missing; without it nobody knows who this node was")]
    Damaged {
        /// The file.
        path: String,
    },
    /// The directory of another machine's node.
    #[error(
        "the directory {directory} is that of {owner}, and this node is called {name}: it was copied or mounted in \
         the wrong place; give each node its own"
    )]
    OtherMachine {
        /// The directory.
        directory: String,
        /// Whose it is.
        owner: String,
        /// This node's name.
        name: String,
    },
    /// The node was removed for ever.
    #[error(
        "the cluster at {peer} has removed node {node}; its directory must not come back: \
         keep it aside if needed, and let the machine join with an empty one"
    )]
    Removed {
        /// Who said so.
        peer: String,
        /// This node's id.
        node: NodeId,
    },
    /// The cluster knows this node with another directory.
    #[error(
        "the cluster at {peer} knows {name} (node {node}) with another directory than this one: bring that one \
         back, or begin with an empty one, from which the machine comes back under a new id"
    )]
    NameTaken {
        /// Who said so.
        peer: String,
        /// This node's name.
        name: String,
        /// The id under which the cluster knows it.
        node: NodeId,
    },
}

/// Reads and writes the identity of one directory.
pub(crate) struct IdentityFile {
    directory: PathBuf,
}

impl IdentityFile {
    pub(crate) fn new(directory: &Path) -> Self {
        IdentityFile { directory: directory.to_owned() }
    }

    /// Where the log's marks stand.
    pub(crate) fn marks(&self) -> PathBuf {
        self.directory.join(MARKS)
    }

    /// Who this directory is; drawn and written durably if it is a new one.
    pub(crate) fn open(&self) -> Result<Identity, IdentityError> {
        let path = self.directory.join(FILE);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => decode(&bytes)
                .ok_or_else(|| IdentityError::Damaged { path: path.display().to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.draw(),
            Err(source) => Err(io_error("read", &path, source)),
        }
    }

    /// Who this directory is, if that can still be read; draws nothing.
    pub(crate) fn read(&self) -> Option<Identity> {
        decode(&fs::read(self.directory.join(FILE)).ok()?)
    }

    /// Begins a life with nothing of the one before: new marks, then the new identity.
    pub(crate) fn begin(&self, identity: Identity) -> Result<(), IdentityError> {
        for path in [self.directory.join(FILE), self.marks()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", &path, error));
                }
                _ => {}
            }
        }
        let marks = self.marks();
        Marks::create(&marks).map_err(|source| io_error("create", &marks, source))?;
        self.settle(identity)
    }

    /// Gives the node its place, durably, with room for every group's mark: a file of marks that is
    /// shorter from then on has been cut.
    pub(crate) fn settle(&self, identity: Identity) -> Result<(), IdentityError> {
        if let Some(place) = identity.place {
            let marks = self.marks();
            Marks::reserve(&marks, place.groups().count())
                .map_err(|source| io_error("write", &marks, source))?;
        }
        let path = self.directory.join(FILE);
        durable::replace(&self.directory, FILE, &encode(&identity))
            .map_err(|source| io_error("write", &path, source))
    }

    fn draw(&self) -> Result<Identity, IdentityError> {
        let marks = self.marks();
        match Marks::create(&marks) {
            Ok(()) => {}
            // The first start was cut short between the two files: nothing was ever logged.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_new(&marks) => {}
            // Somebody lived here.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = self.directory.join(FILE).display().to_string();
                return Err(IdentityError::Damaged { path });
            }
            Err(source) => return Err(io_error("create", &marks, source)),
        }
        let identity = Identity { incarnation: draw(), place: None };
        self.settle(identity)?;
        Ok(identity)
    }
}

fn is_new(marks: &Path) -> bool {
    fs::metadata(marks).is_ok_and(|found| found.len() <= 64)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> IdentityError {
    IdentityError::Io { action, path: path.display().to_string(), source }
}

pub(crate) fn encode(identity: &Identity) -> Vec<u8> {
    let place = identity.place.unwrap_or(Place::NONE);
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(identity.incarnation.as_bytes());
    bytes.extend_from_slice(place.cluster.as_bytes());
    bytes.extend_from_slice(&place.node.0.to_be_bytes());
    bytes.extend_from_slice(&place.wallet_groups.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Option<Identity> {
    let (body, checksum) = bytes.split_at_checked(LENGTH - 4)?;
    if crc32c::crc32c(body).to_be_bytes() != checksum || !body.starts_with(MAGIC) {
        return None;
    }
    let incarnation = Incarnation::parse(body.get(8..24)?).ok()?;
    let cluster = ClusterId::parse(body.get(24..40)?).ok()?;
    let node = NodeId(u64::from_be_bytes(body.get(40..48)?.try_into().ok()?));
    let wallet_groups = u32::from_be_bytes(body.get(48..52)?.try_into().ok()?);
    let place = match cluster.is_zero() {
        true => None,
        false => Some(Place::checked(cluster, node, wallet_groups).ok()?),
    };
    Some(Identity { incarnation, place })
}

#[cfg(test)]
mod tests;
