//! Client interaction (§8; Holdfast's P2, P3, P8): "each operation appears to execute instantaneously,
//! exactly once, at some point between its invocation and its response".
//!
//! Every head names the one that it was made on, so the pushes of a wallet can only be in one order, and
//! to be linearizable is this: there is one line of heads; who was shown a head, or told that one is done,
//! is followed by nobody who asks later and is shown an earlier one; and a push that was asked for after a
//! head had been shown is done behind it or not at all.
//!
//! A push that is refused is not done, and never will be, also if it was asked for before: whoever asks
//! again for what was done is told that it is.

use std::collections::{BTreeMap, BTreeSet};

use types::{HeadHash, WalletId};

use super::{Cluster, Event, Invariant};

#[derive(Default)]
pub(super) struct History {
    /// The line of each wallet, as far as anybody was told of it.
    lines: BTreeMap<WalletId, BTreeMap<u64, HeadHash>>,
    refused: BTreeSet<HeadHash>,
}

impl History {
    fn place(&mut self, wallet: WalletId, seq: u64, head: HeadHash) -> Result<(), String> {
        let known = *self.lines.entry(wallet).or_default().entry(seq).or_insert(head);
        if self.refused.contains(&head) {
            return Err(format!("head {seq} of {wallet} was refused, and is done"));
        }
        if known == head {
            return Ok(());
        }
        Err(format!("{wallet} has two heads {seq}: {known} and {head}"))
    }
}

impl Invariant for History {
    fn see(&mut self, event: &Event<'_>, _: &Cluster) -> Result<(), String> {
        match event {
            Event::Acknowledged { push, .. } => {
                if !push.is_retry && push.seq <= push.floor {
                    return Err(format!(
                        "head {} of {} was done although {} had been shown before it was asked for",
                        push.seq, push.wallet, push.floor
                    ));
                }
                if let Some(below) = push.seq.checked_sub(1).filter(|below| *below > 0) {
                    self.place(push.wallet, below, push.base)?;
                }
                self.place(push.wallet, push.seq, push.head)
            }
            Event::Refused { push } => {
                self.refused.insert(push.head);
                let line = self.lines.get(&push.wallet);
                match line.and_then(|line| line.get(&push.seq)) {
                    Some(head) if *head == push.head => Err(format!(
                        "head {} of {} is done, and was refused when it was asked for {}",
                        push.seq,
                        push.wallet,
                        if push.is_retry { "again" } else { "for the first time" }
                    )),
                    _ => Ok(()),
                }
            }
            Event::Read { wallet, seen, floor } => {
                let seq = seen.map_or(0, |(seq, _)| seq);
                if seq < *floor {
                    return Err(format!(
                        "a read of {wallet} showed {seq} although {floor} had been shown before"
                    ));
                }
                match seen {
                    Some((seq, head)) => self.place(*wallet, *seq, *head),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
