//! The file that holds the epoch key, which wraps the data keys of all wallets.
//!
//! ```text
//! holdfast-epoch-key-1 EPOCH HEX      one line; EPOCH counts from 1, HEX is 32 bytes
//! ```
//!
//! It is the same on every node of a cluster. Without it nothing that the cluster keeps can be
//! served again: it belongs into the operator's own backup, apart from the data.

use hex::FromHex;
use rand::Rng;
use zeroize::Zeroizing;

const MAGIC: &str = "holdfast-epoch-key-1";

/// An epoch key as its file holds it.
pub struct EpochKeyFile {
    epoch: u32,
    key: Zeroizing<[u8; 32]>,
}

/// The file holds something else.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no epoch key: expected one line `{MAGIC} EPOCH HEX`, as `holdfast cluster new` writes it"
)]
pub struct NotAnEpochKey;

impl EpochKeyFile {
    /// A new random key for epoch 1.
    pub fn generate() -> EpochKeyFile {
        let mut key = Zeroizing::new([0; 32]);
        rand::rng().fill_bytes(&mut *key);
        EpochKeyFile { epoch: 1, key }
    }

    /// Reads what [`EpochKeyFile::to_bytes`] gave.
    ///
    /// # Errors
    /// The bytes are something else. The error does not say what they are.
    pub fn parse(bytes: &[u8]) -> Result<EpochKeyFile, NotAnEpochKey> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotAnEpochKey)?;
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[MAGIC, epoch, key] = fields.as_slice() else {
            return Err(NotAnEpochKey);
        };
        let epoch = epoch.parse().ok().filter(|epoch| *epoch > 0).ok_or(NotAnEpochKey)?;
        let key = <[u8; 32]>::from_hex(key).map_err(|_| NotAnEpochKey)?;
        Ok(EpochKeyFile { epoch, key: Zeroizing::new(key) })
    }

    /// What goes to the file.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let hex = Zeroizing::new(hex::encode(*self.key));
        Zeroizing::new(format!("{MAGIC} {} {}\n", self.epoch, *hex).into_bytes())
    }

    /// The number of the epoch, from 1.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_reads_as_it_was_written() {
        let written = EpochKeyFile::generate();
        let read = EpochKeyFile::parse(&written.to_bytes()).unwrap();
        assert_eq!((read.epoch(), read.key()), (1, written.key()));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = String::from_utf8(EpochKeyFile::generate().to_bytes().to_vec()).unwrap();
        for bad in [
            String::new(),
            good.replace("-1 1 ", "-2 1 "),
            good.replace(" 1 ", " 0 "),
            good.replace(" 1 ", " x "),
            good.trim_end()[..good.len() - 3].to_owned(),
            format!("{} again", good.trim_end()),
        ] {
            assert_eq!(EpochKeyFile::parse(bad.as_bytes()).err(), Some(NotAnEpochKey), "{bad:?}");
        }
        assert_eq!(EpochKeyFile::parse(&[0xff; 100]).err(), Some(NotAnEpochKey));
    }
}
