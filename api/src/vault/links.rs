//! The link chain of a wallet, for whoever has a session of it.

use types::{SignedLink, WalletId};

use super::Vault;
use super::error::VaultError;
use super::judge::open_data_key;
use super::outer::Outer;
use super::pull::{closed, missing};
use super::session::reading;
use crate::auth::Caller;

/// About how many bytes of links are made ready at a time.
const PART_BYTES: usize = 256 << 10;

/// A listing of links under way.
pub struct Links {
    reader: store::Reader,
    outer: Outer,
    wallet: WalletId,
    next: u32,
    end: u32,
}

impl Vault {
    /// Begins to list the links from number `from` on, at a state that is fresh.
    ///
    /// # Errors
    /// As [`Vault::pull`].
    pub async fn links(
        &self,
        caller: &Caller,
        wallet: WalletId,
        from: u32,
    ) -> Result<Links, VaultError> {
        caller.may_read(&wallet)?;
        self.serves()?;
        let reader = self.read(self.group_of(&wallet)?).await?;
        reading(reader.membership(wallet)?, &caller.member)?;
        // As many as the head covers: the members may be known to have changed beyond it.
        let end = reader.wallet(wallet)?.map_or(0, |row| row.head.head().links);
        let outer = open_data_key(&reader, &self.keyring, wallet)?;
        Ok(Links { reader, outer, wallet, next: from, end })
    }

    /// The next links, and the listing itself unless that was all.
    ///
    /// # Errors
    /// A fault of this node.
    pub async fn more_links(
        &self,
        mut links: Links,
    ) -> Result<(Vec<SignedLink>, Option<Links>), VaultError> {
        self.apart(move || {
            let some = links.some()?;
            Ok((some, (links.next < links.end).then_some(links)))
        })
        .await
        .inspect_err(|error| self.count_unopened(error))
    }
}

impl Links {
    fn some(&mut self) -> Result<Vec<SignedLink>, VaultError> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while bytes < PART_BYTES && self.next < self.end {
            let row = self.reader.link(self.wallet, self.next)?.ok_or_else(|| missing("a link"))?;
            let link = self.outer.open_link(self.next, &row.sealed).map_err(closed)?;
            bytes += link.bytes().len();
            some.push(link);
            self.next += 1;
        }
        Ok(some)
    }
}
