//! Who calls: members by their sessions, operators and nodes by their certificates.
//!
//! A push needs none of this: it carries its own signatures.

pub mod operator;
pub mod rate;
pub mod replay;
pub mod session;

pub use operator::Operator;
pub use session::{Caller, Sessions};
