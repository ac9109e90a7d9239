//! The frames of a snapshot.
//!
//! ```text
//! frame   = "HFsn" ‖ fmt 01 ‖ kind u8 ‖ number u64 ‖ length u32 ‖ payload ‖ crc32c u32      big-endian
//!
//! kind 1, header, once, first:
//!   group u32 ‖ position ‖ membership ‖ digest 32
//!   position   = 00, or 01 ‖ term u64 ‖ leader u64 ‖ index u64
//!   membership = 00, or 01 ‖ term u64 ‖ leader u64 ‖ index u64 ‖ length u32 ‖ bytes
//! kind 2, rows, any number of times:
//!   (key length u8 ‖ key ‖ value length u32 ‖ value)*     at least one; keys strictly ascending, across frames too
//! kind 3, end, once, last:
//!   rows u64
//! ```
//!
//! `number` counts the frames from 0, so that none is lost, repeated or moved. The checksum is
//! CRC-32C over everything before it; it finds damage in transit, and the digest finds the rest. A
//! key stands without group and incarnation; the row that says how far the group has come is not
//! among the rows, because the header says it. A value is as [`crate::rows`] stores it.

use types::ids::GroupId;
use types::layout::{FORMAT, FormatError, Problem, Reader, Writer};

use super::SnapshotMeta;
use crate::digest::StateDigest;
use crate::entry::Position;
use crate::keys::KeyBytes;
use crate::rows::MembershipAt;

const MAGIC: &[u8; 4] = b"HFsn";
const WHAT: &str = "snapshot frame";
/// The kinds of frames are the numbers from 1 to this.
const KINDS: u8 = 3;
/// What stands around a payload, in bytes.
const AROUND: usize = 4 + 1 + 1 + 8 + 4 + 4;

/// A frame of rows is closed when its payload has reached this many bytes.
pub const FRAME_TARGET: usize = 256 << 10;
/// No frame has more bytes: its target, and one row that no limit of today comes near.
pub const FRAME_MAX: usize = FRAME_TARGET + (32 << 20);

/// A key, without group and incarnation, and its value.
pub(crate) type Row<'a> = (&'a [u8], &'a [u8]);

/// A frame, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Header(SnapshotMeta),
    Rows(Vec<Row<'a>>),
    End { rows: u64 },
}

pub(super) fn header(meta: &SnapshotMeta) -> Vec<u8> {
    frame(0, 1, &write_meta(Writer::default(), meta).finish())
}

/// The payload of a header.
pub(crate) fn write_meta(writer: Writer, meta: &SnapshotMeta) -> Writer {
    let writer = writer.u32(meta.group.0);
    let writer = match &meta.position {
        None => writer.u8(0),
        Some(at) => position(writer.u8(1), at),
    };
    let writer = match &meta.membership {
        None => writer.u8(0),
        Some(at) => {
            position(writer.u8(1), &at.position).u32(at.bytes.len() as u32).bytes(&at.bytes)
        }
    };
    writer.bytes(meta.digest.to_bytes())
}

/// Appends a row to the payload of a frame.
pub(crate) fn push_row(payload: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    payload.push(key.len() as u8); // Keys are shorter than `KeyBytes::MAX`.
    payload.extend_from_slice(key);
    payload.extend_from_slice(&(value.len() as u32).to_be_bytes()); // The codec bounds values.
    payload.extend_from_slice(value);
}

pub(super) fn rows(number: u64, payload: &[u8]) -> Vec<u8> {
    frame(number, 2, payload)
}

pub(super) fn end(number: u64, rows: u64) -> Vec<u8> {
    frame(number, 3, &rows.to_be_bytes())
}

fn frame(number: u64, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Writer::with_capacity(AROUND + payload.len())
        .bytes(MAGIC)
        .u8(FORMAT)
        .u8(kind)
        .u64(number)
        .u32(payload.len() as u32)
        .bytes(payload)
        .finish();
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

fn position(writer: Writer, at: &Position) -> Writer {
    writer.u64(at.term).u64(at.leader).u64(at.index)
}

/// The frame of these bytes, all of them, which must be the one of this number.
pub(super) fn parse(bytes: &[u8], expected: u64) -> Result<Frame<'_>, FormatError> {
    let mut reader = Reader::new(WHAT, bytes);
    reader.require(bytes.len() <= FRAME_MAX, "length", "that of a frame")?;
    if reader.fixed::<4>("magic")? != *MAGIC {
        return Err(reader.error(Problem::Magic));
    }
    let format = reader.u8("format")?;
    if format != FORMAT {
        return Err(reader.unknown("format", format.into(), FORMAT.into()));
    }
    let kind = reader.u8("kind")?;
    if !(1..=KINDS).contains(&kind) {
        return Err(reader.unknown("kind", kind.into(), KINDS.into()));
    }
    let number = reader.u64("number")?;
    reader.require(number == expected, "number", "the next frame's")?;
    let length = reader.u32("length")?;
    let payload = reader.part(WHAT, length as usize)?;
    let covered = bytes.len() - reader.remaining();
    let checksum = reader.u32("checksum")?;
    reader.require(
        checksum == crc32c::crc32c(&bytes[..covered]),
        "checksum",
        "that of the frame's bytes",
    )?;
    reader.finish()?;
    match kind {
        1 => read_header(payload).map(Frame::Header),
        2 => read_rows(payload).map(Frame::Rows),
        _ => read_end(payload),
    }
}

fn read_header(mut reader: Reader<'_>) -> Result<SnapshotMeta, FormatError> {
    let meta = read_meta(&mut reader)?;
    reader.finish()?;
    Ok(meta)
}

/// The payload of a header, in front of whatever follows.
pub(crate) fn read_meta(reader: &mut Reader<'_>) -> Result<SnapshotMeta, FormatError> {
    let group = GroupId(reader.u32("group")?);
    let position = if present(reader, "position")? { Some(read_position(reader)?) } else { None };
    let membership = if present(reader, "membership")? {
        let position = read_position(reader)?;
        let length = reader.u32("membership length")?;
        let bytes = reader.bytes("membership", length as usize)?.to_vec();
        Some(MembershipAt { position, bytes })
    } else {
        None
    };
    let digest = StateDigest::from_bytes(reader.fixed("digest")?);
    Ok(SnapshotMeta { group, position, membership, digest })
}

fn present(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, FormatError> {
    let flag = reader.u8(field)?;
    reader.require(flag <= 1, field, "there (1) or not (0)")?;
    Ok(flag == 1)
}

fn read_position(reader: &mut Reader<'_>) -> Result<Position, FormatError> {
    Ok(Position {
        term: reader.u64("term")?,
        leader: reader.u64("leader")?,
        index: reader.u64("index")?,
    })
}

/// The rows of these bytes, all of them: what the payload of a frame of rows is.
pub(crate) fn parse_rows(bytes: &[u8]) -> Result<Vec<Row<'_>>, FormatError> {
    read_rows(Reader::new("rows", bytes))
}

fn read_rows(mut reader: Reader<'_>) -> Result<Vec<Row<'_>>, FormatError> {
    let mut rows = Vec::new();
    while rows.is_empty() || reader.remaining() > 0 {
        let length = reader.u8("key length")?;
        reader.require(usize::from(length) <= KeyBytes::MAX, "key length", "that of a key")?;
        let key = reader.bytes("key", length.into())?;
        let length = reader.u32("value length")?;
        rows.push((key, reader.bytes("value", length as usize)?));
    }
    Ok(rows)
}

fn read_end(mut reader: Reader<'_>) -> Result<Frame<'static>, FormatError> {
    let rows = reader.u64("number of rows")?;
    reader.finish()?;
    Ok(Frame::End { rows })
}
