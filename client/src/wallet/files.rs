//! Files of credentials: what travels becomes a record, what does not stays on this device.

use types::Secret;

use super::Wallet;
use crate::{credential::Filing, error::ClientError};

impl Wallet {
    /// Stores a file that was read: the record that travels, and the file itself where it is of use on
    /// this device alone.
    ///
    /// # Errors
    /// As [`Wallet::put`].
    pub fn file(&mut self, filing: Filing) -> Result<(), ClientError> {
        let Filing { record, kept_here } = filing;
        // The file first: cut off in between, there is a file that no record names, and no record
        // whose file is missing.
        self.local.set_here(&record.name, kept_here.as_deref(), &mut self.random)?;
        self.put(record)
    }

    /// The file of a record whose credential does not travel; none on any device but the one where it
    /// was imported.
    ///
    /// # Errors
    /// [`crate::LocalError`].
    pub fn kept_here(&self, name: &str) -> Result<Option<Secret>, ClientError> {
        Ok(self.local.here(name)?)
    }
}
