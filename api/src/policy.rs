//! What an operator decides about the door: who may make wallets, and how much is let in.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use types::hash::tagged;

use crate::auth::rate::Rate;

/// The checked settings of the door.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who may create wallets.
    pub registration: Registration,
    /// How much is let in.
    pub limits: Limits,
    /// Whether reflection shows the public services.
    pub reflection: bool,
}

impl Default for Policy {
    /// Nobody may create wallets until tokens are given out; reflection is on.
    fn default() -> Self {
        Self { registration: Registration::tokens([]), limits: Limits::default(), reflection: true }
    }
}

/// Who may create wallets.
#[derive(Clone)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Whoever shows one of these tokens; any number of times.
    Token(RegistrationTokens),
}

/// Registration tokens, kept as hashes only.
#[derive(Clone)]
pub struct RegistrationTokens(HashSet<[u8; 32]>);

impl Registration {
    /// Longest token that is looked at, in bytes.
    pub const TOKEN_MAX: usize = 512;

    /// Whoever shows one of these tokens. An empty token is never one.
    pub fn tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let tokens = tokens.into_iter().filter(|token| !token.is_empty()).map(token_hash).collect();
        Self::Token(RegistrationTokens(tokens))
    }

    /// Whether somebody with this token may create a wallet.
    pub fn admits(&self, token: &str) -> bool {
        match self {
            Self::Open => true,
            // Looked up by hash: how far a guess agrees with a token does not show in the time.
            Self::Token(RegistrationTokens(hashes)) => {
                token.len() <= Self::TOKEN_MAX && hashes.contains(&token_hash(token))
            }
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("Open"),
            Self::Token(RegistrationTokens(hashes)) => write!(f, "Token({} tokens)", hashes.len()),
        }
    }
}

fn token_hash(token: &str) -> [u8; 32] {
    tagged("holdfast/1 registration", &[token.as_bytes()])
}

/// How much is let in at once, all per node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of clients under way, streams not counted once they have begun. Reads may take twelve
    /// sixteenths of them, pushes fourteen, what is urgent all.
    pub requests: usize,
    /// Of them from one address; of IPv6, from one network of 64 bits.
    pub requests_per_address: usize,
    /// Bytes of memory that these requests may take; at least [`Limits::REQUEST_BYTES_MIN`].
    pub request_bytes: usize,
    /// Requests that other nodes passed on, under way.
    pub forwarded: usize,
    /// Bytes of memory that these requests may take.
    pub forwarded_bytes: usize,
    /// Refusals for what a request is or who sends it, for one address: whoever had more is asked to
    /// wait before anything is verified for it again.
    pub refusals_per_address: Rate,
    /// Requests of operators under way: apart, so that a storm of clients does not lock them out.
    pub admin_requests: usize,
    /// Pulls and listings of links under way.
    pub pulls: usize,
    /// Of them of one wallet.
    pub pulls_per_wallet: usize,
    /// Pulls, listings and watches of one member under way.
    pub reads_per_member: usize,
    /// Pushes of one wallet that are being replicated.
    pub pushes_per_wallet: usize,
    /// Watches under way.
    pub watches: usize,
    /// Watches of one wallet under way.
    pub watches_per_wallet: usize,
    /// Bytes of answers of streams that are ready and not yet taken.
    pub stream_bytes: usize,
    /// For how long a request may be under way if its caller does not say.
    pub deadline: Duration,
    /// For how long a request may be under way, whatever its caller says.
    pub deadline_max: Duration,
    /// For how long an operator's request may be under way if its caller does not say.
    pub admin_deadline: Duration,
    /// For how long an operator's request may be under way, whatever its caller says: a node that leaves
    /// is waited for.
    pub admin_deadline_max: Duration,
    /// For how long a pull may stream.
    pub pull_max: Duration,
    /// For how long a reader of a stream may take no frame.
    pub stall_max: Duration,
    /// Recoveries that may be tried in total.
    pub recovery: Rate,
    /// Recoveries that may be tried with one locator.
    pub recovery_per_locator: Rate,
    /// Answered challenges remembered until they expire.
    pub challenges: usize,
    /// Proofs remembered within their window.
    pub proofs: usize,
}

impl Limits {
    /// The least of [`Limits::request_bytes`] with which every request finds room while there is no
    /// other: the largest one, a push by HTTP, takes 42 MiB, and pushes may take fourteen sixteenths.
    pub const REQUEST_BYTES_MIN: usize = 48 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 1024,
            requests_per_address: 512,
            request_bytes: 256 << 20,
            forwarded: 1024,
            forwarded_bytes: 256 << 20,
            refusals_per_address: Rate { burst: 500, every: Duration::from_millis(20) },
            admin_requests: 16,
            pulls: 256,
            pulls_per_wallet: 32,
            reads_per_member: 16,
            pushes_per_wallet: 8,
            watches: 10_000,
            watches_per_wallet: 32,
            stream_bytes: 128 << 20,
            deadline: Duration::from_secs(10),
            deadline_max: Duration::from_secs(60),
            admin_deadline: Duration::from_secs(60),
            admin_deadline_max: Duration::from_secs(600),
            pull_max: Duration::from_secs(300),
            stall_max: Duration::from_secs(20),
            recovery: Rate { burst: 50, every: Duration::from_millis(100) },
            recovery_per_locator: Rate { burst: 5, every: Duration::from_secs(10) },
            challenges: 100_000,
            proofs: 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_unless_registration_is_open() {
        assert!(Registration::Open.admits(""));
        let by_token = Registration::tokens(["first", "second", ""]);
        assert!(by_token.admits("first") && by_token.admits("second"));
        for refused in ["", "third", "First", "first ", "firs"] {
            assert!(!by_token.admits(refused), "{refused:?}");
        }
        assert!(!Registration::tokens([]).admits(""), "no token at all admits nobody");
    }

    #[test]
    fn tokens_do_not_show_in_debug() {
        assert_eq!(format!("{:?}", Registration::tokens(["hunter2"])), "Token(1 tokens)");
    }
}
