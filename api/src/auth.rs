//! Who calls: members by their sessions, operators and nodes by their certificates.
//!
//! A push needs none of this: it carries its own signatures.

pub(crate) mod operator;
pub(crate) mod rate;
pub(crate) mod replay;
pub(crate) mod session;

pub use operator::Operator;
pub use session::Caller;
pub(crate) use session::Sessions;
