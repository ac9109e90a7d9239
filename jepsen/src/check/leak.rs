//! Whether a planted secret stands in any file below some directories.
//!
//! Each needle is looked for as it is and in every form that a program might write it in: hexadecimal of
//! both cases, base64 of both alphabets at each of the three alignments, a list of decimal numbers, and
//! UTF-16 where it is text. One pass over each file, whatever its size; links are not followed.
//!
//! The search proves itself: before it begins, every form is found where two reads meet in its middle; and it takes
//! *controls*, texts that are known to stand in the files, and is unknown unless it finds each of them: of those with
//! one name, one.
//!
//! Where it stops: bytes inside what is compressed or encrypted are not seen. What stood at a place is never
//! repeated: a finding names the needle, the form, the file and the offset.

#[cfg(test)]
mod tests;

use crate::verdict::Verdict;
use aho_corasick::{AhoCorasick, BuildError};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Shorter needles are found by chance.
pub const NEEDLE_MIN_BYTES: usize = 8;
/// Longer ones are no planted text.
pub const NEEDLE_MAX_BYTES: usize = 4096;

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// What is looked for. Its bytes do not reach any message.
#[derive(Clone)]
pub struct Needle {
    /// For messages.
    pub name: String,
    /// What must not be there, or, for a control, must.
    pub bytes: Vec<u8>,
}

impl Needle {
    /// A needle of this name.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Needle {
        Needle { name: name.into(), bytes: bytes.into() }
    }
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Needle").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum LeakError {
    /// Found by chance, or never.
    #[error("the needle {0} has not between {NEEDLE_MIN_BYTES} and {NEEDLE_MAX_BYTES} bytes")]
    Length(String),
    /// Too many.
    #[error("prepare the search for fewer needles")]
    Prepare(#[source] BuildError),
    /// The proof failed.
    #[error("the search does not find {needle} as {form} where it is; nothing was looked for")]
    Blind {
        /// Which.
        needle: String,
        /// In which form.
        form: &'static str,
    },
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The name of the needle.
    pub needle: String,
    /// In which form it stands there.
    pub form: &'static str,
    /// In which file.
    pub path: PathBuf,
    /// At which byte, from 0: the first such place in the file.
    pub offset: u64,
}

/// What was searched, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// How many files were read to their ends.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Needles that must not be there, each once for a file and form.
    pub found: Vec<Found>,
    /// Names of controls that were not found.
    pub unseen: Vec<String>,
    /// What could not be read, and why.
    pub unread: Vec<(PathBuf, String)>,
}

impl Searched {
    /// Fails if a needle was found; unknown if something was not searched or a control was not found.
    pub fn verdict(&self) -> Verdict {
        let found = self.found.iter().map(|Found { needle, form, path, offset }| {
            format!("{needle} stands as {form} in {} at byte {offset}", path.display())
        });
        let mut unclear = Vec::new();
        if self.bytes == 0 {
            unclear.push("nothing was searched: the files are empty or there are none".to_owned());
        }
        let unseen = self.unseen.iter();
        unclear.extend(unseen.map(|name| format!("the control {name} was not found")));
        let unread = self.unread.iter();
        unclear.extend(unread.map(|(path, why)| format!("{} was not read: {why}", path.display())));
        let unclear = if unclear.is_empty() { Verdict::Pass } else { Verdict::Unknown(unclear) };
        Verdict::of(found.collect()).and(unclear)
    }
}

/// Looks for needles and controls in all files at or below `paths`.
pub fn search(
    paths: &[PathBuf],
    needles: &[Needle],
    controls: &[Needle],
) -> Result<Searched, LeakError> {
    let search = Search::new(needles, controls)?;
    let mut searched = Searched::default();
    let mut seen = HashSet::new();
    let mut waiting: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = waiting.pop() {
        if let Err(error) = search.path(&path, &mut waiting, &mut seen, &mut searched) {
            searched.unread.push((path, error.to_string()));
        }
    }
    let found = |index: usize| seen.contains(&(needles.len() + index));
    let (there, asked): (BTreeSet<_>, BTreeSet<_>) = (
        controls.iter().enumerate().filter(|(index, _)| found(*index)).map(named).collect(),
        controls.iter().enumerate().map(named).collect(),
    );
    searched.unseen = asked.difference(&there).map(|name| (*name).to_owned()).collect();
    searched.found.sort_unstable();
    Ok(searched)
}

fn named((_, needle): (usize, &Needle)) -> &str {
    &needle.name
}

/// One form of one needle.
#[derive(Clone, Copy)]
struct Form {
    /// The index among needles and then controls.
    needle: usize,
    name: &'static str,
}

struct Search<'a> {
    needles: &'a [Needle],
    forms: Vec<Form>,
    automaton: AhoCorasick,
}

impl<'a> Search<'a> {
    fn new(needles: &'a [Needle], controls: &[Needle]) -> Result<Self, LeakError> {
        let mut forms = Vec::new();
        let mut patterns = Vec::new();
        for (index, needle) in needles.iter().chain(controls).enumerate() {
            if !(NEEDLE_MIN_BYTES..=NEEDLE_MAX_BYTES).contains(&needle.bytes.len()) {
                return Err(LeakError::Length(needle.name.clone()));
            }
            for (name, pattern) in written(&needle.bytes) {
                forms.push(Form { needle: index, name });
                patterns.push(pattern);
            }
        }
        let automaton = AhoCorasick::new(&patterns).map_err(LeakError::Prepare)?;
        let search = Search { needles, forms, automaton };
        for (index, pattern) in patterns.iter().enumerate() {
            if !search.finds(index, pattern) {
                let Form { needle, name } = search.forms[index];
                let needle = needles.iter().chain(controls).nth(needle);
                let needle = needle.map(|needle| needle.name.clone()).unwrap_or_default();
                return Err(LeakError::Blind { needle, form: name });
            }
        }
        Ok(search)
    }

    /// Whether a form is found where two reads meet in its middle.
    fn finds(&self, index: usize, pattern: &[u8]) -> bool {
        let (first, second) = pattern.split_at(pattern.len() / 2);
        let mut found = false;
        let read = self.stream(first.chain(second), |form, at| found |= (form, at) == (index, 0));
        read.is_ok() && found
    }

    /// Reads to the end, and tells of every form and where it begins. Says how many bytes there were.
    fn stream(&self, mut from: impl Read, mut tell: impl FnMut(usize, u64)) -> io::Result<u64> {
        let overlap = self.automaton.max_pattern_len().saturating_sub(1);
        let mut buffer = vec![0; overlap + READ_BYTES];
        let (mut kept, mut bytes) = (0, 0);
        loop {
            let read = match from.read(&mut buffer[kept..]) {
                Ok(0) => return Ok(bytes),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let filled = kept + read;
            let before = bytes - kept as u64;
            bytes += read as u64;
            for found in self.automaton.find_overlapping_iter(&buffer[..filled]) {
                // What ends in the part that was kept was told of before.
                if found.end() > kept {
                    tell(found.pattern().as_usize(), before + found.start() as u64);
                }
            }
            kept = filled.min(overlap);
            buffer.copy_within(filled - kept..filled, 0);
        }
    }

    fn path(
        &self,
        path: &Path,
        waiting: &mut Vec<PathBuf>,
        seen: &mut HashSet<usize>,
        searched: &mut Searched,
    ) -> io::Result<()> {
        let kind = fs::symlink_metadata(path)?.file_type();
        if kind.is_dir() {
            let mut below = BTreeSet::new();
            for entry in fs::read_dir(path)? {
                below.insert(entry?.path());
            }
            waiting.extend(below.into_iter().rev());
        } else if kind.is_file() {
            self.file(path, seen, searched)?;
        }
        Ok(())
    }

    fn file(
        &self,
        path: &Path,
        seen: &mut HashSet<usize>,
        searched: &mut Searched,
    ) -> io::Result<()> {
        let mut here = HashSet::new();
        let bytes = self.stream(File::open(path)?, |form, offset| {
            let Form { needle, name } = self.forms[form];
            seen.insert(needle);
            if let Some(needle) = self.needles.get(needle)
                && here.insert(form)
            {
                searched.found.push(Found {
                    needle: needle.name.clone(),
                    form: name,
                    path: path.to_owned(),
                    offset,
                });
            }
        })?;
        searched.files += 1;
        searched.bytes += bytes;
        Ok(())
    }
}

/// All forms in which bytes may be written, each once.
fn written(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let decimal: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        ("itself", bytes.to_vec()),
        ("hexadecimal", hex::encode(bytes).into_bytes()),
        ("hexadecimal", hex::encode_upper(bytes).into_bytes()),
        ("decimal numbers", decimal.join(", ").into_bytes()),
        ("decimal numbers", decimal.join(",").into_bytes()),
    ];
    for alignment in 0..3 {
        for engine in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
            forms.push(("base64", aligned(engine, bytes, alignment)));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let units = || text.encode_utf16();
        forms.push(("UTF-16", units().flat_map(u16::to_le_bytes).collect()));
        forms.push(("UTF-16", units().flat_map(u16::to_be_bytes).collect()));
    }
    let mut known = HashSet::new();
    forms.retain(|(_, pattern)| known.insert(pattern.clone()));
    forms
}

/// The characters that bytes have in base64 wherever `alignment` bytes stand before them, modulo three:
/// those that depend on their neighbours are left out.
fn aligned(engine: &impl Engine, bytes: &[u8], alignment: usize) -> Vec<u8> {
    let text = engine.encode([&[0; 2][..alignment], bytes].concat()).into_bytes();
    let first = (alignment * 8).div_ceil(6);
    let last = (alignment + bytes.len()) * 8 / 6;
    text[first..last].to_vec()
}
