//! A session for other tools: the token, and proofs made with the key that it is bound to.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use seal::{Secret32, dpop, es256::SoftwareKey};
use serde::{Deserialize, Serialize};
use types::{Secret, ids::WalletId};
use zeroize::{Zeroize, Zeroizing};

use super::Session;
use crate::{
    error::{ClientError, Usage},
    random,
};

/// A session outside of a wallet: to be kept in a file of mode 0600, as `holdfast wallet session` does.
pub struct ExportedSession {
    /// The wallet that may be read.
    pub wallet: WalletId,
    /// Goes into `authorization: DPoP TOKEN`.
    pub token: String,
    /// When it ends, in Unix seconds.
    pub expires_s: u64,
    scalar: Secret32,
}

#[derive(Serialize, Deserialize)]
struct File {
    wallet: WalletId,
    token: String,
    expires_s: u64,
    key: String,
}

impl Drop for File {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl ExportedSession {
    /// `scalar` is the private key that `session` is bound to.
    pub(crate) fn new(session: &Session, scalar: Secret32) -> Self {
        Self {
            wallet: session.wallet,
            token: session.token.clone(),
            expires_s: session.expires_s,
            scalar,
        }
    }

    /// The contents of its file. They hold the private key.
    pub fn to_file(&self) -> Secret {
        let file = File {
            wallet: self.wallet,
            token: self.token.clone(),
            expires_s: self.expires_s,
            key: BASE64_URL_SAFE_NO_PAD.encode(self.scalar.expose()),
        };
        Secret::new(serde_json::to_vec_pretty(&file).expect("a session is plain text"))
    }

    /// Reads what [`ExportedSession::to_file`] wrote.
    ///
    /// # Errors
    /// [`Usage::SessionFile`] if it is something else.
    pub fn from_file(bytes: &[u8]) -> Result<Self, ClientError> {
        let file: File = serde_json::from_slice(bytes).map_err(|_| Usage::SessionFile)?;
        let key = BASE64_URL_SAFE_NO_PAD.decode(&file.key).map(Zeroizing::new);
        let scalar =
            key.ok().and_then(|key| Secret32::from_slice(&key)).ok_or(Usage::SessionFile)?;
        let File { wallet, ref token, expires_s, .. } = file;
        Ok(Self { wallet, token: token.clone(), expires_s, scalar })
    }

    /// A proof (RFC 9449) for one request within the next minute: the value of the `dpop` header.
    /// `target` is the URL, or the method path on gRPC.
    ///
    /// # Errors
    /// [`Usage::SessionFile`] if the key is none; [`ClientError::Keys`] if signing fails.
    pub fn proof(&self, method: &str, target: &str) -> Result<String, ClientError> {
        let key = SoftwareKey::from_bytes(Secret32::new(self.scalar.expose()))
            .map_err(|_| Usage::SessionFile)?;
        let request = dpop::Request { method, uri: target, token: &self.token };
        Ok(dpop::build(&mut random::system(), &key, &request, crate::clock::now_s())?)
    }
}
