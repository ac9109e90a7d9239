//! The methods of one question and one answer, on messages: called by the services, and for requests
//! that other nodes passed on.

use proto::v1;
use types::Commit;

use crate::shed::Admission;
use crate::vault::{Opened, Pushed, Vault, VaultError};

/// Path of [`create`].
pub(crate) const CREATE: &str = "/holdfast.v1.Wallets/Create";
/// Path of [`push`].
pub(crate) const PUSH: &str = "/holdfast.v1.Wallets/Push";
/// Path of [`open_session`].
pub(crate) const OPEN_SESSION: &str = "/holdfast.v1.Devices/OpenSession";
/// Path of [`open`].
pub(crate) const OPEN: &str = "/holdfast.v1.Recovery/Open";

/// See [`Vault::create`].
pub(crate) async fn create(
    vault: &Vault,
    request: &v1::CreateRequest,
    admission: Admission,
) -> Result<v1::PushReply, VaultError> {
    let commit = commit(request.commit.as_ref())?;
    admission.decide(&commit)?;
    Ok(reply(vault.create(commit, &request.registration_token).await?))
}

/// See [`Vault::push`].
pub(crate) async fn push(
    vault: &Vault,
    request: &v1::PushRequest,
    admission: Admission,
) -> Result<v1::PushReply, VaultError> {
    let commit = commit(request.commit.as_ref())?;
    admission.decide(&commit)?;
    Ok(reply(vault.push(commit).await?))
}

/// See [`Vault::open_session`].
pub(crate) async fn open_session(
    vault: &Vault,
    request: &v1::OpenSessionRequest,
) -> Result<v1::Session, VaultError> {
    Ok(session(vault.open_session(&request.challenge, &request.signature).await?))
}

/// See [`Vault::open_by_locator`].
pub(crate) async fn open(
    vault: &Vault,
    request: &v1::OpenRequest,
) -> Result<v1::OpenReply, VaultError> {
    let opened =
        vault.open_by_locator(&request.locator, &request.challenge, &request.signature).await?;
    Ok(v1::OpenReply { sessions: opened.into_iter().map(session).collect() })
}

/// See [`Vault::invite`].
pub(crate) fn challenge(vault: &Vault) -> Result<v1::ChallengeReply, VaultError> {
    let invitation = vault.invite()?;
    Ok(v1::ChallengeReply {
        nonce: invitation.nonce.bytes.to_vec().into(),
        cluster: invitation.cluster.as_bytes().to_vec().into(),
        expires: invitation.nonce.expires_s,
    })
}

fn commit(message: Option<&v1::Commit>) -> Result<Commit, VaultError> {
    let missing = || VaultError::Malformed("the request has no commit".to_owned());
    Ok(Commit::try_from(message.ok_or_else(missing)?)?)
}

fn reply(pushed: Pushed) -> v1::PushReply {
    v1::PushReply {
        seq: pushed.seq,
        head: pushed.head.as_bytes().to_vec().into(),
        leader: String::new(),
    }
}

fn session(opened: Opened) -> v1::Session {
    v1::Session {
        token: opened.token,
        expires: opened.expires_s,
        wallet: opened.wallet.as_bytes().to_vec().into(),
    }
}
