//! A cluster in the test's own process: honest by default, hostile or forgetful on request.
//!
//! It judges commits by the same rules as a server (`types::accept`, signatures by `seal`), so a commit
//! of this client that a server would refuse fails here too.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream};
use proto::{
    convert::status_with_detail,
    v1::{self, error_detail::Retry},
};
use rand::{SeedableRng, rngs::StdRng};
use tonic::{Code, Status};
use types::{
    Accepted, Challenge, Commit, HeadHash, MemberId, MemberSignature, Refused, WalletId, accept,
    commit::RecordHeader,
};

use super::{Attempt, Credentials, Door, Frames, Transport};
use crate::{
    builder::{ClientBuilder, Deadlines},
    client::Client,
    endpoint::{Endpoint, NodeIndex},
};

mod kept;

pub(crate) use kept::{Kept, Shown};

/// What becomes of one call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is carried out, and the answer is lost.
    LoseAnswer,
    /// It never arrives.
    Lose,
    /// It is refused with this code, for good.
    Refuse(&'static str),
    /// It is not done; the named node should be asked.
    AskLeader(NodeIndex),
    /// It hangs for ever.
    Hang,
}

type Tamper = Box<dyn FnMut(&mut Shown) + Send>;
type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;

#[derive(Default)]
struct State {
    wallets: HashMap<WalletId, Kept>,
    sessions: HashMap<String, (WalletId, MemberId)>,
    faults: VecDeque<Fault>,
    tamper: Option<Tamper>,
    /// Pulls give the whole list of entries.
    full: bool,
    /// Head hashes of pushes and creations, in the order of arrival, with the node asked.
    pushed: Vec<(NodeIndex, HeadHash)>,
    hook: Option<Hook>,
    nonces: u64,
}

/// The cluster. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
}

pub(crate) const QUICK: Deadlines = Deadlines {
    connect: Duration::from_millis(200),
    attempt: Duration::from_millis(200),
    overall: Duration::from_millis(1500),
};

impl Fake {
    /// A client of three nodes of it, whose waits follow from `seed`.
    pub(crate) fn client(&self, seed: u64) -> Client {
        let endpoints =
            (1..=3).map(|node| Endpoint::parse(&format!("https://node{node}:7000")).unwrap());
        let jitter = StdRng::seed_from_u64(seed);
        ClientBuilder::assemble(endpoints.collect(), Arc::new(self.clone()), QUICK, jitter)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the next calls that change something, in order.
    pub(crate) fn fault(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// From now on every call is carried out.
    pub(crate) fn forget_faults(&self) {
        self.state().faults.clear();
    }

    /// Changes what every later pull shows.
    pub(crate) fn tamper(&self, tamper: impl FnMut(&mut Shown) + Send + 'static) {
        self.state().tamper = Some(Box::new(tamper));
    }

    /// Pulls give the whole list of entries from now on.
    pub(crate) fn show_full(&self) {
        self.state().full = true;
    }

    /// Is told of every call, before and after it is carried out.
    pub(crate) fn hook(&self, hook: impl Fn(&'static str) + Send + Sync + 'static) {
        self.state().hook = Some(Arc::new(hook));
    }

    /// Everything that the cluster holds, to be put back later.
    pub(crate) fn wallets(&self) -> HashMap<WalletId, Kept> {
        self.state().wallets.clone()
    }

    /// What an honest cluster never does: replaces what it holds.
    pub(crate) fn replace(&self, wallets: HashMap<WalletId, Kept>) {
        self.state().wallets = wallets;
    }

    /// Another cluster that holds the same.
    pub(crate) fn copy(&self) -> Self {
        let fake = Self::default();
        fake.replace(self.wallets());
        fake
    }

    pub(crate) fn kept(&self, wallet: &WalletId) -> Kept {
        self.state().wallets[wallet].clone()
    }

    /// Pushes and creations that arrived: which node was asked for which head.
    pub(crate) fn pushed(&self) -> Vec<(NodeIndex, HeadHash)> {
        self.state().pushed.clone()
    }

    /// Takes a commit over without looking at it.
    pub(crate) fn force(&self, commit: &Commit) {
        let mut state = self.state();
        let wallet = commit.head.head().wallet;
        let kept = state.wallets.remove(&wallet).unwrap();
        let records: Vec<_> = commit
            .envelopes
            .iter()
            .map(|envelope| RecordHeader::parse(envelope).unwrap())
            .collect();
        let entries = kept.entries.with(records.iter().map(RecordHeader::entry), &commit.removed);
        let mut membership = kept.membership.clone();
        commit.links.iter().for_each(|link| membership.admit(link).unwrap());
        let mut history = kept.history.clone();
        history.append_heads([&commit.head.hash()]);
        let accepted = Accepted { membership, entries, history, records, created: Vec::new() };
        state.wallets.insert(wallet, kept.after(commit, accepted));
    }

    fn told(&self, what: &'static str) {
        let hook = self.state().hook.clone();
        if let Some(hook) = hook {
            hook(what);
        }
    }

    /// Carries a change out, as far as the next fault lets it.
    fn change(
        &self,
        node: NodeIndex,
        commit: Option<v1::Commit>,
        first: bool,
    ) -> Attempt<v1::PushReply> {
        self.told("before");
        let fault = self.state().faults.pop_front();
        let wire = commit.unwrap();
        let commit = Commit::try_from(&wire).unwrap();
        self.state().pushed.push((node, commit.head.hash()));
        let carried = match fault {
            None | Some(Fault::LoseAnswer) => {
                let reply = self.state().judge(&commit, first);
                self.told("after");
                match fault {
                    None => reply,
                    _ => Err(Status::unknown("the connection broke")),
                }
            }
            Some(Fault::Lose) => Err(Status::unknown("the connection broke")),
            Some(Fault::Refuse(code)) => Err(refusal(code, Retry::Never, "", None)),
            Some(Fault::AskLeader(node)) => Err(refusal(
                "not_leader",
                Retry::Safe,
                &format!("https://node{}:7000", node + 1),
                None,
            )),
            Some(Fault::Hang) => return futures::future::pending().boxed(),
        };
        async move { carried }.boxed()
    }

    fn show(
        &self,
        request: &v1::PullRequest,
        as_whom: &Credentials,
    ) -> Result<Vec<v1::PullReply>, Status> {
        let mut state = self.state();
        let token = as_whom.authorization.strip_prefix("DPoP ").unwrap_or_default();
        let (wallet, member) =
            *state.sessions.get(token).ok_or_else(|| refusal("session", Retry::Never, "", None))?;
        assert_eq!(
            wallet.as_bytes().as_slice(),
            &request.wallet[..],
            "a session of another wallet"
        );
        let kept = &state.wallets[&wallet];
        if kept.membership.active(&member).is_none() {
            return Err(refusal("member_inactive", Retry::Never, "", None));
        }
        let mut shown = kept.shown(request, state.full);
        if let Some(tamper) = &mut state.tamper {
            tamper(&mut shown);
        }
        Ok(shown.frames())
    }
}

impl State {
    fn judge(&mut self, commit: &Commit, first: bool) -> Result<v1::PushReply, Status> {
        let wallet = commit.head.head().wallet;
        let reply = v1::PushReply {
            seq: commit.head.head().seq,
            head: commit.head.hash().as_bytes().to_vec().into(),
            leader: "https://node1:7000".to_owned(),
        };
        let kept = self.wallets.get(&wallet);
        if kept.is_some_and(|kept| kept.heads.iter().any(|head| head.hash() == commit.head.hash()))
        {
            return Ok(reply);
        }
        assert_eq!(first, kept.is_none(), "create for new wallets, push for others");
        let stored = kept.map(Kept::stored);
        let accepted = accept(stored.as_ref(), commit).map_err(|refused| match refused {
            Refused::Conflict { found, found_seq, .. } => {
                refusal("conflict", Retry::Never, "", Some((found_seq, found)))
            }
            other => panic!("a commit that a server would refuse: {other}"),
        })?;
        for link in &commit.links {
            seal::verify_link(&accepted.membership, link).unwrap();
        }
        seal::verify_head(&accepted.membership, &commit.head).unwrap();
        let kept = self
            .wallets
            .remove(&wallet)
            .unwrap_or_else(|| Kept::empty(accepted.membership.clone()));
        self.wallets.insert(wallet, kept.after(commit, accepted));
        Ok(reply)
    }

    fn session(&mut self, wallet: WalletId, member: MemberId) -> v1::Session {
        self.nonces += 1;
        let token = format!("token{}", self.nonces);
        self.sessions.insert(token.clone(), (wallet, member));
        v1::Session { token, expires: u64::MAX, wallet: wallet.as_bytes().to_vec().into() }
    }
}

pub(crate) fn refusal(
    code: &str,
    retry: Retry,
    leader: &str,
    found: Option<(u64, HeadHash)>,
) -> Status {
    let detail = v1::ErrorDetail {
        code: code.to_owned(),
        message: format!("refused with {code}"),
        retry: retry.into(),
        leader: leader.to_owned(),
        retry_after_ms: 0,
        found_seq: found.map_or(0, |(seq, _)| seq),
        found_head: found.map_or_else(Vec::new, |(_, hash)| hash.as_bytes().to_vec()).into(),
    };
    status_with_detail(
        if retry == Retry::Safe { Code::Unavailable } else { Code::FailedPrecondition },
        &detail,
    )
}

impl Transport for Fake {
    fn create(&self, node: NodeIndex, request: v1::CreateRequest) -> Attempt<v1::PushReply> {
        self.change(node, request.commit, true)
    }

    fn push(&self, node: NodeIndex, request: v1::PushRequest) -> Attempt<v1::PushReply> {
        self.change(node, request.commit, false)
    }

    fn challenge(&self, _: NodeIndex, _: Door) -> Attempt<v1::ChallengeReply> {
        let reply = v1::ChallengeReply {
            nonce: vec![7; 32].into(),
            cluster: vec![9; 16].into(),
            expires: crate::clock::now_s() + 60,
        };
        async move { Ok(reply) }.boxed()
    }

    fn open_session(&self, _: NodeIndex, request: v1::OpenSessionRequest) -> Attempt<v1::Session> {
        let challenge = Challenge::parse(&request.challenge).unwrap();
        let signature = request.signature.as_ref().try_into().unwrap();
        let signature = MemberSignature { member: challenge.member, signature };
        let mut state = self.state();
        let kept = state.wallets.get(&challenge.wallet);
        let active = kept.and_then(|kept| kept.membership.active(&challenge.member));
        let opened = match active {
            None => Err(refusal("denied", Retry::Never, "", None)),
            Some(active) => {
                seal::verify_challenge(&active.member, &challenge, &signature).unwrap();
                Ok(state.session(challenge.wallet, challenge.member))
            }
        };
        async move { opened }.boxed()
    }

    fn open_recovery(&self, _: NodeIndex, request: v1::OpenRequest) -> Attempt<v1::OpenReply> {
        let challenge = Challenge::parse(&request.challenge).unwrap();
        let signature = request.signature.as_ref().try_into().unwrap();
        let signature = MemberSignature { member: challenge.member, signature };
        let mut state = self.state();
        let located: Vec<_> = state
            .wallets
            .iter()
            .filter_map(|(wallet, kept)| {
                Some((*wallet, kept.membership.active(&challenge.member)?.member))
            })
            .filter(|(_, member)| {
                member.locator().is_some_and(|own| own.as_bytes()[..] == request.locator[..])
            })
            .filter(|(_, member)| seal::verify_challenge(member, &challenge, &signature).is_ok())
            .collect();
        let opened = match located.is_empty() {
            true => Err(refusal("denied", Retry::Never, "", None)),
            false => {
                let sessions =
                    located.iter().map(|(wallet, _)| state.session(*wallet, challenge.member));
                Ok(v1::OpenReply { sessions: sessions.collect() })
            }
        };
        async move { opened }.boxed()
    }

    fn pull(
        &self,
        _: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames> {
        let frames = self.show(&request, &as_whom);
        async move { Ok(stream::iter(frames?.into_iter().map(Ok)).boxed() as Frames) }.boxed()
    }

    fn watch(
        &self,
        node: NodeIndex,
        request: v1::PullRequest,
        as_whom: Credentials,
    ) -> Attempt<Frames> {
        self.pull(node, request, as_whom)
    }
}
