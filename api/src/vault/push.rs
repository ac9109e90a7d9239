//! Creating a wallet and moving its head.
//!
//! Both are one path: shape, leadership, judgement, proposal. Whatever is refused for what the state
//! holds is refused from a state that a majority has confirmed: a leader that was deposed without
//! knowing it must not turn anybody away. What is accepted needs no such confirmation, because applying
//! it compares states again.

use std::sync::Arc;

use store::{Command, Reader, Reply};
use types::link::LinkPayload;
use types::{Commit, GroupId, HeadHash, Rejection};

use super::Vault;
use super::error::VaultError;
use super::judge::{self, Beginning, Verdict};

/// A commit that is part of its wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The place of its head.
    pub seq: u64,
    /// The hash of its head.
    pub head: HeadHash,
}

/// Commits that weigh less than this, of wallets that weigh less than this, are judged where they come
/// in: it takes well under a millisecond.
const LIGHT_BYTES: usize = 64 << 10;
const LIGHT_LINKS: usize = 2;
/// See [`LIGHT_BYTES`]. The root covers every record.
pub(super) const LIGHT_RECORDS: u32 = 512;

impl Vault {
    /// Creates a wallet, or heals one of which nothing is left here.
    ///
    /// # Errors
    /// [`VaultError::Registration`] for whoever may not; else as [`Vault::push`].
    pub async fn create(&self, commit: Commit, token: &str) -> Result<Pushed, VaultError> {
        if !self.policy.registration.admits(token) {
            return Err(VaultError::Registration);
        }
        if commit.head.head().seq != 1 && !commit.is_healing() {
            let problem =
                "a wallet begins with head 1, or is healed with all heads between".to_owned();
            return Err(VaultError::Malformed(problem));
        }
        self.commit(commit, Beginning::Admitted).await
    }

    /// Moves the head of a wallet forward. A repetition has no further effect and the same answer.
    ///
    /// # Errors
    /// [`VaultError::NotLeader`] names the node to go to; [`VaultError::Unknown`] may be followed by the
    /// same commit only; what the commit breaks, with its own code.
    pub async fn push(&self, commit: Commit) -> Result<Pushed, VaultError> {
        self.commit(commit, Beginning::None).await
    }

    async fn commit(&self, commit: Commit, beginning: Beginning) -> Result<Pushed, VaultError> {
        commit.check_shape().map_err(types::Refused::from)?;
        self.serves()?;
        let head = commit.head.head();
        let pushed = Pushed { seq: head.seq, head: commit.head.hash() };
        let group = self.group_of(&head.wallet)?;
        self.leads(group)?;
        if self.node.disk_is_low() && !revokes(&commit) {
            return Err(VaultError::DiskFull);
        }

        let wallet = head.wallet;
        let commit = Arc::new(commit);
        let applied = self.node.replica(group)?;
        let verdict = match self.judge(applied, Arc::clone(&commit), beginning).await {
            Err(refused) if depends_on_state(&refused) => {
                let confirmed = self.read(group).await?;
                self.judge(confirmed, commit, beginning).await?
            }
            verdict => verdict?,
        };
        let Verdict::Propose(push) = verdict else {
            self.metrics.push_repeated();
            return Ok(pushed);
        };
        // Only now, when it is known that a member sent it: strangers could take all the places of a
        // wallet. And a device that floods its wallet does not keep another from revoking it.
        let place = match push.links.is_empty() {
            true => Some(self.pushes.take(wallet)?),
            false => None,
        };
        let answer = self.propose(group, Command::Push(push)).await;
        drop(place);
        answer
    }

    async fn judge(
        &self,
        reader: Reader,
        commit: Arc<Commit>,
        beginning: Beginning,
    ) -> Result<Verdict, VaultError> {
        let bytes: usize = commit.envelopes.iter().map(Vec::len).sum();
        let held = reader.wallet(commit.head.head().wallet)?.map_or(0, |row| row.records);
        let light = bytes <= LIGHT_BYTES
            && commit.links.len() <= LIGHT_LINKS
            && held <= LIGHT_RECORDS
            && !commit.is_healing();
        let (keyring, time_ms) = (Arc::clone(&self.keyring), self.clock.now_ms());
        let judge = move || judge::judge(&reader, &keyring, &commit, beginning, time_ms);
        if light { judge() } else { self.apart(judge).await }
    }

    async fn propose(&self, group: GroupId, command: Command) -> Result<Pushed, VaultError> {
        match self.node.propose(group, &command).await? {
            Reply::Pushed { seq, head } => {
                self.metrics.push_acknowledged();
                Ok(Pushed { seq, head })
            }
            Reply::Rejected(rejection) => Err(rejection.into()),
            Reply::Nothing | Reply::System(_) => {
                tracing::error!(%group, "a push was answered with another command's reply");
                Err(VaultError::Broken)
            }
        }
    }
}

/// Whether a commit puts a member out: that must not wait for room.
fn revokes(commit: &Commit) -> bool {
    commit.links.iter().any(|link| matches!(link.link().payload, LinkPayload::Revoke(_)))
}

/// Whether another state could have led to another answer.
fn depends_on_state(refused: &VaultError) -> bool {
    match refused {
        VaultError::Rejected(rejection) => !matches!(rejection, Rejection::RequestReused),
        VaultError::Commit(refused) => !matches!(refused, types::Refused::Shape(_)),
        VaultError::Denied | VaultError::Signature(_) | VaultError::RecordIdReused(_) => true,
        _ => false,
    }
}
