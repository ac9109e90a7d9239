//! What clients know and nobody else may: it is looked for on the disks and in the logs of nodes. And what is
//! known to be there, so that a search that finds nothing has looked; and where it is written down what they were
//! told.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use client::ExportedSession;
use std::sync::{Mutex, MutexGuard, PoisonError};
use types::ids::WalletId;

use crate::{check::leak::Needle, history::Recorder};

/// Wallets whose ids are kept: the last ones, which are in every log at the end of a run.
const WALLETS_MAX: usize = 64;
/// Sessions whose keys are looked for. One is as good as another.
const SESSIONS_MAX: usize = 32;
/// What their keys are called.
const SESSION: &str = "the key of a session";

/// Secrets of clients, and ids of their wallets.
#[derive(Debug)]
pub struct Planted {
    canary: String,
    recorder: Option<Recorder>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    secrets: Vec<Needle>,
    wallets: Vec<WalletId>,
}

impl Planted {
    /// `canary` is in every record that is written, in its name or its body, and in the names of devices.
    pub fn new(canary: &str) -> Planted {
        Planted { canary: canary.to_owned(), recorder: None, kept: Mutex::default() }
    }

    /// Clients write down there what they ask and are told.
    #[must_use]
    pub fn told_in(mut self, recorder: Recorder) -> Planted {
        self.recorder = Some(recorder);
        self
    }

    /// Where it is written down what they were told.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// What is in every record.
    pub fn canary(&self) -> &str {
        &self.canary
    }

    /// A recovery code, as it is shown. Somebody may have typed it without its hyphens.
    pub fn code(&self, text: &str) {
        let plain: String = text.chars().filter(|c| *c != '-').collect();
        self.secret("a recovery code", text);
        self.secret("a recovery code without hyphens", plain);
    }

    /// The private key of a session, as it is filed.
    pub fn session(&self, session: &ExportedSession) {
        #[derive(serde::Deserialize)]
        struct File {
            key: String,
        }
        let known = self.lock().secrets.iter().filter(|needle| needle.name == SESSION).count();
        if known < SESSIONS_MAX
            && let Ok(File { key }) = serde_json::from_slice(session.to_file().expose())
            && let Ok(key) = BASE64_URL_SAFE_NO_PAD.decode(key)
        {
            self.secret(SESSION, key);
        }
    }

    /// A wallet that was made.
    pub fn wallet(&self, id: &WalletId) {
        let mut kept = self.lock();
        if kept.wallets.len() == WALLETS_MAX {
            kept.wallets.remove(0);
        }
        kept.wallets.push(*id);
    }

    /// What must not be found.
    pub fn needles(&self) -> Vec<Needle> {
        let mut needles = vec![Needle::new("a record of a client", self.canary.as_bytes())];
        needles.extend(self.lock().secrets.iter().cloned());
        needles
    }

    /// What is in the database of every node that has the wallets, under one name: any of them.
    pub fn known(&self, name: &str) -> Vec<Needle> {
        self.lock().wallets.iter().map(|id| Needle::new(name, *id.as_bytes())).collect()
    }

    fn secret(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.lock().secrets.push(Needle::new(name, bytes));
    }

    /// Whoever panicked while it held the lock left a whole list.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_looked_for_as_it_is_shown_and_without_its_hyphens() {
        let planted = Planted::new("canary-canary");
        planted.code("ABCDE-FGHJK-MNPQR");
        let needles = planted.needles();
        let texts: Vec<&[u8]> = needles.iter().map(|needle| needle.bytes.as_slice()).collect();
        assert_eq!(texts, [b"canary-canary".as_slice(), b"ABCDE-FGHJK-MNPQR", b"ABCDEFGHJKMNPQR"]);
        assert!(!format!("{planted:?}").contains("ABCDE"));
    }

    #[test]
    fn the_last_wallets_are_known() {
        let planted = Planted::new("canary-canary");
        let id = |n: usize| WalletId::from_bytes([u8::try_from(n).unwrap(); WalletId::LEN]);
        (0..WALLETS_MAX + 2).for_each(|n| planted.wallet(&id(n)));
        let known = planted.known("an id");
        assert_eq!(known.len(), WALLETS_MAX);
        assert_eq!(known[0].bytes, id(2).as_bytes());
        assert!(known.iter().all(|needle| needle.name == "an id"));
    }
}
