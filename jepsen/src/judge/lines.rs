//! The lines of a node's log.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use crate::verdict::Verdict;

/// Tells of every line of a log, with what is no UTF-8 replaced.
///
/// # Errors
/// The verdict where a line cannot be read: whoever saw half of a log knows nothing.
pub(super) fn each(log: &Path, mut tell: impl FnMut(&str)) -> Result<(), Verdict> {
    let unread =
        |error| Verdict::unknown(format!("{} cannot be read to its end: {error}", log.display()));
    for line in BufReader::new(File::open(log).map_err(unread)?).split(b'\n') {
        tell(&String::from_utf8_lossy(&line.map_err(unread)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{promise, repairs, votes};

    /// A directory opens as a file does, and cannot be read.
    #[test]
    fn a_log_that_cannot_be_read_to_its_end_makes_every_verdict_unknown() {
        let directory = tempfile::tempdir().unwrap();
        for log in [directory.path().to_owned(), directory.path().join("missing")] {
            let logs = [("n1".to_owned(), "dc1".to_owned(), log.clone())];
            for verdict in [promise::check(&logs, &[]), repairs::check(&logs), votes::check(&logs)]
            {
                let named = |said: &[String]| said[0].contains(&log.display().to_string());
                assert!(matches!(&verdict, Verdict::Unknown(said) if named(said)), "{verdict:?}");
            }
        }
    }
}
