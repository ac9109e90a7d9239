//! The store against a model that knows no rows, no batches and no engine.

use proptest::prelude::*;
use store::read::Changes;
use store::{Reader, Reply};
use types::ids::{GroupId, WalletId};

use crate::support::history::{Step, WalletModel, World, step};
use crate::support::replica::Replica;
use crate::support::wallet::locator;

/// Both wallet groups: each owns half of the slots, and a wallet is in exactly one.
const GROUPS: [GroupId; 2] = [GroupId(2), GroupId(3)];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Every command is answered as the model says, and afterwards the store holds what the model holds.
    #[test]
    fn the_store_does_what_the_model_says(steps in prop::collection::vec(step(), 1..80), cursor in 0..40_u64) {
        let mut world = World::new();
        let mut groups = GROUPS.map(Replica::in_memory);
        for group in &mut groups {
            group.apply(&world.bootstrap());
        }
        for step in &steps {
            run(&mut world, &mut groups, step)?;
        }
        for (wallet, model) in &world.wallets {
            let readers: Vec<_> = groups.iter().map(Replica::reader).filter(|reader| reader.wallet(*wallet).unwrap().is_some()).collect();
            prop_assert_eq!(readers.len(), usize::from(!model.drafts.is_empty()), "a wallet is in one group, or not there");
            for reader in &readers {
                check(reader, *wallet, model, cursor)?;
            }
        }
        groups.iter().for_each(Replica::check);
    }
}

/// Gives the command to both groups: the one that does not own the slot must refuse it as such.
fn run(world: &mut World, groups: &mut [Replica; 2], step: &Step) -> Result<(), TestCaseError> {
    let Some((command, expected)) = world.take(step) else { return Ok(()) };
    let replies = groups.each_mut().map(|group| group.apply(&command));
    let (elsewhere, here): (Vec<_>, Vec<_>) = replies
        .into_iter()
        .partition(|reply| *reply == Reply::Rejected(types::rejection::Rejection::WrongGroup));
    prop_assert_eq!(elsewhere.len(), 1);
    prop_assert_eq!(here, [expected]);
    Ok(())
}

fn check(
    reader: &Reader,
    wallet: WalletId,
    model: &WalletModel,
    cursor: u64,
) -> Result<(), TestCaseError> {
    let draft = model.drafts.last().unwrap();
    let stored = reader.stored(wallet).unwrap().unwrap();
    prop_assert_eq!(Some(stored.row.head), draft.head);
    prop_assert_eq!(&stored.row.history, &draft.history);
    prop_assert_eq!(&stored.membership, &draft.membership);
    prop_assert_eq!(&stored.entries, &draft.entries);
    prop_assert_eq!(stored.row.records as usize, model.bodies.len());
    prop_assert_eq!(
        stored.row.bytes,
        model.bodies.values().map(|body| body.len() as u64).sum::<u64>()
    );
    for (record, body) in &model.bodies {
        let stored = reader.body(wallet, *record).unwrap().unwrap();
        prop_assert_eq!(stored.as_bytes(), &body[..]);
    }
    for (record, _) in &model.removals {
        prop_assert!(reader.was_removed(wallet, *record).unwrap());
        prop_assert_eq!(reader.body(wallet, *record).unwrap(), None);
        prop_assert_eq!(reader.entry(wallet, *record).unwrap(), None);
    }
    let hashes: Vec<_> =
        model.drafts.iter().filter_map(|draft| draft.head).map(|head| head.hash()).collect();
    prop_assert_eq!(reader.head_hashes(wallet, 1, u64::MAX).unwrap(), hashes);
    prop_assert_eq!(reader.trail(wallet).unwrap(), model.trail.clone());
    let links = reader.links(wallet, 0).unwrap();
    prop_assert_eq!(links.len(), draft.membership.links() as usize);
    prop_assert_eq!(links.last().unwrap().hash, draft.membership.last_link());
    prop_assert!(
        reader.locator(locator("code")).unwrap().len() <= 1,
        "the policy keeps one wallet per locator"
    );
    prop_assert!(reader.data_key(wallet).unwrap().is_some());
    check_changes(reader, wallet, model, cursor % (draft.seq() + 1))
}

fn check_changes(
    reader: &Reader,
    wallet: WalletId,
    model: &WalletModel,
    seq: u64,
) -> Result<(), TestCaseError> {
    let draft = model.drafts.last().unwrap();
    let changes = reader.changes_since(wallet, seq).unwrap();
    if seq < model.forgotten {
        prop_assert_eq!(changes, Changes::All(draft.entries.clone()));
        return Ok(());
    }
    let before = model.drafts.iter().find(|draft| draft.seq() == seq);
    let had = |id| before.map_or(0, |before| before.entries.version(id));
    let changed = draft
        .entries
        .as_slice()
        .iter()
        .filter(|entry| entry.version != had(&entry.id))
        .copied()
        .collect();
    let removed =
        model.removals.iter().rev().filter(|(_, at)| *at > seq).map(|(id, _)| *id).collect();
    // Within one push the order of removals is theirs by id; what matters is which.
    prop_assert_eq!(sorted(changes), sorted(Changes::Since { changed, removed }));
    Ok(())
}

fn sorted(changes: Changes) -> Changes {
    match changes {
        Changes::Since { changed, mut removed } => {
            removed.sort_unstable();
            Changes::Since { changed, removed }
        }
        all => all,
    }
}
