//! How an attempt ended, and what may follow: the one table of retries.
//!
//! | outcome | the same request may be sent again | at the end of the deadline |
//! |---|---|---|
//! | refused for good | never | the refusal |
//! | not done | yes, at the leader that was named or another node | `NotDone` |
//! | unknown: the answer was lost | yes, the same bytes only, so the same request id | `Unknown` for a push, `NotDone` for a read |
//!
//! A request with another id after an unknown outcome would be a second act; nothing here, and
//! nothing above, makes one.

use std::{error::Error, time::Duration};

use proto::{
    convert::detail_of,
    v1::{ErrorDetail, error_detail::Retry},
};
use rand::{RngExt, rngs::StdRng};
use tonic::{Code, Status};
use types::ids::HeadHash;

use crate::error::{Found, Refusal};

/// Codes that say: not with this session, challenge or proof. Another one may do.
const SESSION_CODES: [&str; 3] = ["session", "proof", "challenge"];
/// Longest text of a server that is shown to people, in characters.
const TEXT_MAX: usize = 300;
/// Longest wait that a server can ask for.
const ADVICE_MAX: Duration = Duration::from_secs(5);

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A no that stays.
    Refused(Refusal),
    /// Nothing was done; ask again, also elsewhere.
    NotDone { why: String, leader: Option<String>, wait: Option<Duration> },
    /// It may have been done.
    Unknown { why: String, leader: Option<String>, wait: Option<Duration> },
    /// The session is not (or no longer) accepted: open another one.
    SessionEnded { why: String },
}

impl Outcome {
    /// Reads the answer of a node, or of the connection to it.
    pub(crate) fn of(status: &Status) -> Self {
        match detail_of(status) {
            Some(detail) => Self::told(&detail),
            None => Self::guessed(status),
        }
    }

    /// The attempt did not end within its time.
    pub(crate) fn too_slow() -> Self {
        Self::Unknown { why: "no answer in time".to_owned(), leader: None, wait: None }
    }

    fn told(detail: &ErrorDetail) -> Self {
        let message = printable(&detail.message);
        let leader = (!detail.leader.is_empty()).then(|| detail.leader.clone());
        let wait = match detail.retry_after_ms {
            0 => None,
            ms => Some(Duration::from_millis(ms.into()).min(ADVICE_MAX)),
        };
        match detail.retry() {
            _ if SESSION_CODES.contains(&detail.code.as_str()) => {
                Self::SessionEnded { why: message }
            }
            Retry::Safe => Self::NotDone { why: message, leader, wait },
            Retry::SameRequest | Retry::Unspecified => Self::Unknown { why: message, leader, wait },
            Retry::Never => {
                let found = HeadHash::parse(&detail.found_head)
                    .ok()
                    .map(|head| Found { seq: detail.found_seq, head });
                Self::Refused(Refusal::Cluster { code: printable(&detail.code), message, found })
            }
        }
    }

    /// Without a detail it is not Holdfast that answers, but a connection, a proxy or tonic itself.
    fn guessed(status: &Status) -> Self {
        let why = printable(&described(status));
        let (leader, wait) = (None, None);
        match status.code() {
            Code::Unauthenticated => Self::SessionEnded { why },
            Code::Unavailable if never_connected(status) => Self::NotDone { why, leader, wait },
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented => {
                let code = format!("{:?}", status.code());
                Self::Refused(Refusal::Cluster { code, message: why, found: None })
            }
            _ => Self::Unknown { why, leader, wait },
        }
    }
}

/// The status' own words, or those of the cause when it has none worth reading.
fn described(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = if text.is_empty() { words } else { format!("{text}: {words}") };
        }
        cause = error.source();
    }
    if text.is_empty() { format!("{:?}", status.code()) } else { text }
}

fn never_connected(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Words of a stranger, fit for a terminal: one line, no control characters, not endless.
pub(crate) fn printable(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() || is_bidi_control(c) { ' ' } else { c });
    plain.take(TEXT_MAX).collect()
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Waits between attempts: doubling from `first` to `longest`, each drawn from the upper half of its
/// span, so that clients which failed together do not come back together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The wait before attempt `n + 1`, after `n` failed ones (from 1).
    pub(crate) fn after(&self, n: u32, rng: &mut StdRng) -> Duration {
        let doubled = self.first.saturating_mul(1 << n.saturating_sub(1).min(16)).min(self.longest);
        doubled.mul_f64(rng.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests;
