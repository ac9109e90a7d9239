//! Callers: sessions, proofs, and the clients of one node's routes.

use axum::Router;
use proto::admin::admin_client::AdminClient;
use proto::v1::devices_client::DevicesClient;
use proto::v1::pull_reply::Part;
use proto::v1::recovery_client::RecoveryClient;
use proto::v1::wallets_client::WalletsClient;
use proto::v1::{
    ChallengeReply, ChallengeRequest, CreateRequest, OpenSessionRequest, PullReply, PullRequest,
    PushReply, PushRequest, Session,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::dpop;
use seal::es256::SoftwareKey;
use seal::{MemberKeys, sign_challenge};
use tonic::{Request, Status};
use types::{Challenge, ChallengeUse, ClusterId, Commit, Suite, WalletId};

use super::authority::operator;
use super::cluster::{Cluster, Member};

pub const PULL: &str = "/holdfast.v1.Wallets/Pull";
pub const WATCH: &str = "/holdfast.v1.Wallets/Watch";
pub const LINKS: &str = "/holdfast.v1.Devices/Links";

impl Member {
    pub fn wallets(&self) -> WalletsClient<Router> {
        WalletsClient::new(self.routes.clone())
            .max_decoding_message_size(16 << 20)
            .max_encoding_message_size(16 << 20)
    }

    pub fn devices(&self) -> DevicesClient<Router> {
        DevicesClient::new(self.routes.clone())
    }

    pub fn recovery(&self) -> RecoveryClient<Router> {
        RecoveryClient::new(self.routes.clone())
    }

    pub fn admin(&self) -> AdminClient<Router> {
        AdminClient::new(self.routes.clone())
    }

    pub async fn create(&self, commit: &Commit) -> Result<PushReply, Status> {
        let request =
            CreateRequest { commit: Some(commit.into()), registration_token: String::new() };
        Ok(self.wallets().create(request).await?.into_inner())
    }

    pub async fn push(&self, commit: &Commit) -> Result<PushReply, Status> {
        Ok(self.wallets().push(PushRequest { commit: Some(commit.into()) }).await?.into_inner())
    }

    pub async fn challenge(&self) -> ChallengeReply {
        self.devices().challenge(ChallengeRequest {}).await.unwrap().into_inner()
    }

    /// Opens a session for a device.
    pub async fn open(
        &self,
        wallet: WalletId,
        keys: &dyn MemberKeys,
        seed: u64,
    ) -> Result<Held, Status> {
        let invitation = self.challenge().await;
        let key = SoftwareKey::generate(&mut StdRng::seed_from_u64(seed));
        let (challenge, signature) = answer(&invitation, ChallengeUse::Session, wallet, keys, &key);
        let request =
            OpenSessionRequest { challenge: challenge.into(), signature: signature.into() };
        let session = self.devices().open_session(request).await?.into_inner();
        Ok(Held { session, key })
    }

    /// The frames of a whole pull.
    pub async fn pull(
        &self,
        cluster: &Cluster,
        held: &Held,
        request: PullRequest,
    ) -> Result<Vec<Part>, Status> {
        let request = held.request(cluster, PULL, request);
        let mut frames = self.wallets().pull(request).await?.into_inner();
        let mut parts = Vec::new();
        while let Some(PullReply { part }) = frames.message().await? {
            parts.push(part.unwrap());
        }
        Ok(parts)
    }
}

/// A session and its key.
pub struct Held {
    pub session: Session,
    pub key: SoftwareKey,
}

impl Held {
    /// A request to a method, with token and proof.
    pub fn request<T>(&self, cluster: &Cluster, path: &str, message: T) -> Request<T> {
        let proof = self.proof("POST", path, cluster.now_s(), rand_seed(path, &self.session.token));
        self.with_proof(&proof, message)
    }

    /// A proof for one request.
    pub fn proof(&self, method: &str, uri: &str, now_s: u64, seed: u64) -> String {
        let request = dpop::Request { method, uri, token: &self.session.token };
        dpop::build(&mut StdRng::seed_from_u64(seed), &self.key, &request, now_s).unwrap()
    }

    /// A request with this proof.
    pub fn with_proof<T>(&self, proof: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = format!("DPoP {}", self.session.token);
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request.metadata_mut().insert("dpop", proof.parse().unwrap());
        request
    }
}

/// Another seed with every call, so that no two proofs are the same.
fn rand_seed(path: &str, token: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(1000);
    let mut hasher = DefaultHasher::new();
    (path, token, CALLS.fetch_add(1, Ordering::Relaxed)).hash(&mut hasher);
    hasher.finish()
}

/// A signed challenge.
pub fn answer(
    invitation: &ChallengeReply,
    usage: ChallengeUse,
    wallet: WalletId,
    keys: &dyn MemberKeys,
    ephemeral: &SoftwareKey,
) -> (Vec<u8>, Vec<u8>) {
    let challenge = Challenge {
        suite: Suite::P256,
        usage,
        cluster: ClusterId::parse(&invitation.cluster).unwrap(),
        wallet,
        member: keys.id(),
        nonce: invitation.nonce.as_ref().try_into().unwrap(),
        ephemeral: *ephemeral.public(),
        expires_s: invitation.expires,
    };
    sign(&challenge, keys)
}

/// A challenge, signed.
pub fn sign(challenge: &Challenge, keys: &dyn MemberKeys) -> (Vec<u8>, Vec<u8>) {
    let signature = sign_challenge(&mut StdRng::seed_from_u64(9), keys, challenge).unwrap();
    (challenge.encode(), signature.signature.to_vec())
}

/// A request from an operator.
pub fn as_operator<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(operator("ada"));
    request
}

/// A pull of everything.
pub fn from_nothing(wallet: WalletId) -> PullRequest {
    PullRequest { wallet: wallet.as_bytes().to_vec().into(), ..PullRequest::default() }
}
