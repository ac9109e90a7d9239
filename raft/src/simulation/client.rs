//! Clients: they push and read wallets on any node, and know what they were told.
//!
//! Several share each wallet, so that they meet; whoever does not know whether a push was done asks again
//! for the very same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use openraft::EntryPayload;
use store::{Command, Reply};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use types::{HeadHash, WalletId};

use super::WALLETS;
use super::invariants::{Event, Push, content};
use super::machine::Machine;
use super::stage::Stage;
use super::wallet::Draft;
use crate::error::ProposeError;
use crate::types::CommandBytes;

/// How often a push whose outcome is not known is asked for again.
const RETRIES: u32 = 3;

/// What all clients know together.
pub(super) struct Clients {
    machines: Vec<Arc<Machine>>,
    stage: Arc<Stage>,
    known: Mutex<Known>,
    /// Clients begin nothing any more.
    pub(super) end: CancellationToken,
}

#[derive(Default)]
struct Known {
    /// Every state that a push would make, by its head.
    drafts: BTreeMap<HeadHash, Draft>,
    /// The highest number that anybody was shown or told of.
    floors: BTreeMap<WalletId, u64>,
    told: BTreeMap<WalletId, Told>,
    marks: u64,
}

/// What clients were told of their pushes to one wallet.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// What is done, by number.
    pub(super) done: BTreeMap<u64, HeadHash>,
    /// What is refused.
    pub(super) refused: BTreeSet<(u64, HeadHash)>,
}

impl Clients {
    pub(super) fn new(machines: &[Arc<Machine>], stage: &Arc<Stage>) -> Arc<Self> {
        Arc::new(Clients {
            machines: machines.to_vec(),
            stage: stage.clone(),
            known: Mutex::default(),
            end: CancellationToken::new(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was said of each wallet.
    pub(super) fn told(&self) -> BTreeMap<WalletId, Told> {
        self.known().told.clone()
    }

    fn floor(&self, wallet: WalletId) -> u64 {
        self.known().floors.get(&wallet).copied().unwrap_or_default()
    }

    fn raise(&self, wallet: WalletId, seq: u64) {
        let mut known = self.known();
        let floor = known.floors.entry(wallet).or_default();
        *floor = (*floor).max(seq);
    }

    fn machine(&self) -> Option<Arc<Machine>> {
        let up: Vec<_> =
            self.machines.iter().filter(|machine| machine.node().is_some()).cloned().collect();
        self.stage.pick(&up)
    }

    /// One client of a wallet: pushes and reads by turns, until the end.
    pub(super) async fn run(self: Arc<Self>, number: u8, pause_ms: (u64, u64)) {
        let first = Draft::new(number);
        while !self.end.is_cancelled() {
            sleep(self.stage.time(pause_ms.0, pause_ms.1)).await;
            if self.stage.chance(0.4) {
                let _ = self.read(first.wallet).await;
            } else {
                self.push(&first).await;
            }
        }
    }

    /// Reads a wallet on some node: the number and hash of its head.
    pub(super) async fn read(&self, wallet: WalletId) -> Result<Option<(u64, HeadHash)>, ()> {
        let Some(machine) = self.machine() else { return Err(()) };
        self.read_on(&machine, wallet).await
    }

    /// Reads a wallet on this node.
    pub(super) async fn read_on(
        &self,
        machine: &Machine,
        wallet: WalletId,
    ) -> Result<Option<(u64, HeadHash)>, ()> {
        let (floor, life) = (self.floor(wallet), machine.disk.life());
        let Some(node) = machine.node() else { return Err(()) };
        let reader = node.read(WALLETS).await.map_err(drop)?;
        let row = reader.wallet(wallet).map_err(drop)?;
        // A dead node answers nobody.
        if life != machine.disk.life() {
            return Err(());
        }
        let seen = row.map(|row| (row.head.head().seq, row.head.hash()));
        self.stage.count("reads", 1);
        self.stage.note(format_args!(
            "n{} shows {wallet} at {}",
            machine.id,
            seen.map_or(0, |(seq, _)| seq)
        ));
        self.stage.happened(&Event::Read { wallet, seen, floor });
        if let Some((seq, head)) = seen {
            if !self.known().drafts.contains_key(&head) {
                self.stage.violated(format!("a read of {wallet} showed what nobody pushed"));
            }
            self.raise(wallet, seq);
        }
        Ok(seen)
    }

    /// Pushes once, wherever the leader is. Whether it is known to be done.
    pub(super) async fn push(&self, first: &Draft) -> bool {
        match self.read(first.wallet).await {
            Ok(seen) => self.push_behind(seen, first, None).await,
            Err(()) => false,
        }
    }

    /// Pushes once, on this node and no other. Whether it is known to be done.
    pub(super) async fn push_on(&self, machine: &Arc<Machine>, first: &Draft) -> bool {
        let seen = self.known().told.get(&first.wallet).and_then(|told| {
            let (seq, head) = told.done.last_key_value()?;
            Some((*seq, *head))
        });
        self.push_behind(seen, first, Some(machine)).await
    }

    async fn push_behind(
        &self,
        seen: Option<(u64, HeadHash)>,
        first: &Draft,
        only: Option<&Arc<Machine>>,
    ) -> bool {
        let base = match seen {
            None => Some(first.clone()),
            Some((_, head)) => self.known().drafts.get(&head).cloned(),
        };
        let Some(base) = base else { return false };
        let (mark, floor) = {
            let mut known = self.known();
            known.marks += 1;
            (known.marks, known.floors.get(&first.wallet).copied().unwrap_or_default())
        };
        let (push, next) = base.push(mark);
        self.known().drafts.insert(next.hash(), next.clone());
        let command = Command::Push(Box::new(push));
        for attempt in 0..=RETRIES {
            let told = Push {
                wallet: first.wallet,
                seq: next.seq(),
                head: next.hash(),
                base: base.hash(),
                floor,
                is_retry: attempt > 0,
            };
            match self.propose(&command, &told, only).await {
                Outcome::Done => return true,
                Outcome::Refused => return false,
                Outcome::Unknown => {
                    self.stage.count("outcomes unknown", 1);
                    sleep(self.stage.time(20, 500)).await;
                }
            }
        }
        false
    }

    async fn propose(
        &self,
        command: &Command,
        push: &Push,
        only: Option<&Arc<Machine>>,
    ) -> Outcome {
        // Whoever leads is found by asking.
        for _ in 0..5 {
            let leaders: Vec<_> =
                self.machines.iter().filter(|machine| machine.leads(WALLETS)).cloned().collect();
            let any = || self.stage.pick(&leaders).or_else(|| self.machine());
            let Some(machine) = only.cloned().or_else(any) else {
                sleep(self.stage.time(20, 200)).await;
                continue;
            };
            let life = machine.disk.life();
            let Some(node) = machine.node() else { continue };
            let answer = node.propose(WALLETS, command).await;
            if life != machine.disk.life() {
                return Outcome::Unknown;
            }
            match answer {
                Ok(Reply::Pushed { .. }) => {
                    self.acknowledged(&machine, command, push);
                    return Outcome::Done;
                }
                Ok(reply) => {
                    self.stage.note(format_args!("n{} refuses: {reply:?}", machine.id));
                    self.refused(push);
                    return Outcome::Refused;
                }
                Err(ProposeError::NotLeader { .. } | ProposeError::Overloaded) => {
                    sleep(self.stage.time(10, 100)).await;
                }
                Err(_) => return Outcome::Unknown,
            }
        }
        Outcome::Unknown
    }

    fn acknowledged(&self, machine: &Machine, command: &Command, push: &Push) {
        self.raise(push.wallet, push.seq);
        self.known().told.entry(push.wallet).or_default().done.insert(push.seq, push.head);
        self.stage.count("pushes acknowledged", 1);
        self.stage
            .note(format_args!("n{} acknowledges {} at {}", machine.id, push.wallet, push.seq));
        let bytes = Bytes::from(command.encode().unwrap());
        let content = content(&EntryPayload::Normal(CommandBytes::from(bytes)));
        self.stage.happened(&Event::Acknowledged { group: WALLETS, content, push });
    }

    fn refused(&self, push: &Push) {
        if push.is_retry {
            self.stage.count("retries refused", 1);
        }
        let mut known = self.known();
        known.told.entry(push.wallet).or_default().refused.insert((push.seq, push.head));
        drop(known);
        self.stage.happened(&Event::Refused { push });
    }
}

enum Outcome {
    Done,
    Refused,
    Unknown,
}
