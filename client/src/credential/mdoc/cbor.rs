//! Walking through CBOR without losing the place: every item is a range of the file.
//!
//! Digests and signatures are over bytes as they stand, and a message has to say where something is
//! wrong; a decoder that returns values has forgotten both. Heads are read by `ciborium-ll`, the lower
//! half of ciborium; values for display by ciborium itself, from a range that was walked before.
//!
//! Promises: no input panics; depth is limited; work is proportional to the bytes there are, whatever
//! lengths the heads claim.

use std::ops::Range;

use ciborium_ll::{Decoder, Error, Header};

use crate::credential::error::{CredentialError, Part, Problem};

/// Levels of maps, arrays and tags. The deepest standard elements have five.
const MAX_DEPTH: usize = 32;

/// Bytes of a name: of members, name spaces, elements and types. They are copied to every claim.
const NAME_MAX: usize = 256;

/// The tag of an encoded CBOR item (RFC 8949, 3.4.5.1).
const ENCODED_ITEM: u64 = 24;

/// A place in a range of a file.
pub(super) struct Cursor<'f> {
    file: &'f [u8],
    range: Range<usize>,
    at: usize,
    part: Part,
}

impl<'f> Cursor<'f> {
    /// At the beginning of a whole file, for messages about `part`.
    pub(super) fn new(file: &'f [u8], part: Part) -> Self {
        Self::within(file, 0..file.len(), part)
    }

    /// At the beginning of a range of a file.
    pub(super) fn within(file: &'f [u8], range: Range<usize>, part: Part) -> Self {
        Self { file, at: range.start, range, part }
    }

    /// Where the range begins.
    pub(super) fn start(&self) -> usize {
        self.range.start
    }

    /// Where the cursor is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn refused(&self, at: usize, problem: Problem) -> CredentialError {
        CredentialError::new(self.part.clone(), at, problem)
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), CredentialError> {
        if self.at == self.range.end { Ok(()) } else { Err(self.refused(self.at, Problem::Excess)) }
    }

    /// Walks over the next item; gives its range.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, CredentialError> {
        let start = self.at;
        self.skip_below(0)?;
        Ok(start..self.at)
    }

    /// A map: `member` is called at every name and leaves the cursor behind the value.
    pub(super) fn map(
        &mut self,
        what: &'static str,
        mut member: impl FnMut(&mut Self) -> Result<(), CredentialError>,
    ) -> Result<(), CredentialError> {
        let at = self.at;
        match self.head()? {
            Header::Map(count) => self.repeat(count, &mut member),
            _ => Err(self.refused(at, Problem::Wrong { what, expected: "a map" })),
        }
    }

    /// An array: `element` is called at every element and leaves the cursor behind it.
    pub(super) fn array(
        &mut self,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), CredentialError>,
    ) -> Result<(), CredentialError> {
        let at = self.at;
        match self.head()? {
            Header::Array(count) => self.repeat(count, &mut element),
            _ => Err(self.refused(at, Problem::Wrong { what, expected: "an array" })),
        }
    }

    /// A text of known length, for a name: longer ones than [`NAME_MAX`] are refused.
    pub(super) fn text(&mut self, what: &'static str) -> Result<&'f str, CredentialError> {
        let at = self.at;
        let wrong = Problem::Wrong { what, expected: "text" };
        match self.head()? {
            Header::Text(Some(len)) => {
                let range = self.take(len)?;
                if len > NAME_MAX {
                    return Err(self.refused(at, Problem::TooLarge(NAME_MAX)));
                }
                std::str::from_utf8(&self.file[range]).map_err(|_| self.refused(at, wrong))
            }
            _ => Err(self.refused(at, wrong)),
        }
    }

    /// Bytes of known length.
    pub(super) fn bytes(&mut self, what: &'static str) -> Result<Range<usize>, CredentialError> {
        let at = self.at;
        match self.head()? {
            Header::Bytes(Some(len)) => self.take(len),
            _ => Err(self.refused(at, Problem::Wrong { what, expected: "a byte string" })),
        }
    }

    /// A number from 0 on.
    pub(super) fn unsigned(&mut self, what: &'static str) -> Result<u64, CredentialError> {
        let at = self.at;
        match self.head()? {
            Header::Positive(number) => Ok(number),
            _ => Err(self.refused(at, Problem::Wrong { what, expected: "a number from 0 on" })),
        }
    }

    /// A tag with this number; the cursor stands before what it tags.
    pub(super) fn tag(&mut self, number: u64, problem: Problem) -> Result<(), CredentialError> {
        let at = self.at;
        match self.head()? {
            Header::Tag(found) if found == number => Ok(()),
            _ => Err(self.refused(at, problem)),
        }
    }

    /// Whether the next item is tagged with this number; if so, the tag is passed.
    pub(super) fn passes_tag(&mut self, number: u64) -> Result<bool, CredentialError> {
        let at = self.at;
        let passed = matches!(self.head()?, Header::Tag(found) if found == number);
        if !passed {
            self.at = at;
        }
        Ok(passed)
    }

    /// Whether the next item is an array; the cursor stays.
    pub(super) fn is_array(&mut self) -> Result<bool, CredentialError> {
        let at = self.at;
        let is_array = matches!(self.head()?, Header::Array(_));
        self.at = at;
        Ok(is_array)
    }

    /// An encoded CBOR item (tag 24): a cursor into it.
    pub(super) fn embedded(&mut self, what: &'static str) -> Result<Self, CredentialError> {
        let expected = "an encoded CBOR item (tag 24)";
        self.tag(ENCODED_ITEM, Problem::Wrong { what, expected })?;
        let range = self.bytes(what)?;
        Ok(Self::within(self.file, range, self.part.clone()))
    }

    /// The next item as a value.
    pub(super) fn value(&mut self) -> Result<ciborium::Value, CredentialError> {
        let range = self.skip()?;
        ciborium::de::from_reader_with_recursion_limit(&self.file[range.clone()], MAX_DEPTH * 2)
            .map_err(|_| self.refused(range.start, Problem::NotCbor))
    }

    fn repeat(
        &mut self,
        count: Option<usize>,
        each: &mut dyn FnMut(&mut Self) -> Result<(), CredentialError>,
    ) -> Result<(), CredentialError> {
        match count {
            // A claimed count beyond the bytes that are there ends with them.
            Some(count) => (0..count).try_for_each(|_| each(self)),
            None => {
                while !self.passes_break()? {
                    each(self)?;
                }
                Ok(())
            }
        }
    }

    fn passes_break(&mut self) -> Result<bool, CredentialError> {
        let at = self.at;
        let passed = matches!(self.head()?, Header::Break);
        if !passed {
            self.at = at;
        }
        Ok(passed)
    }

    fn skip_below(&mut self, depth: usize) -> Result<(), CredentialError> {
        let at = self.at;
        if depth > MAX_DEPTH {
            return Err(self.refused(at, Problem::TooDeep(MAX_DEPTH)));
        }
        match self.head()? {
            Header::Bytes(Some(len)) | Header::Text(Some(len)) => self.take(len).map(|_| ()),
            Header::Bytes(None) | Header::Text(None) => self.repeat(None, &mut Self::skip_segment),
            Header::Array(count) => self.repeat(count, &mut |cursor| cursor.skip_below(depth + 1)),
            Header::Map(count) => self.repeat(count, &mut |cursor| {
                cursor.skip_below(depth + 1)?;
                cursor.skip_below(depth + 1)
            }),
            Header::Tag(_) => self.skip_below(depth + 1),
            Header::Break => Err(self.refused(at, Problem::NotCbor)),
            Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => {
                Ok(())
            }
        }
    }

    /// A piece of a byte or text string of unknown length.
    fn skip_segment(&mut self) -> Result<(), CredentialError> {
        let at = self.at;
        match self.head()? {
            Header::Bytes(Some(len)) | Header::Text(Some(len)) => self.take(len).map(|_| ()),
            _ => Err(self.refused(at, Problem::NotCbor)),
        }
    }

    fn head(&mut self) -> Result<Header, CredentialError> {
        let mut decoder = Decoder::from(&self.file[self.at..self.range.end]);
        match decoder.pull() {
            Ok(head) => {
                self.at += decoder.offset();
                Ok(head)
            }
            Err(Error::Io(_)) => Err(self.cut()),
            Err(Error::Syntax(offset)) => Err(self.refused(self.at + offset, Problem::NotCbor)),
        }
    }

    fn take(&mut self, len: usize) -> Result<Range<usize>, CredentialError> {
        let start = self.at;
        match start.checked_add(len) {
            Some(end) if end <= self.range.end => {
                self.at = end;
                Ok(start..end)
            }
            _ => Err(self.cut()),
        }
    }

    /// The range ends inside an item: the file is cut, or an inner length is wrong.
    fn cut(&self) -> CredentialError {
        let whole = self.range.end == self.file.len();
        self.refused(self.at, if whole { Problem::Cut } else { Problem::NotCbor })
    }
}

#[cfg(test)]
mod tests;
