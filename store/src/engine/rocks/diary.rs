//! Which file a failure to open was about, where RocksDB tells only its own diary.
//!
//! A damaged record of the write-ahead log ends the opening as "checksum mismatch", without a name. The
//! diary, the file `LOG`, has it: `…: PATH.log: dropping N bytes; Corruption: …`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The end of the diary in which the last attempt to open stands.
const TAIL_BYTES: u64 = 256 << 10;

/// What the diary says of a damaged log file, if it does.
pub(super) fn damaged_log(directory: &Path) -> Option<String> {
    let mut file = File::open(directory.join("LOG")).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    find(&String::from_utf8_lossy(&tail))
}

fn find(diary: &str) -> Option<String> {
    let line = diary.lines().rev().find(|line| line.contains(".log: dropping "))?;
    let at = line.find("] /").map_or(0, |at| at + 2);
    let (file, rest) = line.get(at..)?.split_once(": dropping ")?;
    let (bytes, _) = rest.split_once(" bytes")?;
    Some(format!("in {file}, {bytes} bytes before the end of a block or of the file"))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_last_damaged_log_is_named() {
        let diary = "2026/11/21-11:14:07.1 31231 [WARN] [db/a.cc:1] /d/db/000002.log: dropping 9 bytes; Corruption: x\n\
                     2026/11/21-11:14:08.7 31231 [WARN] [db/a.cc:1] /d/db/000004.log: dropping 8220 bytes; Corruption: checksum mismatch\n\
                     2026/11/21-11:14:08.8 31231 [WARN] DB::Open() failed: Corruption: checksum mismatch\n";
        let found = "in /d/db/000004.log, 8220 bytes before the end of a block or of the file";
        assert_eq!(find(diary).as_deref(), Some(found));
        assert_eq!(find("nothing of the kind"), None);
    }
}
