//! The replicated state machine and the little it asks of a disk.
//!
//! Three promises, for every group of replicas:
//!
//! * **order**: the same entries in the same order give the same bytes on every node, however they
//!   were cut into batches and however often the node restarted in between;
//! * **atomicity**: what an entry changes, and the position it moves the group to, reach the engine
//!   in one batch of one column, so that a crash shows all of it or none;
//! * **nothing readable**: record bodies, links and data keys arrive as [`types::sealed::Sealed`]
//!   and this crate holds no key that opens one (it does not even depend on the crate that could).
//!
//! The way through the crate: [`Command`] bytes arrive in an [`Entry`], [`Machine::apply`] turns a run
//! of entries into one batch for the [`Engine`] and a [`Reply`] each, a [`Reader`] shows one moment
//! of the result, and a snapshot carries the whole of it to another replica.
//!
//! Failures are sorted by what must happen next. A [`types::rejection::Rejection`] is a lawful
//! answer, equal on every replica, and part of the reply. A [`Fault`] belongs to this node and
//! stops it; it never becomes a reply.
//!
//! Not here: the Raft log (the `raft` crate keeps it, through the same [`Engine`]), signatures and
//! roots (the leader's `api` checks them before it proposes), and any clock or randomness.

pub mod act;
pub mod audit;
pub mod backup;
mod codec;
pub mod command;
pub mod digest;
pub mod engine;
pub mod entry;
pub mod fault;
pub mod formats;
pub mod journal;
pub mod keys;
pub mod machine;
pub mod policy;
pub mod read;
pub mod rows;
pub mod snapshot;

pub use act::{Act, Caller};
pub use audit::{AuditKind, AuditLeaf};
pub use codec::DecodeError;
pub use command::{Command, CommandError, Reply};
pub use digest::StateDigest;
pub use engine::{Batch, Column, Durability, Engine, EngineView};
pub use entry::{Applied, Entry, Payload, Position};
pub use fault::{Damage, Fault};
pub use journal::{Fact, JournalPage};
pub use machine::Machine;
pub use policy::Policy;
pub use read::Reader;
pub use snapshot::{SnapshotError, SnapshotMeta, SnapshotSink, SnapshotSource};
