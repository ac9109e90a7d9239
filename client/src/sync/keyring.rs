//! The wallet keys, from the links: the newest from the seal to this member, older ones down the history.
//!
//! Nothing is kept: at rest the wallet key exists only in seals, and in memory only as long as one
//! operation needs it. Every key is checked against the commitment in its Rotate link.

use std::collections::BTreeMap;

use seal::{MemberKeys, WalletKey};
use types::{LinkPayload, Rotate, SignedLink, WrappedSeal, ids::WalletId};

use super::Violation;

/// Wallet keys by generation.
pub(crate) struct Keyring {
    keys: BTreeMap<u32, WalletKey>,
}

impl Keyring {
    /// Opens the newest wallet key that `links` (all of them, verified) seal to this member, and those
    /// before it down to generation `oldest`.
    pub(crate) fn open(
        member: &dyn MemberKeys,
        wallet: WalletId,
        links: &[SignedLink],
        oldest: u32,
    ) -> Result<Self, Violation> {
        let rotations: BTreeMap<u32, &Rotate> = links.iter().filter_map(rotation).collect();
        let (generation, newest) =
            rotations.last_key_value().ok_or(Violation::Key { generation: 1 })?;
        let refused = |generation| move |_| Violation::Key { generation };
        let seal = seal_to(member, *generation, newest, links)
            .ok_or(Violation::Key { generation: *generation })?;
        let key = WalletKey::open_seal(member, wallet, *generation, &newest.wk_commit, seal);
        let mut keyring = Self { keys: BTreeMap::new() };
        keyring.insert(key.map_err(refused(*generation))?);
        for generation in (oldest.max(1)..*generation).rev() {
            let missing = Violation::Key { generation };
            let (after, rotate) =
                (generation + 1, rotations.get(&generation).ok_or(missing.clone())?);
            let history = &rotations.get(&after).ok_or(missing.clone())?.history;
            let key = keyring.get(after).ok_or(missing)?.open_history(history, &rotate.wk_commit);
            keyring.insert(key.map_err(refused(generation))?);
        }
        Ok(keyring)
    }

    fn insert(&mut self, key: WalletKey) {
        self.keys.insert(key.generation(), key);
    }

    /// The key of one generation, if it was opened.
    pub(crate) fn get(&self, generation: u32) -> Option<&WalletKey> {
        self.keys.get(&generation)
    }

    /// The newest key.
    pub(crate) fn newest(self) -> Option<WalletKey> {
        self.keys.into_values().next_back()
    }
}

fn rotation(link: &SignedLink) -> Option<(u32, &Rotate)> {
    match &link.link().payload {
        LinkPayload::Rotate(rotate) => Some((rotate.generation, rotate)),
        _ => None,
    }
}

/// The seal of this generation to the member: in the rotation, or in the link that added the member since.
fn seal_to<'a>(
    member: &dyn MemberKeys,
    generation: u32,
    newest: &'a Rotate,
    links: &'a [SignedLink],
) -> Option<&'a WrappedSeal> {
    let id = member.id();
    let added = links.iter().filter_map(|link| match &link.link().payload {
        LinkPayload::Add(add) if add.generation == generation => add.seal.as_ref(),
        _ => None,
    });
    newest.seals.iter().chain(added).find(|seal| seal.member == id)
}
