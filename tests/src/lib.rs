//! What every whole-system test needs: real clusters of `holdfast node` processes, and wallets on
//! devices that use them through the public client.
//!
//! Promises: nothing in here reaches into a node. What a test knows, it knows as a user, an operator
//! or a thief with the disk would.
//!
//! Not here: the tests themselves, one file of `tests/tests` for each promise.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its world breaks"
)]

pub mod collector;
pub mod crowd;
pub mod fault;
pub mod harm;
pub mod lab;
pub mod raw;
pub mod scrape;
pub mod throttle;

pub use lab::{Lab, Plan};
