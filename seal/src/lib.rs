//! Keys, ciphers and signatures behind one narrow door, for devices and servers alike.
//!
//! Promises: what is sealed opens under its own key and in its own place only; whatever depends on a
//! secret fails in one way, [`SealError::DoesNotOpen`]; keys are wiped when dropped and can be neither
//! printed, compared nor cloned by accident.
//!
//! ```text
//! device    MemberKeys ─ sign ──► links, heads, challenges                              signing
//!               └─ agree ─► Seal ─► WalletKey of a generation ─► records, history       wallet_key
//!           RecoveryCode, RevokerCode: a member on paper                                recovery
//!           DeviceKeys, LocalKey, export: at rest                                       device_keys, local, export
//! server    EpochKey ─► DataKey of a wallet ─► outer envelopes, audit tokens            server
//!               └─► session tokens, whose requests carry DPoP proofs                    session, dpop
//! operator  es256::SoftwareKey ─ sign ──► manifests and journals of backups              archive
//! ```
//!
//! Pure: no I/O, no clock, no async; randomness comes as an argument (aws-lc-rs draws the nonces of
//! its signatures itself). The layouts are in `types`; the primitives in `hazmat`, by two back ends.
//!
//! Not here: who may do what (`types::Membership`), files, and anything about time but comparing it.

pub mod archive;
mod device_keys;
pub mod dpop;
mod envelope;
mod error;
pub mod es256;
mod export;
#[cfg(test)]
mod frozen;
mod hazmat;
mod hpke;
mod kdf;
mod local;
mod member_keys;
mod padding;
mod passphrase;
mod recovery;
mod secret;
mod server;
mod session;
mod signing;
#[cfg(test)]
mod vectors;
mod wallet_key;

pub use device_keys::DeviceKeys;
pub use error::SealError;
pub use export::{ExportReader, ExportWriter};
pub use local::LocalKey;
pub use member_keys::{MemberKeys, SoftwareMember, check_member};
pub use recovery::{CodeError, CodeText, RecoveryCode, RevokerCode};
pub use secret::{Secret32, SecretArray};
pub use server::{DataKey, EpochKey, EpochKeys, KeyringError, OuterPlace, ServerKeyring};
pub use session::{Session, SessionRefused};
pub use signing::{
    SignatureRefused, sign_challenge, sign_head, sign_link, verify_challenge, verify_head,
    verify_link,
};
pub use wallet_key::WalletKey;
