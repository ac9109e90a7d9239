//! The session that a wallet reads with: kept while it is fresh, opened when it is needed.

use seal::{MemberKeys, Secret32, es256::SoftwareKey};

use super::Wallet;
use crate::{
    error::{ClientError, Refusal},
    session::{Session, export::ExportedSession},
};

impl Wallet {
    /// A session for other tools, such as curl: token and key.
    ///
    /// # Errors
    /// As [`Wallet::pull`].
    pub async fn session(&mut self) -> Result<ExportedSession, ClientError> {
        let (key, scalar) = loop {
            let scalar = Secret32::random(&mut self.random);
            // One in 2^32 draws is no key.
            if let Ok(key) = SoftwareKey::from_bytes(Secret32::new(scalar.expose())) {
                break (key, scalar);
            }
        };
        let session = self.open_session(key).await?;
        Ok(ExportedSession::new(&session, scalar))
    }

    /// Takes the session out, or opens one. Whoever takes it puts it back if it was accepted.
    pub(super) async fn take_session(&mut self) -> Result<Session, ClientError> {
        match self.session.take().filter(Session::is_fresh) {
            Some(session) => Ok(session),
            None => {
                let key = SoftwareKey::generate(&mut self.random);
                self.open_session(key).await
            }
        }
    }

    async fn open_session(&mut self, key: SoftwareKey) -> Result<Session, ClientError> {
        let opened =
            Session::open(&self.client, &self.member, self.local.wallet(), key, &mut self.random)
                .await;
        opened.map_err(|error| self.told(error))
    }

    /// The cluster does not tell strangers why it turns them away; a device of this wallet knows.
    pub(super) fn told(&self, error: ClientError) -> ClientError {
        match error.refusal_code() {
            Some("denied" | "member_inactive") => Refusal::NotActive(self.member.id()).into(),
            Some("erased") => Refusal::Erased.into(),
            _ => error,
        }
    }
}
