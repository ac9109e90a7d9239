//! Who belongs to a cluster, and where its groups' replicas are.
//!
//! Group 0 keeps the registry of nodes and, for every group, where its replicas should be. Acts of an
//! operator ([`bootstrap`], [`join`], [`leave`]) change only that. The leader of group 0 plans the
//! placements from the registry ([`plan`]), and each group's leader moves its replicas towards its
//! placement, one step at a time ([`reconcile`]). Every step can be repeated, and is, by whoever leads
//! next. No voter set ever comes about that the [`rule`] refuses.

pub(crate) mod act;
pub(crate) mod bootstrap;
pub(crate) mod join;
pub(crate) mod leave;
pub(crate) mod plan;
pub(crate) mod reconcile;
pub(crate) mod rejoin;
pub(crate) mod rule;
pub(crate) mod transfer;
