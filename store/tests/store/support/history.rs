//! Random histories, and a model that says what each command must be answered.
//!
//! The model is a list of the states every wallet went through, kept by the rules as they are promised and
//! not as the store codes them: no rows, no batches, no digests.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use store::command::{Command, Push};
use store::{Policy, Reply};
use types::ids::{RecordId, WalletId};
use types::member::{Member, MemberKind};
use types::rejection::Rejection;

use super::act;
use super::wallet::{Draft, Edit, device, member, record};

/// One step of a history.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A push on the head, or on one some heads behind it.
    Push {
        wallet: u8,
        behind: usize,
        by: By,
        writes: Vec<(u8, u16)>,
        removes: Vec<u8>,
        links: Links,
    },
    /// The push that was made that many pushes ago, once more.
    Again { ago: usize },
    /// The same with other content.
    Tampered { ago: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum By {
    Phone,
    Tablet(u8),
    Code,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Links {
    None,
    Add(u8),
    Revoke(u8),
    RevokeAndRotate(u8),
    Rotate,
}

/// Steps for three wallets, with names few enough that they meet.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let by =
        prop_oneof![6 => Just(By::Phone), 2 => (0..3_u8).prop_map(By::Tablet), 1 => Just(By::Code)];
    let links = prop_oneof![
        8 => Just(Links::None),
        1 => (0..3_u8).prop_map(Links::Add),
        1 => (0..3_u8).prop_map(Links::Revoke),
        1 => (0..3_u8).prop_map(Links::RevokeAndRotate),
        1 => Just(Links::Rotate),
    ];
    let writes = prop::collection::vec((0..24_u8, 1..2_000_u16), 0..6);
    let removes = prop::collection::vec(0..24_u8, 0..4);
    let behind = prop_oneof![5 => Just(0_usize), 1 => 1..3_usize];
    let push = (0..3_u8, behind, by, writes, removes, links).prop_map(
        |(wallet, behind, by, writes, removes, links)| Step::Push {
            wallet,
            behind,
            by,
            writes,
            removes,
            links,
        },
    );
    prop_oneof![
        8 => push,
        1 => (0..20_usize).prop_map(|ago| Step::Again { ago }),
        1 => (0..20_usize).prop_map(|ago| Step::Tampered { ago }),
    ]
}

/// What the model keeps.
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) wallets: BTreeMap<WalletId, WalletModel>,
    /// Every push that was ever made, and whether it was accepted.
    sent: Vec<(Push, Option<Reply>)>,
    clock_ms: u64,
}

/// One wallet of the model: its states, oldest first, and what it holds.
#[derive(Default)]
pub(crate) struct WalletModel {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) bodies: BTreeMap<RecordId, Vec<u8>>,
    /// Remembered removals, oldest first.
    pub(crate) removals: VecDeque<(RecordId, u64)>,
    pub(crate) forgotten: u64,
    /// Heads below the present one, back to one that a device signed, newest first.
    pub(crate) trail: Vec<types::head::SignedHead>,
}

impl World {
    /// The world before its first wallet, with limits low enough to be met.
    pub(crate) fn new() -> Self {
        let policy = Policy { wallet_bytes: Policy::FLOOR.wallet_bytes, ..Policy::FLOOR };
        World { policy, wallets: BTreeMap::new(), sent: Vec::new(), clock_ms: 1_000 }
    }

    /// The command that every history begins with.
    pub(crate) fn bootstrap(&self) -> Command {
        act::bootstrap(self.policy.clone())
    }

    /// The command of a step and what it must be answered; none if the step makes no sense here.
    pub(crate) fn take(&mut self, step: &Step) -> Option<(Command, Reply)> {
        // More than a second, so that no two pushes have one head.
        self.clock_ms += 1_007;
        let (push, reply) = match step {
            Step::Push { wallet, behind, by, writes, removes, links } => {
                let (push, next) = self.make(*wallet, *behind, *by, writes, removes, *links)?;
                let reply = self.answer(&push, &next);
                let accepted = matches!(reply, Reply::Pushed { .. }).then(|| reply.clone());
                self.sent.push((push.clone(), accepted));
                (push, reply)
            }
            Step::Again { ago } => {
                let (push, reply) = self.accepted(*ago)?;
                (Push { time_ms: self.clock_ms, ..push }, reply)
            }
            Step::Tampered { ago } => {
                let (push, _) = self.accepted(*ago)?;
                (Push { content: [0; 32], ..push }, Reply::Rejected(Rejection::RequestReused))
            }
        };
        Some((Command::Push(Box::new(push)), reply))
    }

    fn accepted(&self, ago: usize) -> Option<(Push, Reply)> {
        let (push, reply) = self.sent.iter().rev().nth(ago)?;
        Some((push.clone(), reply.clone()?))
    }

    fn make(
        &self,
        wallet: u8,
        behind: usize,
        by: By,
        writes: &[(u8, u16)],
        removes: &[u8],
        links: Links,
    ) -> Option<(Push, Draft)> {
        let name = format!("wallet {wallet}");
        let first = Draft::new(&name, wallet % 2, vec![device("phone"), code()]);
        let known = self.wallets.get(&first.wallet);
        // Falling behind the first head means to make the wallet a second time.
        let draft = match known.map(|known| &known.drafts) {
            Some(drafts) => drafts.iter().rev().nth(behind).unwrap_or(&first),
            None => &first,
        };
        let signer = match by {
            By::Phone => device("phone"),
            By::Tablet(n) => tablet(n),
            By::Code => code(),
        };
        let member = draft.membership.member(&signer.id())?;
        let mut edits = edits(draft, writes, removes);
        if member.is_active() && by == By::Phone && draft.head.is_some() {
            edits.extend(link_edits(draft, links));
        }
        Some(draft.push(&signer, if by == By::Code { &[] } else { &edits }, self.clock_ms))
    }

    fn answer(&mut self, push: &Push, next: &Draft) -> Reply {
        let model = self.wallets.entry(next.wallet).or_default();
        match model.judge(push, &self.policy) {
            Err(rejection) => Reply::Rejected(rejection),
            Ok(()) => {
                model.accept(push, next, &self.policy);
                Reply::Pushed { seq: next.seq(), head: push.request() }
            }
        }
    }
}

impl WalletModel {
    fn judge(&self, push: &Push, policy: &Policy) -> Result<(), Rejection> {
        let head = push.head.head();
        if let Some(base) = push.base {
            let present = self.drafts.last().ok_or(Rejection::NotFound)?;
            let found = present.head.ok_or(Rejection::NotFound)?.hash();
            if base.head != found {
                return Err(Rejection::Conflict {
                    named: base.head,
                    found,
                    found_seq: present.seq(),
                });
            }
        } else if !self.drafts.is_empty() {
            return Err(Rejection::Exists);
        }
        let nothing =
            |what: &str, limit: u64| Err(Rejection::QuotaFull { what: what.into(), limit });
        let members =
            push.membership.as_ref().or(self.drafts.last().map(|draft| &draft.membership)).unwrap();
        let signer = members.active(&head.signer).ok_or(Rejection::MemberInactive)?;
        if members.rotation_due() && !(push.records.is_empty() && push.removed.is_empty()) {
            return Err(Rejection::RotationDue);
        }
        if signer.member.kind() != MemberKind::Device
            && self.trail.len() >= policy.trail_heads as usize
        {
            return nothing("heads since one that a device signed", policy.trail_heads.into());
        }
        let again =
            push.records.iter().any(|record| self.removals.iter().any(|(id, _)| *id == record.id));
        if again {
            return Err(Rejection::Refused {
                code: "malformed".into(),
                message: "the push is malformed: the id of a removed record is used again".into(),
            });
        }
        let mut bodies = self.bodies.clone();
        bodies.extend(
            push.records.iter().map(|record| (record.id, record.sealed.as_bytes().to_vec())),
        );
        push.removed.iter().for_each(|id| drop(bodies.remove(id)));
        let bytes = |bodies: &BTreeMap<_, Vec<u8>>| {
            bodies.values().map(|body| body.len() as u64).sum::<u64>()
        };
        if bodies.len() > policy.wallet_records as usize && bodies.len() > self.bodies.len() {
            return nothing("records", policy.wallet_records.into());
        }
        if bytes(&bodies) > policy.wallet_bytes && bytes(&bodies) > bytes(&self.bodies) {
            return nothing("bytes", policy.wallet_bytes);
        }
        Ok(())
    }

    fn accept(&mut self, push: &Push, next: &Draft, policy: &Policy) {
        let by_device = next.membership.active(&push.head.head().signer).unwrap().member.kind()
            == MemberKind::Device;
        if by_device {
            self.trail.clear();
        } else if let Some(head) = self.drafts.last().and_then(|draft| draft.head) {
            self.trail.insert(0, head);
        }
        for record in &push.records {
            self.bodies.insert(record.id, record.sealed.as_bytes().to_vec());
        }
        for id in &push.removed {
            self.bodies.remove(id);
            self.removals.push_back((*id, next.seq()));
        }
        while self.removals.len() > policy.tombstones as usize {
            self.forgotten = self.removals.pop_front().unwrap().1;
        }
        self.drafts.push(next.clone());
    }
}

fn edits(draft: &Draft, writes: &[(u8, u16)], removes: &[u8]) -> Vec<Edit> {
    let mut edits = BTreeMap::new();
    for (name, size) in writes {
        let body = vec![*name; usize::from(*size)];
        edits.insert(*name, Edit::Write(record(&name.to_string()), body));
    }
    for name in removes {
        let id = record(&name.to_string());
        if draft.entries.get(&id).is_some() {
            edits.insert(*name, Edit::Remove(id));
        }
    }
    edits.into_values().collect()
}

fn link_edits(draft: &Draft, links: Links) -> Vec<Edit> {
    let known = |n: u8| draft.membership.member(&tablet(n).id());
    let active = |n: u8| known(n).is_some_and(|state| state.is_active());
    match links {
        Links::Add(n) if known(n).is_none() => vec![Edit::Add(tablet(n))],
        Links::Revoke(n) if active(n) => vec![Edit::Revoke(tablet(n).id())],
        Links::RevokeAndRotate(n) if active(n) => vec![Edit::Revoke(tablet(n).id()), Edit::Rotate],
        Links::Rotate => vec![Edit::Rotate],
        _ => Vec::new(),
    }
}

fn tablet(n: u8) -> Member {
    device(&format!("tablet {n}"))
}

pub(crate) fn code() -> Member {
    member(MemberKind::RecoveryCode, "code")
}
