//! What the tests build commands and replicas with.
//!
//! Signatures are zeros: this crate checks none. Everything else is what an honest client and
//! leader would propose, so a test that wants a dishonest one changes the push by hand.

pub(crate) mod act;
pub(crate) mod faulty;
pub(crate) mod history;
pub(crate) mod replica;
pub(crate) mod wallet;
