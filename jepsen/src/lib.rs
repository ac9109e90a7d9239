//! Chaos: a cluster of real processes, faults planned from a seed, clients that write down what they saw,
//! and checkers that judge it.
//!
//! What counts as a failure, and of whom, is said in `semantics.md`; what a history looks like, in
//! `history.md`.
//!
//! | module | idea |
//! |---|---|
//! | [`history`] | what was asked and answered, one event a line |
//! | [`check`] | what a history proves |
//! | [`net`] | the network between nodes and clients, and what happens on it |
//! | [`inject`] | what is done to single nodes: disks, calls, bytes, clocks, rations |
//! | [`world`] | the cluster of a run, in its network, on its disks |
//! | [`program`] | the `holdfast` that is run |
//! | [`nemesis`] | faults: planned from a seed, put in, taken back |
//! | [`workload`] | what clients do |
//! | [`run`] | one run, from the first process to the verdict |
//! | [`judge`] | what nodes left behind |
//! | [`left`] | what a run says about itself |
//! | [`figures`] | what a history amounts to |
//! | [`campaign`] | all nemeses one after the other |
//! | [`report`] | pages about runs, for people |
//! | [`stop`] | Ctrl-C, and nothing that stays behind |
//! | [`verdict`] | pass, fail, unknown |

pub mod campaign;
pub mod check;
pub mod figures;
pub mod history;
pub mod inject;
pub mod judge;
pub mod left;
pub mod nemesis;
pub mod net;
pub mod program;
pub mod report;
pub mod run;
pub mod stop;
pub mod verdict;
pub mod workload;
pub mod world;
