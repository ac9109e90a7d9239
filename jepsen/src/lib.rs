//! Chaos: a cluster of real processes, faults planned from a seed, clients that write down what they saw,
//! and checkers that judge it.
//!
//! What counts as a failure, and of whom, is said in `semantics.md`; what a history looks like, in
//! `history.md`.
//!
//! | module | idea |
//! |---|---|
//! | [`check`] | what a history proves |
//! | [`history`] | what was asked and answered, one event a line |
//! | [`net`] | the network between nodes and clients, and what happens on it |
//! | [`verdict`] | pass, fail, unknown |

pub mod check;
pub mod history;
pub mod net;
pub mod verdict;
