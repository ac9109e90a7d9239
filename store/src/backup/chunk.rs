//! Rows cut into chunks where their content says so.
//!
//! ```text
//! chunk = "HFbr" ‖ fmt 01 ‖ (key length u8 ‖ key ‖ value length u32 ‖ value)*      at least one row
//! ```
//!
//! Rows are those of a snapshot's frame, keys ascending. Behind a row a chunk ends with a probability of
//! the row's length by [`TARGET`], drawn from the row's own hash: so the cuts stand where they stood
//! when rows before them change, chunks are about [`TARGET`] long whatever their rows are, and what is
//! in the archive already is not written twice. No chunk ends before [`MIN`], but the last; each ends
//! at [`MAX`] at the latest, or with the row that crosses it.

use types::layout::{FORMAT, FormatError, Problem, Reader};

use super::file_hash;
use crate::digest::PairHash;
use crate::keys::Key;
use crate::snapshot::format::{self, Row};
use crate::snapshot::incoming::state_key;

const MAGIC: &[u8; 4] = b"HFbr";
const WHAT: &str = "chunk of rows";

/// The usual length of a chunk, in bytes.
pub const TARGET: usize = 512 << 10;
/// No chunk but the last is shorter, in bytes.
pub const MIN: usize = TARGET / 8;
/// A chunk ends with the row that brings it to this many bytes.
pub const MAX: usize = TARGET * 4;
/// No chunk is longer: what ends one, and one row that no limit of today comes near.
pub const LONGEST: usize = MAX + format::FRAME_MAX;

/// A chunk, by what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRef {
    /// The SHA-256 of its bytes, which names it.
    pub hash: [u8; 32],
    /// How many bytes.
    pub length: u32,
    /// How many rows.
    pub rows: u32,
}

/// A chunk that is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// What it is called.
    pub name: ChunkRef,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Cuts rows, given in ascending order, into chunks.
#[derive(Default)]
pub(super) struct Chunker {
    bytes: Vec<u8>,
    rows: u32,
}

impl Chunker {
    /// Takes a row in; the chunk that ends with it, if one does.
    pub(super) fn push(&mut self, (key, value): Row<'_>, hash: &PairHash) -> Option<Chunk> {
        if self.rows == 0 {
            self.bytes.extend_from_slice(MAGIC);
            self.bytes.push(FORMAT);
        }
        let before = self.bytes.len();
        format::push_row(&mut self.bytes, key, value);
        self.rows += 1;
        let length = self.bytes.len() - before;
        let full = self.bytes.len() >= MAX;
        let cut = self.bytes.len() >= MIN && ends_chunk(hash, length);
        if full || cut { self.finish() } else { None }
    }

    /// What was taken in since the last chunk ended.
    pub(super) fn finish(&mut self) -> Option<Chunk> {
        let rows = std::mem::take(&mut self.rows);
        let bytes = std::mem::take(&mut self.bytes);
        // Bounded by `LONGEST`, which a u32 holds.
        let length = bytes.len() as u32;
        (rows > 0)
            .then(|| Chunk { name: ChunkRef { hash: file_hash(&bytes), length, rows }, bytes })
    }
}

/// Whether a chunk ends behind a row of `length` bytes.
fn ends_chunk(hash: &PairHash, length: usize) -> bool {
    // A row longer than the target always does.
    hash.bits() < (length as u64).saturating_mul(u64::MAX / TARGET as u64)
}

/// The rows of a chunk, in their order.
///
/// # Errors
/// It is not laid out as a chunk.
pub fn read(bytes: &[u8]) -> Result<Vec<Row<'_>>, FormatError> {
    let mut reader = Reader::new(WHAT, bytes);
    reader.require(bytes.len() <= LONGEST, "length", "that of a chunk")?;
    if reader.fixed::<4>("magic")? != *MAGIC {
        return Err(reader.error(Problem::Magic));
    }
    let format = reader.u8("format")?;
    if format != FORMAT {
        return Err(reader.unknown("format", format.into(), FORMAT.into()));
    }
    format::parse_rows(reader.rest())
}

/// As [`read`], with the rows' keys read.
///
/// # Errors
/// It is not laid out as a chunk, or a key is none.
pub fn read_keyed(bytes: &[u8]) -> Result<Vec<(Key, Row<'_>)>, FormatError> {
    let rows = read(bytes)?.into_iter();
    rows.map(|row| Ok((state_key(row.0)?, row))).collect()
}

/// Appends a row to the bytes that a step of a restore carries.
pub fn push_row(rows: &mut Vec<u8>, (key, value): Row<'_>) {
    format::push_row(rows, key, value);
}
