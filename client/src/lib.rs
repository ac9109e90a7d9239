//! The client: a wallet on one device, kept by a cluster that cannot read it.
//!
//! ```no_run
//! # async fn example() -> Result<(), client::ClientError> {
//! use client::{Record, Wallet};
//!
//! let mut wallet = Wallet::open("/home/ada/.holdfast", None)?;
//! wallet.put(Record::new("opaque", "licence", b"any bytes".to_vec()))?;
//! wallet.push().await?;
//! # Ok(()) }
//! ```
//!
//! | module | idea |
//! |---|---|
//! | [`Wallet`] | records, devices, push, pull, watch, recovery |
//! | [`Client`] | the connection: leader, retries, deadlines |
//! | [`Record`] | what is sealed: a credential with its name and fields |
//! | [`ClientError`] | what went wrong, sorted by what to do next |
//! | [`credential`] | readers of SD-JWT VC and mdoc |
//! | [`tls`] | the door to the cluster, for operators too |
//!
//! Promises: nothing leaves this device unsealed; nothing is taken over that the wallet's members did not
//! sign; a lost answer or a kill never does a thing twice.
//!
//! Not here: the server, and everything that is shown to people (`cli`).

mod builder;
mod cbor;
mod client;
mod clock;
pub mod credential;
mod endpoint;
mod error;
mod fetch;
mod local;
mod profile;
mod random;
mod record;
mod retry;
mod session;
mod sync;
pub mod tls;
mod transport;
mod wallet;

pub use builder::{ClientBuilder, Deadlines};
pub use client::Client;
pub use endpoint::Endpoint;
pub use error::{Class, ClientError, Found, Refusal, Unavailable, Usage};
pub use local::LocalError;
pub use profile::{ProfileError, Settings};
pub use record::{Conflict, DATA_MAX, NAME_MAX, Record, RecordError};
pub use seal::{CodeError, CodeText, RecoveryCode, RevokerCode};
pub use session::export::ExportedSession;
pub use sync::{MergeReport, Violation};
pub use types::Secret;
pub use wallet::{
    Codes, CreateOptions, Device, Freshness, Keep, Place, Protection, PullReport, PushReport,
    RecordInfo, RecoverOptions, RecoveryReport, Revoker, Summary, Wallet,
};
