//! Big-endian layouts shared by the log's values and the messages between peers.
//!
//! Reading is bounded by what is there: every length is checked before anything is copied, and a
//! layout that leaves bytes over is refused. Payloads are slices of the buffer they came in.

use bytes::{BufMut, Bytes, BytesMut};

use crate::bounds;

/// Why bytes from a disk or a peer are not what they should be. Holds no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("decode {what}, byte {at}: {problem}")]
pub(crate) struct DecodeError {
    /// The layout that was being read.
    pub(crate) what: &'static str,
    /// Offset of the first byte that could not be used.
    pub(crate) at: usize,
    /// What is wrong with it.
    pub(crate) problem: &'static str,
}

const NEWER: &str = "written by a newer version of Holdfast";

impl DecodeError {
    /// Whether nothing is damaged, and this build is too old.
    pub(crate) fn is_of_a_newer_version(&self) -> bool {
        self.problem == NEWER
    }
}

/// Takes a layout apart from front to back.
pub(crate) struct Reader {
    what: &'static str,
    bytes: Bytes,
    at: usize,
}

impl Reader {
    pub(crate) fn new(what: &'static str, bytes: Bytes) -> Self {
        Reader { what, bytes, at: 0 }
    }

    /// Of a file that begins with `magic` and ends with the CRC-32C of all before it.
    pub(crate) fn checked(
        what: &'static str,
        magic: &[u8; 8],
        bytes: Bytes,
    ) -> Result<Self, DecodeError> {
        let mut whole = Reader::new(what, bytes);
        let body = whole.bytes(whole.bytes.len().saturating_sub(4))?;
        if whole.u32()? != crc32c::crc32c(&body) {
            return Err(whole.error("its checksum does not hold"));
        }
        let mut reader = Reader::new(what, body);
        match reader.array::<8>()? == *magic {
            true => Ok(reader),
            false => Err(reader.error("it does not begin as it should")),
        }
    }

    /// The error that stands at the present place.
    pub(crate) fn error(&self, problem: &'static str) -> DecodeError {
        DecodeError { what: self.what, at: self.at, problem }
    }

    /// The next `length` bytes, sharing the buffer.
    pub(crate) fn bytes(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err(self.error("ends too early")) };
        let part = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(part)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let part = self.bytes(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&part);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A term or an index: eight bytes, below the bound of all of them.
    pub(crate) fn ordinal(&mut self) -> Result<u64, DecodeError> {
        let at = self.at;
        Some(self.u64()?).filter(|number| bounds::is_lawful(*number)).ok_or(DecodeError {
            what: self.what,
            at,
            problem: bounds::BEYOND,
        })
    }

    /// 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError { what: self.what, at: self.at - 1, problem: "not a flag" }),
        }
    }

    /// A text of at most 255 bytes with its length before it.
    pub(crate) fn text(&mut self) -> Result<String, DecodeError> {
        let length = usize::from(self.u8()?);
        let part = self.bytes(length)?;
        String::from_utf8(part.to_vec()).map_err(|_| self.error("not UTF-8"))
    }

    /// Bytes with a four-byte length before them.
    pub(crate) fn sized(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.u32()? as usize;
        self.bytes(length)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        let part = self.bytes.slice(self.at..);
        self.at = self.bytes.len();
        part
    }

    /// Refuses an item of a set that does not follow the last one: a set has one form.
    pub(crate) fn ascends<T: Ord>(&self, last: Option<&T>, next: &T) -> Result<(), DecodeError> {
        match last {
            Some(last) if last >= next => Err(self.error("not in ascending order")),
            _ => Ok(()),
        }
    }

    /// Refuses a version that this build does not write.
    pub(crate) fn version(&mut self, known: u8) -> Result<(), DecodeError> {
        match self.u8()? {
            version if version == known => Ok(()),
            version if version > known => Err(self.error(NEWER)),
            _ => Err(self.error("unknown version")),
        }
    }

    /// Nothing may be left over.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.error("bytes left over")) }
    }
}

/// Builds a layout from front to back.
#[derive(Default)]
pub(crate) struct Writer(BytesMut);

impl Writer {
    pub(crate) fn new() -> Self {
        Writer::default()
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Writer(BytesMut::with_capacity(capacity))
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.put_u8(value);
        self
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.0.put_u16(value);
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.put_u32(value);
        self
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.put_u64(value);
        self
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.put_slice(bytes);
        self
    }

    /// A text, cut at 255 bytes: names are checked for length where they enter.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        let mut end = text.len().min(255);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.u8(end as u8).bytes(&text.as_bytes()[..end])
    }

    pub(crate) fn sized(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(bytes.len() as u32).bytes(bytes)
    }

    pub(crate) fn finish(self) -> Bytes {
        self.0.freeze()
    }

    /// With the CRC-32C of everything behind it, as [`Reader::checked`] wants it.
    pub(crate) fn finish_checked(mut self) -> Vec<u8> {
        let checksum = crc32c::crc32c(&self.0);
        self.u32(checksum);
        self.0.to_vec()
    }
}
