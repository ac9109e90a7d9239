//! Reading and writing fixed big-endian layouts.
//!
//! Promises: a [`Reader`] never reads past its end and never panics; [`Reader::finish`] refuses what is
//! left over. An error names the object, the byte and the rule, never the content.

use std::fmt;

use thiserror::Error;

use crate::suite::Suite;

/// The one format number in use.
pub const FORMAT: u8 = 1;

/// Why bytes are not the object they were taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what}, byte {offset}: {problem}")]
pub struct FormatError {
    /// The object that was being read.
    pub what: &'static str,
    /// Where the offending field begins, in bytes from the start of the bytes that were given.
    pub offset: usize,
    /// Which rule was broken.
    pub problem: Problem,
}

/// The rule that bytes broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The bytes end before the object does.
    Short {
        /// The field that was to be read.
        field: &'static str,
    },
    /// The object ends before the bytes do.
    Trailing,
    /// Too many or too few bytes for something of fixed length.
    Length {
        /// How many there must be.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// It does not begin with its magic.
    Magic,
    /// A later version of Holdfast made it: whoever reads it needs an update, and must not guess.
    Update {
        /// The field that says so.
        field: &'static str,
        /// What it says.
        found: u32,
        /// The highest that this version knows.
        known: u32,
    },
    /// A field that must not be zero is.
    Zero {
        /// The field.
        field: &'static str,
    },
    /// A field has another value than the only one allowed here, or lies outside its bounds.
    Value {
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A list is not strictly ascending.
    Unsorted {
        /// The list.
        field: &'static str,
    },
    /// A list has more elements than its layout can count.
    TooMany {
        /// The list.
        field: &'static str,
        /// The most there may be.
        max: usize,
    },
    /// A text that should be hex digits, two for each byte, is not.
    NotHex,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { field } => {
                write!(f, "the bytes end before the {field} does; they were cut")
            }
            Self::Trailing => write!(f, "bytes follow the end"),
            Self::Length { expected, found } => {
                write!(f, "{expected} bytes are needed, there are {found}")
            }
            Self::Magic => write!(f, "the magic is another object's"),
            Self::Update { field, found, known } => {
                write!(
                    f,
                    "{field} {found} is newer than this version, which knows up to {known}; update Holdfast"
                )
            }
            Self::Zero { field } => write!(f, "the {field} must not be 0"),
            Self::Value { field, allowed } => write!(f, "the {field} must be {allowed}"),
            Self::Unsorted { field } => write!(f, "the {field} are not strictly ascending"),
            Self::TooMany { field, max } => write!(f, "there may be at most {max} {field}"),
            Self::NotHex => write!(f, "it is not written in hex, two digits for each byte"),
        }
    }
}

impl FormatError {
    /// An error at a place of an object.
    pub const fn new(what: &'static str, offset: usize, problem: Problem) -> Self {
        Self { what, offset, problem }
    }

    /// Something of fixed length has another.
    pub const fn length(what: &'static str, expected: usize, found: usize) -> Self {
        Self::new(what, 0, Problem::Length { expected, found })
    }

    /// Whether a newer version of Holdfast could read it: the client turns read-only and says so.
    pub const fn is_update(&self) -> bool {
        matches!(self.problem, Problem::Update { .. })
    }
}

/// Reads a layout from its first byte to its last.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
    offset: usize,
    /// Where the field last read begins, which is what an error about its value points at.
    field_at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes` as the object named `what`.
    pub const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes, offset: 0, field_at: 0 }
    }

    /// The next `len` bytes, named `field`.
    pub fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], FormatError> {
        self.field_at = self.offset;
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.error(Problem::Short { field }));
        };
        self.rest = rest;
        self.offset += len;
        Ok(head)
    }

    /// The next `N` bytes, named `field`.
    pub fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FormatError> {
        self.array(field).copied()
    }

    /// The next `N` bytes, named `field`, where they are.
    pub fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<&'a [u8; N], FormatError> {
        let bytes = self.bytes(field, N)?;
        bytes.first_chunk().ok_or(self.error(Problem::Short { field }))
    }

    /// The next byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, FormatError> {
        self.fixed(field).map(u8::from_be_bytes)
    }

    /// The next two bytes as a number.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.fixed(field).map(u16::from_be_bytes)
    }

    /// The next four bytes as a number.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.fixed(field).map(u32::from_be_bytes)
    }

    /// The next eight bytes as a number.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, FormatError> {
        self.fixed(field).map(u64::from_be_bytes)
    }

    /// The opening that most objects share: magic, format, suite.
    pub fn opening(&mut self, magic: &[u8; 4]) -> Result<Suite, FormatError> {
        if self.fixed::<4>("magic")? != *magic {
            return Err(self.error(Problem::Magic));
        }
        match self.u8("format")? {
            FORMAT => self.suite("suite"),
            other => Err(self.unknown("format", other.into(), FORMAT.into())),
        }
    }

    /// The next two bytes as a suite.
    pub fn suite(&mut self, field: &'static str) -> Result<Suite, FormatError> {
        let number = self.u16(field)?;
        Suite::new(number)
            .ok_or_else(|| self.unknown(field, number.into(), Suite::LATEST.get().into()))
    }

    /// The error about a number outside `1..=known`: 0 is never right, anything above asks for an update.
    pub const fn unknown(&self, field: &'static str, found: u32, known: u32) -> FormatError {
        self.error(if found == 0 {
            Problem::Zero { field }
        } else {
            Problem::Update { field, found, known }
        })
    }

    /// Refuses the field last read unless `holds`.
    pub fn require(
        &self,
        holds: bool,
        field: &'static str,
        allowed: &'static str,
    ) -> Result<(), FormatError> {
        if holds { Ok(()) } else { Err(self.error(Problem::Value { field, allowed })) }
    }

    /// A reader of the next `len` bytes alone; its errors still point into the whole.
    pub fn part(&mut self, what: &'static str, len: usize) -> Result<Reader<'a>, FormatError> {
        let offset = self.offset;
        let bytes = self.bytes(what, len)?;
        Ok(Reader { what, rest: bytes, offset, field_at: offset })
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.field_at = self.offset;
        self.offset += self.rest.len();
        std::mem::take(&mut self.rest)
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Refuses what is left over.
    pub const fn finish(self) -> Result<(), FormatError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(FormatError::new(self.what, self.offset, Problem::Trailing))
        }
    }

    /// An error about the field last read.
    pub const fn error(&self, problem: Problem) -> FormatError {
        FormatError::new(self.what, self.field_at, problem)
    }
}

/// Writes a layout from its first byte to its last.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Magic, format and suite.
    #[must_use]
    pub fn opening(self, magic: &[u8; 4], suite: Suite) -> Self {
        self.bytes(magic).u8(FORMAT).u16(suite.get())
    }

    /// Bytes as they are.
    #[must_use]
    pub fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// One byte.
    #[must_use]
    pub fn u8(self, value: u8) -> Self {
        self.bytes(value.to_be_bytes())
    }

    /// Two bytes.
    #[must_use]
    pub fn u16(self, value: u16) -> Self {
        self.bytes(value.to_be_bytes())
    }

    /// Four bytes.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        self.bytes(value.to_be_bytes())
    }

    /// Eight bytes.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.bytes(value.to_be_bytes())
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Refuses a list whose keys do not rise strictly.
pub fn strictly_ascending<T: Ord>(
    what: &'static str,
    field: &'static str,
    keys: impl IntoIterator<Item = T>,
) -> Result<(), FormatError> {
    let mut before: Option<T> = None;
    for key in keys {
        if before.is_some_and(|before| before >= key) {
            return Err(FormatError::new(what, 0, Problem::Unsorted { field }));
        }
        before = Some(key);
    }
    Ok(())
}
