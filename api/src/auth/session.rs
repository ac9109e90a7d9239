//! Sessions at the door: the token and the proof that every read carries.
//!
//! `authorization: DPoP <token>` says which session, and the proof in `dpop` (RFC 9449) shows that
//! whoever sends it holds the session's key, for this request, now, once. Both are ES256 and a MAC; no
//! state of any group is looked at here. Whether the member may still read is the vault's to say.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use seal::dpop::{self, Request};
use seal::{ServerKeyring, Session, SessionRefused};
use types::{LinkHash, MemberId, WalletId};

use super::replay::{Seen, SeenProofs};
use crate::door::Asked;
use crate::vault::VaultError;

/// The header that carries the proof.
const DPOP: &str = "dpop";
/// The scheme in front of the token.
const SCHEME: &str = "DPoP ";

/// How long to wait when as many proofs were seen as can be remembered, in milliseconds.
const FULL_WAIT_MS: u32 = 1_000;

/// A member that came in by a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The wallet that it may read.
    pub wallet: WalletId,
    /// Who it is.
    pub member: MemberId,
    /// The last link of the wallet when the session was opened.
    pub link: LinkHash,
    /// When the session ends, in Unix seconds.
    pub expires_s: u64,
}

impl Caller {
    /// Whether the session is for this wallet.
    pub(crate) fn may_read(&self, wallet: &WalletId) -> Result<(), VaultError> {
        if self.wallet == *wallet { Ok(()) } else { Err(VaultError::OtherWallet) }
    }

    /// Whether the session has not ended.
    pub(crate) fn still_open(&self, now_s: u64) -> Result<(), VaultError> {
        if now_s < self.expires_s {
            Ok(())
        } else {
            Err(VaultError::Session("the session has expired"))
        }
    }
}

/// What checks sessions on one node.
pub(crate) struct Sessions {
    seen: SeenProofs,
    seen_max: usize,
}

impl Sessions {
    /// Remembers at most `proofs` proofs within their window.
    pub(crate) fn new(proofs: usize) -> Self {
        Self { seen: SeenProofs::new(proofs), seen_max: proofs }
    }

    /// Who sends a request with these headers.
    ///
    /// # Errors
    /// [`VaultError::Session`] if there is no valid token, [`VaultError::Proof`] if the proof is not one
    /// for this request, [`VaultError::Locked`] if tokens cannot be checked here.
    pub(crate) fn check(
        &self,
        keyring: &ServerKeyring,
        headers: &HeaderMap,
        asked: &Asked,
        now_s: u64,
    ) -> Result<Caller, VaultError> {
        let token = the_one(headers, AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix(SCHEME))
            .ok_or(VaultError::Session("there is no token: send `authorization: DPoP TOKEN`"))?;
        let session = Session::check(keyring, token, now_s).map_err(|refused| match refused {
            SessionRefused::Invalid => VaultError::Session("the token is not valid"),
            SessionRefused::Expired => VaultError::Session("the session has expired"),
            SessionRefused::Keyring(error) => error.into(),
        })?;
        let proof = the_one(headers, DPOP)
            .ok_or_else(|| VaultError::Proof("there is no proof: send one in `dpop`".to_owned()))?;
        let request = Request { method: &asked.verb, uri: &asked.uri, token };
        let proof = dpop::check(proof, &request, now_s)
            .map_err(|error| VaultError::Proof(error.to_string()))?;
        if proof.thumbprint != dpop::thumbprint(&session.key) {
            return Err(VaultError::Proof(
                "the DPoP proof is by another key than the session's".to_owned(),
            ));
        }
        match self.seen.note(&proof.thumbprint, &proof.jti, now_s) {
            Seen::First => {}
            Seen::Again => {
                return Err(VaultError::Proof("the DPoP proof was used before".to_owned()));
            }
            Seen::Full => {
                return Err(VaultError::Busy {
                    what: "proofs within their window",
                    limit: self.seen_max,
                    wait_ms: FULL_WAIT_MS,
                });
            }
        }
        let Session { wallet, member, link, expires_s, .. } = session;
        Ok(Caller { wallet, member, link, expires_s })
    }
}

/// The value of a header that must come exactly once.
fn the_one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}
