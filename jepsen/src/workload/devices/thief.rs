//! What a stolen device gets by a session that it has, at one node, and what it is told of its commits. It takes
//! what it is shown: the client of the product would turn away by itself once it learns that it is revoked, and
//! say nothing of a node that does not.

use client::{
    ClientError, Endpoint, ExportedSession, Record, Refusal, Unavailable, Wallet, tls::Trust,
};
use proto::{
    convert::detail_of,
    v1::{
        PullReply, PullRequest, error_detail::Retry, pull_reply::Part,
        wallets_client::WalletsClient,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::{error::Elapsed, timeout};
use tonic::{Code, Request, Status, Streaming, metadata::MetadataValue, transport::Channel};
use types::SignedHead;

use crate::workload::{Access, DEADLINES, Planted, moved};

const PULL: &str = "/holdfast.v1.Wallets/Pull";
const WATCH: &str = "/holdfast.v1.Wallets/Watch";
/// A watch says at least so often that it is there.
const SILENCE: Duration = Duration::from_secs(120);
/// What a node says of a session, a challenge or a proof that it does not take.
const OF_A_SESSION: [&str; 3] = ["session", "proof", "challenge"];
/// What it says to a device that is no member any more.
const OF_A_MEMBER: [&str; 2] = ["member_inactive", "denied"];

/// What it says of a commit that is not on top of the head.
const MOVED_ON: &str = "conflict";

/// What a member is told of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is part of the wallet.
    Accepted,
    /// It is not on top of the head.
    MovedOn,
}

/// A device with a session.
pub(super) struct Thief {
    pub(super) wallet: Wallet,
    planted: Arc<Planted>,
    wallets: WalletsClient<Channel>,
    session: Option<ExportedSession>,
    /// The head that it was shown last.
    held: Option<SignedHead>,
}

impl Thief {
    /// A device that asks one node.
    pub(super) fn at(
        wallet: Wallet,
        access: &Access,
        node: usize,
        planted: Arc<Planted>,
    ) -> Result<Thief, ClientError> {
        let wallets = wallets(access, node)?;
        let mut thief = Thief { wallet, planted, wallets, session: None, held: None };
        moved(&mut thief.wallet, access.only(node))?;
        Ok(thief)
    }

    /// Asks another node from now on, by the session that it has.
    pub(super) fn go_to(&mut self, access: &Access, node: usize) -> Result<(), ClientError> {
        self.wallets = wallets(access, node)?;
        moved(&mut self.wallet, access.only(node))
    }

    /// Whether it has a session.
    pub(super) fn has_a_session(&self) -> bool {
        self.session.is_some()
    }

    /// Opens a session.
    pub(super) async fn open(&mut self) -> Result<(), ClientError> {
        let session = self.wallet.session().await?;
        self.planted.session(&session);
        self.session = Some(session);
        Ok(())
    }

    /// Is shown what is new, by the session that it has.
    pub(super) async fn pull(&mut self, at_least: bool) -> Result<(), ClientError> {
        let request = self.request(PULL, at_least).await?;
        let answer = timeout(DEADLINES.attempt, self.wallets.pull(request)).await;
        let mut frames = self.answered(in_time(answer))?.into_inner();
        loop {
            let frame = self.frame(&mut frames, DEADLINES.attempt).await?;
            match frame.part {
                Some(Part::End(_)) => return Ok(()),
                part => self.shown(part)?,
            };
        }
    }

    /// The same by a session that it opens for that.
    pub(super) async fn pull_anew(&mut self) -> Result<(), ClientError> {
        let kept = self.session.take();
        let pulled = self.pull(false).await;
        self.session = kept;
        pulled
    }

    /// Sends a commit of its own, on top of the head that it knows. A cluster decides about a commit of a member
    /// only: whoever is told that the head has moved on was taken for one.
    ///
    /// A leader that was just elected may have missed the revocation when it takes the commit, and finds out when
    /// that is applied: what it says of the second one it says by what it has applied by then.
    pub(super) async fn push(&mut self, record: Record) -> Result<Pushed, ClientError> {
        self.wallet.put(record)?;
        let mut pushed = self.push_once().await;
        if let Ok(Pushed::MovedOn) = pushed {
            pushed = self.push_once().await;
        }
        self.wallet.discard()?;
        pushed
    }

    async fn push_once(&mut self) -> Result<Pushed, ClientError> {
        match self.wallet.push_unmerged().await {
            Ok(_) => Ok(Pushed::Accepted),
            Err(error) if error.refusal_code() == Some(MOVED_ON) => Ok(Pushed::MovedOn),
            Err(error) => Err(error),
        }
    }

    /// Watches by the session that it has, and tells the number of each head that it is shown. It comes back
    /// when that ends.
    pub(super) async fn watch(&mut self, mut tell: impl FnMut(u64)) -> Result<(), ClientError> {
        let request = self.request(WATCH, false).await?;
        let answer = timeout(DEADLINES.attempt, self.wallets.watch(request)).await;
        let mut frames = self.answered(in_time(answer))?.into_inner();
        loop {
            let frame = self.frame(&mut frames, SILENCE).await?;
            if let Some(seq) = self.shown(frame.part)? {
                tell(seq);
            }
        }
    }

    async fn request(
        &mut self,
        path: &str,
        at_least: bool,
    ) -> Result<Request<PullRequest>, ClientError> {
        if self.session.is_none() {
            self.open().await?;
        }
        let Some(session) = &self.session else { return Err(not_done("no session")) };
        let held = self.held.as_ref();
        let mut request = Request::new(PullRequest {
            wallet: session.wallet.as_bytes().to_vec().into(),
            seq: held.map_or(0, |head| head.head().seq),
            head: held.map_or_else(Vec::new, |head| head.hash().as_bytes().to_vec()).into(),
            links: held.map_or(0, |head| head.head().links),
            at_least,
        });
        let proof = session.proof("POST", path)?;
        for (name, value) in [("authorization", format!("DPoP {}", session.token)), ("dpop", proof)]
        {
            let value = MetadataValue::try_from(value).map_err(not_done)?;
            request.metadata_mut().insert(name, value);
        }
        Ok(request)
    }

    async fn frame(
        &mut self,
        frames: &mut Streaming<PullReply>,
        silence: Duration,
    ) -> Result<PullReply, ClientError> {
        let frame = timeout(silence, frames.message()).await;
        self.answered(in_time(frame))?.ok_or_else(|| not_done("the answer was cut off"))
    }

    /// The number of the head that a part shows.
    fn shown(&mut self, part: Option<Part>) -> Result<Option<u64>, ClientError> {
        let Some(Part::Start(start)) = part else { return Ok(None) };
        let head = start.head.as_ref().ok_or_else(|| not_done("a start without a head"))?;
        let head = SignedHead::try_from(head).map_err(not_done)?;
        let seq = head.head().seq;
        self.held = Some(head);
        Ok(Some(seq))
    }

    /// What an answer means for a device.
    fn answered<T>(&mut self, answer: Result<T, Status>) -> Result<T, ClientError> {
        answer.map_err(|status| {
            let Some(detail) = detail_of(&status) else {
                self.session.take_if(|_| status.code() == Code::Unauthenticated);
                return not_done(status);
            };
            let code = detail.code.as_str();
            if OF_A_MEMBER.contains(&code) {
                return Refusal::NotActive(self.wallet.device()).into();
            }
            let of_the_session = OF_A_SESSION.contains(&code);
            self.session.take_if(|_| of_the_session);
            match detail.retry() {
                Retry::Never => {
                    let code = if of_the_session { "unauthenticated" } else { code };
                    let (code, message) = (code.to_owned(), detail.message);
                    Refusal::Cluster { code, message, found: None }.into()
                }
                _ => not_done(detail.message),
            }
        })
    }
}

/// A node's door.
fn wallets(access: &Access, node: usize) -> Result<WalletsClient<Channel>, ClientError> {
    let only = access.only(node);
    let endpoint = Endpoint::parse(&only.endpoints[0])?;
    let channel = Trust::from_pem(only.ca_pem.as_bytes())?.channel(&endpoint, DEADLINES.connect)?;
    Ok(WalletsClient::new(channel))
}

fn in_time<T>(answer: Result<Result<T, Status>, Elapsed>) -> Result<T, Status> {
    answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
}

/// A read without an answer: nothing was changed.
fn not_done(last: impl ToString) -> ClientError {
    let (seconds, last) = (DEADLINES.attempt.as_secs(), last.to_string());
    Unavailable::NotDone { seconds, last }.into()
}
