//! How messages that carry a secret are shown: without it.

use std::fmt;

use crate::admin::UnlockRequest;
use crate::v1::{CreateRequest, Session};

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, expires, wallet } = self;
        let mut shown = formatter.debug_struct("Session");
        shown.field("expires", expires).field("wallet", wallet).finish_non_exhaustive()
    }
}

impl fmt::Debug for CreateRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, registration_token: _ } = self;
        formatter.debug_struct("CreateRequest").field("commit", commit).finish_non_exhaustive()
    }
}

impl fmt::Debug for UnlockRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passphrase: _ } = self;
        formatter.debug_struct("UnlockRequest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let secret = "a-planted-secret";
        let session = Session { token: secret.to_owned(), ..Session::default() };
        let create = CreateRequest { registration_token: secret.to_owned(), commit: None };
        let unlock = UnlockRequest { passphrase: secret.into() };
        let shown = format!("{session:?} {create:?} {unlock:?}");
        assert!(!shown.contains(secret), "{shown}");
        assert!(!shown.contains(&format!("{:?}", secret.as_bytes())), "{shown}");
    }
}
