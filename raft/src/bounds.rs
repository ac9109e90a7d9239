//! How large the numbers of Raft may be that a disk or a peer names.
//!
//! Terms and indexes only ever grow, by one at a time, and every one that a node believes stays with it
//! for ever. What comes from elsewhere is therefore held against two bounds:
//!
//! * [`END`]: nothing reaches it, wherever it comes from. An index or a term below it can be counted on
//!   from without a second thought: no sum in this crate or in openraft comes near the end of a `u64`.
//! * [`LEAP`]: so far at most is a peer's term from the one that the group is in here. Without it a single
//!   message could use up all terms below [`END`], and no election would be possible after it.
//!
//! A group that elects a leader three times a second for a year goes through 2^27 terms, and one that
//! writes a million entries a second for a century through 2^52 indexes. See docs/decisions/0094.

/// No term and no index is this large.
pub(crate) const END: u64 = 1 << 62;
/// How many terms an election may be ahead of what a replica knows.
pub(crate) const LEAP: u64 = 1 << 32;

/// What is said of a number that reaches [`END`].
pub(crate) const BEYOND: &str = "a term or index beyond all that there can be";

/// Why a peer's term is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "term {told} is more than 2^32 ahead of term {own}, which the group is in here: no election leads there; the node \
     that names it is damaged or hostile, and has to be removed"
)]
pub(crate) struct Leap {
    /// The term of the group here.
    own: u64,
    /// The term that was named.
    told: u64,
}

/// Whether a number may be a term or an index.
pub(crate) fn is_lawful(number: u64) -> bool {
    number < END
}

/// The term or index behind another; none at the end of all.
pub(crate) fn next(number: u64) -> Option<u64> {
    number.checked_add(1).filter(|next| is_lawful(*next))
}

/// Whether a group in term `own` may be told of term `told`.
///
/// # Errors
/// [`Leap`] says how far apart they are.
pub(crate) fn check_leap(own: u64, told: u64) -> Result<(), Leap> {
    if told.saturating_sub(own) > LEAP { Err(Leap { own, told }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_the_last_number() {
        assert_eq!((next(0), next(END - 2)), (Some(1), Some(END - 1)));
        assert_eq!((next(END - 1), next(END), next(u64::MAX)), (None, None, None));
    }

    #[test]
    fn a_term_may_be_so_far_ahead_and_no_further() {
        for own in [0, 7, END - 1, u64::MAX - LEAP] {
            assert_eq!(check_leap(own, own + LEAP), Ok(()));
            let refused = check_leap(own, (own + LEAP).saturating_add(1));
            assert_eq!(refused.is_err(), own < u64::MAX - LEAP);
        }
        assert_eq!(check_leap(u64::MAX, 0), Ok(()), "an old term moves nothing");
    }
}
