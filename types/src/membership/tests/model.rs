//! Random chains against a model that knows members by number and says the rules in its own words.

use proptest::prelude::*;

use super::*;

/// A step somebody tries: who (by number in the order they came), and what.
#[derive(Clone, Debug)]
enum Step {
    Rotate(usize),
    Add(usize, MemberKind, u64),
    Revoke(usize, usize),
    Erase(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = 0..8_usize;
    let kind = prop::sample::select(MemberKind::ALL.to_vec());
    prop_oneof![
        2 => who.clone().prop_map(Step::Rotate),
        5 => (who.clone(), kind, 0..12_u64).prop_map(|(who, kind, number)| Step::Add(who, kind, number)),
        4 => (who.clone(), 0..8_usize).prop_map(|(who, whom)| Step::Revoke(who, whom)),
        1 => who.prop_map(Step::Erase),
    ]
}

/// Who came, of which kind and number, and whether still there.
#[derive(Clone, Debug)]
struct Model {
    came: Vec<(MemberKind, u64, bool)>,
    generation: u32,
    due: bool,
    erased: bool,
}

impl Model {
    fn kind(&self, who: usize) -> Option<MemberKind> {
        self.came.get(who).filter(|(_, _, there)| *there).map(|(kind, _, _)| *kind)
    }

    /// Takes the step if the rules allow it, and says whether they do.
    fn take(&mut self, step: &Step) -> bool {
        let (Step::Rotate(who) | Step::Add(who, ..) | Step::Revoke(who, _) | Step::Erase(who)) =
            *step;
        let Some(signer) = self.kind(who).filter(|_| !self.erased) else { return false };
        let all = signer == MemberKind::RecoveryCode;
        let code_stood = self.came.iter().any(|(kind, ..)| *kind == MemberKind::RecoveryCode);
        let allowed = match *step {
            Step::Rotate(_) => signer != MemberKind::Revoker,
            Step::Erase(_) => all,
            Step::Add(_, kind, number) => {
                let came =
                    self.came.iter().any(|(other, known, _)| (*other, *known) == (kind, number));
                let device = kind == MemberKind::Device && signer != MemberKind::Revoker;
                let first_code =
                    kind == MemberKind::RecoveryCode && signer == MemberKind::Device && !code_stood;
                !came && (all || device || first_code)
            }
            Step::Revoke(_, whom) => match self.kind(whom) {
                None => false,
                Some(kind) => {
                    let device = kind == MemberKind::Device
                        && signer != MemberKind::Passphrase
                        && whom != who;
                    all || device
                }
            },
        };
        if allowed {
            match *step {
                Step::Rotate(_) => (self.generation, self.due) = (self.generation + 1, false),
                Step::Erase(_) => self.erased = true,
                Step::Add(_, kind, number) => self.came.push((kind, number, true)),
                Step::Revoke(_, whom) => {
                    self.came[whom].2 = false;
                    self.due = true;
                }
            }
        }
        allowed
    }
}

proptest! {
    /// Whatever is tried, the chain admits what the model allows, and both end with the same members.
    #[test]
    fn chains_follow_the_model(code in any::<bool>(), steps in prop::collection::vec(any_step(), 0..40)) {
        let mut first = vec![(MemberKind::Device, 0, true), (MemberKind::Device, 1, true)];
        if code {
            first.push((MemberKind::RecoveryCode, 0, true));
        }
        let members: Vec<_> = first.iter().map(|(kind, number, _)| member(*kind, *number)).collect();
        let mut chain = Chain::new(&members);
        let mut model = Model { came: first, generation: 1, due: false, erased: false };
        for step in steps {
            let id = |who: usize| model.came.get(who).map_or(device(999), |(kind, number, _)| member(*kind, *number)).id();
            let (signer, payload) = match step {
                Step::Rotate(who) => (id(who), chain.rotate()),
                Step::Add(who, kind, number) => (id(who), chain.add(member(kind, number))),
                Step::Revoke(who, whom) => (id(who), revoke(id(whom))),
                Step::Erase(who) => (id(who), LinkPayload::Erase),
            };
            // An addition of the signer itself has no second signature to carry.
            let own = matches!(&payload, LinkPayload::Add(add) if add.member.id() == signer);
            let allowed = model.take(&step);
            prop_assert!(!(own && allowed));
            prop_assert_eq!(chain.admit(signer, payload).is_ok(), allowed, "{:?}", step);
        }
        let membership = &chain.membership;
        prop_assert_eq!(membership.generation(), model.generation);
        prop_assert_eq!((membership.rotation_due(), membership.erased()), (model.due, model.erased));
        let came: Vec<_> = membership.members().iter().map(|state| (state.id, state.is_active())).collect();
        let expected: Vec<_> = model.came.iter().map(|(kind, number, there)| (member(*kind, *number).id(), *there)).collect();
        prop_assert_eq!(came, expected);
        prop_assert_eq!(Membership::of_chain(&chain.links), Ok(chain.membership));
    }
}
