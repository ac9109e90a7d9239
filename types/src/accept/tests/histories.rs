//! Random histories: what a device makes by the rules, a server accepts, and a client follows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fixtures::record_id;
use crate::follow::follow;

#[derive(Clone, Debug)]
enum Step {
    Edit(Vec<(bool, u64)>),
    Rotate,
    Add(u64),
    Revoke(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((any::<bool>(), 0..12_u64), 0..5).prop_map(Step::Edit),
        1 => Just(Step::Rotate),
        1 => (2..9_u64).prop_map(Step::Add),
        1 => (2..9_u64).prop_map(Step::Revoke),
    ]
}

/// Takes a step as an honest device would: what cannot be done now is left out, and no id is used again.
fn take(wallet: &mut Wallet, removed: &mut BTreeSet<u64>, step: &Step) -> Commit {
    let membership = wallet.chain.membership.clone();
    match step {
        Step::Edit(edits) => {
            let rotate = membership.rotation_due().then(|| wallet.chain.rotate());
            let mut seen = removed.clone();
            let mut chosen = Vec::new();
            for (write, number) in edits.iter().copied() {
                let there = wallet.entries.get(&record_id(number)).is_some();
                if (write || there) && seen.insert(number) {
                    chosen.push(if write { Edit::Write(number) } else { Edit::Remove(number) });
                    removed.extend((!write).then_some(number));
                }
            }
            wallet.commit(phone(), rotate.into_iter().collect(), &chosen)
        }
        Step::Rotate => wallet.commit(phone(), vec![wallet.chain.rotate()], &[]),
        Step::Add(number) if membership.member(&device(*number).id()).is_none() => {
            wallet.commit(phone(), vec![wallet.chain.add(device(*number))], &[])
        }
        Step::Revoke(number) if membership.active(&device(*number).id()).is_some() => {
            wallet.commit(phone(), vec![revoke(device(*number).id())], &[])
        }
        Step::Add(_) | Step::Revoke(_) => wallet.commit(phone(), vec![], &[]),
    }
}

proptest! {
    /// Every commit of an honest device is accepted on the state before it and on no other; a holder of any
    /// earlier state, or of none, can follow to the last one; and a server that lost the end can be healed.
    #[test]
    fn honest_histories_are_accepted_followed_and_healed(steps in prop::collection::vec(any_step(), 1..12), from in any::<prop::sample::Index>()) {
        let mut wallet = Wallet::new(&[device(1), recovery(1)]);
        let mut removed = BTreeSet::new();
        let mut states = vec![wallet.clone()];
        for step in &steps {
            let before = wallet.clone();
            let commit = take(&mut wallet, &mut removed, step);
            let accepted = accept(Some(&before.stored()), &commit).unwrap();
            prop_assert_eq!(&accepted.entries, &wallet.entries);
            prop_assert_eq!(&accepted.history, &wallet.history);
            prop_assert_eq!(&accepted.membership, &wallet.chain.membership);
            prop_assert!(accept(Some(&wallet.stored()), &commit).is_err());
            states.push(wallet.clone());
        }
        let older = &states[from.index(states.len())];
        for held in [Some(older), None] {
            let followed = follow(held.map(Wallet::stored).as_ref(), &wallet.pull(held)).unwrap();
            prop_assert_eq!(&followed.entries, &wallet.entries);
            prop_assert_eq!(&followed.history, &wallet.history);
            let bodies: Vec<_> = followed.new_bodies().map(|entry| entry.id).collect();
            for id in bodies {
                prop_assert!(followed.check_body(&id, &wallet.bodies[&id]).is_ok());
            }
            let mut healed = wallet.clone();
            let due = healed.chain.membership.rotation_due();
            if due {
                let rotate = healed.chain.rotate();
                healed.chain.admit(phone(), rotate).unwrap();
            }
            let commit = healed.heal(held, phone(), &[]);
            prop_assert_eq!(accept(held.map(Wallet::stored).as_ref(), &commit).map(|accepted| accepted.entries), Ok(healed.entries));
        }
    }
}
