//! Reading the journal.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use types::ids::WalletId;

use super::Reader;
use crate::engine::Direction;
use crate::fault::Fault;
use crate::journal::{Fact, JournalPage};
use crate::keys::{Home, Key};
use crate::rows::{JournalRow, LinkRow};

/// Entries that one page covers at most.
const ENTRIES: u64 = 1_024;

/// Every method fails as [`Reader::applied`] does.
impl Reader {
    /// The place of the next entry of the journal.
    pub fn journal_end(&self) -> Result<u64, Fault> {
        Ok(self.get(&Key::JournalEnd)?.unwrap_or_default())
    }

    /// What the journal tells from place `from` on: of each wallet whose links grew in that part, all
    /// of its links from there to the last, and its members now.
    pub fn journal(&self, from: u64) -> Result<JournalPage, Fault> {
        let end = self.journal_end()?;
        let next = end.min(from.saturating_add(ENTRIES)).max(from);
        let mut first_of: BTreeMap<WalletId, u32> = BTreeMap::new();
        if next > from {
            let part = (Key::Journal(from), Key::Journal(next - 1));
            self.each(part, Direction::Forward, |_, row: JournalRow| {
                let first = first_of.entry(row.wallet).or_insert(row.first);
                *first = row.first.min(*first);
                ControlFlow::Continue(())
            })?;
        }
        let facts = first_of.into_iter().map(|(wallet, first)| self.fact(wallet, first));
        Ok(JournalPage { facts: facts.collect::<Result<_, _>>()?, next, more: next < end })
    }

    fn fact(&self, wallet: WalletId, first: u32) -> Result<Fact, Fault> {
        let home = Home::of(wallet);
        let mut links: Vec<LinkRow> = self.links(wallet, first)?;
        let (membership, data_key) = match self.floor(wallet)? {
            Some(floor) => {
                let covered = floor.membership.links().saturating_sub(floor.links.len() as u32);
                let passed = first.saturating_sub(covered) as usize;
                links.extend(floor.links.into_iter().skip(passed));
                (floor.membership, floor.data_key)
            }
            None => (self.expect(&Key::Membership(home))?, self.expect(&Key::DataKey(home))?),
        };
        Ok(Fact { first, links, membership, data_key })
    }
}
