//! The connection to a cluster: which node to ask, when to ask again, when to give up.
//!
//! Promises: every call ends within its overall deadline; a request whose outcome is unknown is
//! repeated byte for byte or not at all; a hint never leads outside the configured endpoints.
//!
//! Not here: what the answers mean ([`crate::Wallet`]).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use proto::v1;
use rand::rngs::StdRng;
use tokio::time;
use types::ids::WalletId;

use crate::{
    builder::{ClientBuilder, Deadlines},
    endpoint::{Leaders, NodeIndex},
    error::{ClientError, Unavailable},
    retry::{Backoff, Outcome},
    transport::{Attempt, Transport},
};

/// Short, because a cluster without a leader has one again within a second, and whoever looks seldom finds out
/// late. A node that has too much to do names a longer time itself.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(100) };

/// A connection to one cluster. Cheap to clone; clones share connections and the leader cache.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Arc<dyn Transport>,
    leaders: Leaders,
    deadlines: Deadlines,
    jitter: Mutex<StdRng>,
}

/// Whether a request changes anything, which decides what a lost answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reads, and handshakes that can be begun anew.
    None,
    /// A commit, named by its head hash: repeating it has one effect.
    Once,
}

/// How a call ended that did not succeed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The session was not accepted: open another one and call again.
    SessionEnded(String),
    /// Everything else.
    Other(ClientError),
}

impl Client {
    /// Begins the description of a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        leaders: Leaders,
        deadlines: Deadlines,
        jitter: StdRng,
    ) -> Self {
        Self {
            inner: Arc::new(Inner { transport, leaders, deadlines, jitter: Mutex::new(jitter) }),
        }
    }

    pub(crate) fn transport(&self) -> Arc<dyn Transport> {
        self.inner.transport.clone()
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        self.inner.deadlines
    }

    /// How long to wait before going on after `failures` failures in a row.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let mut jitter = self.inner.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        BACKOFF.after(failures, &mut jitter)
    }

    /// The node to ask first about a wallet.
    pub(crate) fn node_for(&self, wallet: &WalletId) -> NodeIndex {
        self.inner.leaders.first(Some(wallet))
    }

    /// Creates a wallet. A repeated call with the same commit has one effect.
    pub(crate) async fn create(
        &self,
        wallet: &WalletId,
        request: &v1::CreateRequest,
    ) -> Result<v1::PushReply, ClientError> {
        let transport = &self.inner.transport;
        let reply = self
            .call(Effect::Once, Some(wallet), self.inner.deadlines.attempt, |node| {
                transport.create(node, request.clone())
            })
            .await
            .map_err(CallError::flatten)?;
        Ok(reply)
    }

    /// Pushes a commit. A repeated call with the same commit has one effect.
    pub(crate) async fn push(
        &self,
        wallet: &WalletId,
        request: &v1::PushRequest,
    ) -> Result<v1::PushReply, ClientError> {
        let transport = &self.inner.transport;
        let reply = self
            .call(Effect::Once, Some(wallet), self.inner.deadlines.attempt, |node| {
                transport.push(node, request.clone())
            })
            .await
            .map_err(CallError::flatten)?;
        Ok(reply)
    }

    /// Makes attempts until one succeeds, is refused for good, or the overall deadline ends.
    pub(crate) async fn call<T: Hinted>(
        &self,
        effect: Effect,
        wallet: Option<&WalletId>,
        per_attempt: Duration,
        attempt: impl FnMut(NodeIndex) -> Attempt<T>,
    ) -> Result<T, CallError> {
        self.call_for(self.inner.deadlines.overall, effect, wallet, per_attempt, attempt).await
    }

    /// As [`Client::call`], within `overall`.
    pub(crate) async fn call_for<T: Hinted>(
        &self,
        overall: Duration,
        effect: Effect,
        wallet: Option<&WalletId>,
        per_attempt: Duration,
        mut attempt: impl FnMut(NodeIndex) -> Attempt<T>,
    ) -> Result<T, CallError> {
        let leaders = &self.inner.leaders;
        let started = Instant::now();
        let mut node = leaders.first(wallet);
        let mut in_doubt = false;
        let mut failures = 0;
        loop {
            let left = overall.saturating_sub(started.elapsed());
            let outcome = match time::timeout(per_attempt.min(left), attempt(node)).await {
                Ok(Ok(answer)) => {
                    leaders.answered(node, wallet, answer.leader());
                    return Ok(answer);
                }
                Ok(Err(status)) => Outcome::of(&status),
                Err(_) => Outcome::too_slow(),
            };
            let (why, leader, wait) = match outcome {
                Outcome::Refused(refusal) => return Err(CallError::Other(refusal.into())),
                Outcome::SessionEnded { why } => return Err(CallError::SessionEnded(why)),
                Outcome::NotDone { why, leader, wait } => (why, leader, wait),
                Outcome::Unknown { why, leader, wait } => {
                    in_doubt |= effect == Effect::Once;
                    (why, leader, wait)
                }
            };
            failures += 1;
            let next = leaders.failed(node, wallet);
            node = leader.and_then(|leader| leaders.find(&leader)).unwrap_or(next);
            // The first look at each other node need not wait: only this one may be down.
            let first_round =
                usize::try_from(failures).is_ok_and(|failures| failures < leaders.count());
            let pause = if first_round { Duration::ZERO } else { self.pause(failures) };
            let pause = wait.unwrap_or_default().max(pause);
            if started.elapsed() + pause >= overall {
                return Err(CallError::Other(given_up(in_doubt, overall, why).into()));
            }
            time::sleep(pause).await;
        }
    }
}

fn given_up(in_doubt: bool, overall: Duration, last: String) -> Unavailable {
    let seconds = overall.as_secs();
    match in_doubt {
        true => Unavailable::Unknown { seconds, last },
        false => Unavailable::NotDone { seconds, last },
    }
}

impl CallError {
    /// For calls that carry no session: there a node that asks for one is a refusal.
    pub(crate) fn flatten(self) -> ClientError {
        match self {
            CallError::Other(error) => error,
            CallError::SessionEnded(message) => crate::error::Refusal::Cluster {
                code: "unauthenticated".to_owned(),
                message,
                found: None,
            }
            .into(),
        }
    }
}

/// An answer that may name the leader to ask next time.
pub(crate) trait Hinted {
    /// Public endpoint of the leader; empty when there is no hint.
    fn leader(&self) -> &str {
        ""
    }
}

impl Hinted for v1::PushReply {
    fn leader(&self) -> &str {
        &self.leader
    }
}

#[cfg(test)]
mod tests;
