//! Attacks on whole nodes: strangers with sockets, and machines that have too little of everything.
//!
//! What each number of `docs/attacks.md` means stands there. What needs a tool or a right that is not
//! there says so by name and counts as skipped.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "attacks/clocks.rs"]
mod clocks;
#[path = "attacks/floods.rs"]
mod floods;
#[path = "attacks/hot.rs"]
mod hot;
#[path = "attacks/http.rs"]
mod http;
#[path = "attacks/page.rs"]
mod page;
#[path = "attacks/release.rs"]
mod release;
#[path = "attacks/starved.rs"]
mod starved;
#[path = "attacks/tls.rs"]
mod tls;
