//! Room: how much may be under way at once, in all and for each caller and wallet. Who gets none is told
//! so at once, with a time to wait; nobody queues here.
//!
//! Requests have a class. As the node fills up reads are refused first, then pushes, and last what must
//! get through when everything else does not: recovery, changes of members and with them revocation. A
//! push shows what it is only when it has been read; a few are let in for that when there is no more
//! room for pushes.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::{Commit, MemberId, WalletId};

use crate::auth::Caller;
use crate::methods::Class;
use crate::policy::Limits;
use crate::vault::VaultError;

pub(crate) mod body;
mod keyed;
mod pool;
mod pressure;

pub(crate) use keyed::{Keyed, KeyedPermit};
pub(crate) use pool::Permit;
pub(crate) use pressure::WAIT_MIN_MS;

use body::{Account, Bytewise};
use pool::Pool;

/// What one set of frames of a stream may hold, in KiB: a part, and one object more.
const FRAMES_KIB: u32 = 512;

/// Probes under way by gRPC, which any stranger may ask and which may be streams without an end.
const PROBES: usize = 256;
/// Of them from one address.
const PROBES_PER_ADDRESS: usize = 16;

/// The room of one node.
pub(crate) struct Permits {
    requests: Pool,
    request_bytes: Bytewise,
    by_address: Keyed<IpAddr>,
    forwarded: Pool,
    forwarded_bytes: Bytewise,
    admin: Pool,
    probes: Pool,
    probes_by_address: Keyed<IpAddr>,
    pulls: Pool,
    pulls_of_wallet: Keyed<WalletId>,
    reads_of_member: Keyed<(WalletId, MemberId)>,
    watches: Pool,
    watches_of_wallet: Keyed<WalletId>,
    frames: Arc<Semaphore>,
}

/// The place of a request; given back when dropped.
pub(crate) struct Place {
    _request: Permit,
    _address: Option<KeyedPermit<IpAddr>>,
    bytes: Account,
}

/// The place of a stream of answers; given back when dropped.
pub(crate) struct StreamPlace {
    _node: Permit,
    _wallet: KeyedPermit<WalletId>,
    _member: KeyedPermit<(WalletId, MemberId)>,
}

/// Room for frames that are ready; given back when dropped.
#[derive(Debug)]
pub(crate) struct FrameRoom(
    #[expect(dead_code, reason = "held for its drop")] Option<OwnedSemaphorePermit>,
);

/// Whether a push that was let in may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Whatever it is.
    Granted,
    /// Only if it turns out to be urgent.
    IfUrgent,
}

impl Admission {
    /// Decides, now that it has been read.
    ///
    /// # Errors
    /// [`VaultError::Busy`] if it must not go on.
    pub(crate) fn decide(self, commit: &Commit) -> Result<(), VaultError> {
        match self {
            Self::IfUrgent if !is_urgent(commit) => Err(VaultError::Overloaded),
            _ => Ok(()),
        }
    }
}

/// Whether a commit changes who may do what in a wallet that there is.
fn is_urgent(commit: &Commit) -> bool {
    commit.links.first().is_some_and(|link| link.link().n > 0)
}

impl Permits {
    /// As much as the limits say, all free.
    pub(crate) fn new(limits: &Limits) -> Self {
        let frames_kib = limits.stream_bytes / 1024;
        Self {
            requests: Pool::new("requests", limits.requests),
            request_bytes: Arc::new(Pool::new("bytes of requests", limits.request_bytes)),
            by_address: Keyed::new("requests of one address", limits.requests_per_address),
            forwarded: Pool::new("forwarded requests", limits.forwarded),
            forwarded_bytes: Arc::new(Pool::new(
                "bytes of forwarded requests",
                limits.forwarded_bytes,
            )),
            admin: Pool::new("operators' requests", limits.admin_requests),
            probes: Pool::new("probes", PROBES),
            probes_by_address: Keyed::new("probes of one address", PROBES_PER_ADDRESS),
            pulls: Pool::new("pulls", limits.pulls),
            pulls_of_wallet: Keyed::new("pulls of this wallet", limits.pulls_per_wallet),
            reads_of_member: Keyed::new("reads of this member", limits.reads_per_member),
            watches: Pool::new("watches", limits.watches),
            watches_of_wallet: Keyed::new("watches of this wallet", limits.watches_per_wallet),
            frames: Arc::new(Semaphore::new(frames_kib.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// One request of a client at an address, whose body takes so many times its length.
    pub(crate) fn request(
        &self,
        class: Class,
        address: Option<IpAddr>,
        times: usize,
    ) -> Result<(Place, Admission), VaultError> {
        let by_address = address.map(|address| self.by_address.take(address)).transpose()?;
        let (request, class, admission) = undecided(class, |class| self.requests.take(class))?;
        let bytes = Account::new(&self.request_bytes, class, times);
        Ok((Place { _request: request, _address: by_address, bytes }, admission))
    }

    /// One request that another node passed on.
    pub(crate) fn forwarded(&self, class: Class) -> Result<(Permit, Admission), VaultError> {
        let (permit, _, admission) = undecided(class, |class| self.forwarded.take(class))?;
        Ok((permit, admission))
    }

    /// What a request that another node passes on carries.
    pub(crate) fn forwarded_body(&self, times: usize) -> Account {
        Account::new(&self.forwarded_bytes, Class::Urgent, times)
    }

    /// One request of an operator.
    pub(crate) fn admin(&self, times: usize) -> Result<Place, VaultError> {
        let request = self.admin.take(Class::Urgent)?;
        let bytes = Account::new(&self.request_bytes, Class::Urgent, times);
        Ok(Place { _request: request, _address: None, bytes })
    }

    /// One question after this node's health or its services, and the answer until its end.
    pub(crate) fn probe(&self, address: Option<IpAddr>) -> Result<Place, VaultError> {
        let by_address = address.map(|address| self.probes_by_address.take(address)).transpose()?;
        let request = self.probes.take(Class::Urgent)?;
        let bytes = Account::new(&self.request_bytes, Class::Read, 1);
        Ok(Place { _request: request, _address: by_address, bytes })
    }

    /// One pull or listing by a session.
    pub(crate) fn pull(&self, caller: &Caller) -> Result<StreamPlace, VaultError> {
        Ok(StreamPlace {
            _member: self.reads_of_member.take((caller.wallet, caller.member))?,
            _wallet: self.pulls_of_wallet.take(caller.wallet)?,
            _node: self.pulls.take(Class::Urgent)?,
        })
    }

    /// One watch by a session.
    pub(crate) fn watch(&self, caller: &Caller) -> Result<StreamPlace, VaultError> {
        Ok(StreamPlace {
            _member: self.reads_of_member.take((caller.wallet, caller.member))?,
            _wallet: self.watches_of_wallet.take(caller.wallet)?,
            _node: self.watches.take(Class::Urgent)?,
        })
    }

    /// Waits until there is room for frames to be made ready.
    pub(crate) async fn frames(&self) -> FrameRoom {
        // It is never closed.
        FrameRoom(Arc::clone(&self.frames).acquire_many_owned(FRAMES_KIB).await.ok())
    }
}

/// Tries for a place as the class that a request has, and, of a push, as one that may be urgent.
fn undecided(
    class: Class,
    take: impl Fn(Class) -> Result<Permit, VaultError>,
) -> Result<(Permit, Class, Admission), VaultError> {
    match take(class) {
        Err(_) if class == Class::Write => {
            let class = Class::Undecided;
            Ok((take(class)?, class, Admission::IfUrgent))
        }
        taken => Ok((taken?, class, Admission::Granted)),
    }
}

impl Place {
    /// What the request carries.
    pub(crate) fn bytes(&self) -> &Account {
        &self.bytes
    }
}
