//! Files that do not travel: of use on this device alone, so nobody else is sent them.

use redb::ReadableDatabase;
use types::Secret;

use super::{HERE, Local, LocalError};
use crate::random::Random;

impl Local {
    /// The file that is kept here under a record's name.
    pub(crate) fn here(&self, name: &str) -> Result<Option<Secret>, LocalError> {
        let read = self.db.begin_read()?;
        let Some(row) = read.open_table(HERE)?.get(&self.blind(name))? else { return Ok(None) };
        let open = self.open_row(&row_name(name), row.value());
        open.map(Some).ok_or(LocalError::Damaged("a file that is kept here"))
    }

    /// Keeps a file here under a record's name, or keeps none any more.
    pub(crate) fn set_here(
        &self,
        name: &str,
        file: Option<&[u8]>,
        random: &mut Random,
    ) -> Result<(), LocalError> {
        let write = self.db.begin_write()?;
        {
            let mut here = write.open_table(HERE)?;
            match file {
                None => drop(here.remove(&self.blind(name))?),
                Some(file) => {
                    let row = self.seal_row(&row_name(name), file, random)?;
                    drop(here.insert(&self.blind(name), row.as_slice())?);
                }
            }
        }
        write.commit()?;
        Ok(())
    }
}

fn row_name(name: &str) -> String {
    format!("here/{name}")
}
