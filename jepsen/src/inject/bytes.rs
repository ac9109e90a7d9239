//! Bytes in files of a node that is down: flipped, cut off, torn.

use rand::{RngExt, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Damage {
    /// One bit is another.
    Flip,
    /// The end is missing.
    Cut,
    /// The last page is zeros, as after a write that got lost.
    Torn,
}

const PAGE: usize = 4_096;

/// Damages a file somewhere. Says how many bytes differ afterwards or are missing: none in an empty file.
///
/// # Errors
/// The file cannot be read or written.
pub fn damage(file: &Path, damage: Damage, random: &mut StdRng) -> io::Result<u64> {
    let mut bytes = fs::read(file)?;
    let length = bytes.len();
    if length == 0 {
        return Ok(0);
    }
    let harmed = match damage {
        Damage::Flip => {
            bytes[random.random_range(0..length)] ^= 1 << random.random_range(0..8);
            1
        }
        Damage::Cut => {
            let missing = random.random_range(1..=length.min(PAGE));
            bytes.truncate(length - missing);
            missing
        }
        Damage::Torn => {
            let page = &mut bytes[length - length.min(PAGE)..];
            let harmed = page.iter().filter(|byte| **byte != 0).count();
            page.fill(0);
            harmed
        }
    };
    fs::write(file, bytes)?;
    Ok(harmed as u64)
}

/// Every file below a directory, in the order of their names.
///
/// # Errors
/// A directory cannot be read.
pub fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_damage_leaves_another_file_and_says_by_how_much() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        let mut random = StdRng::seed_from_u64(1);
        let whole: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8 + 1).collect();
        for kind in [Damage::Flip, Damage::Cut, Damage::Torn] {
            fs::write(&file, &whole).unwrap();
            let harmed = damage(&file, kind, &mut random).unwrap();
            let now = fs::read(&file).unwrap();
            let differs = whole.iter().zip(&now).filter(|(a, b)| a != b).count();
            assert_eq!((differs + whole.len() - now.len()) as u64, harmed, "{kind:?}");
            assert!(harmed > 0, "{kind:?}");
        }
        fs::write(&file, []).unwrap();
        assert_eq!(damage(&file, Damage::Flip, &mut random).unwrap(), 0);
    }
}
