//! Places for requests: a number of them, of which the less urgent may take a part only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::pressure::Pressure;
use crate::methods::Class;
use crate::vault::VaultError;

/// Parts that a pool is divided into.
const PARTS: usize = 16;

/// What may be taken at once.
pub(crate) struct Pool {
    what: &'static str,
    limit: usize,
    taken: Arc<AtomicUsize>,
    pressure: Pressure,
}

/// Given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    taken: Arc<AtomicUsize>,
    count: usize,
}

impl Class {
    /// How much of `limit` requests of this class may take: the more urgent ones always find the rest.
    pub(crate) const fn share(self, limit: usize) -> usize {
        let parts = match self {
            Self::Read => 12,
            Self::Write => 14,
            Self::Undecided => 15,
            Self::Urgent => PARTS,
        };
        // Rounded up, so that a single place is for everyone.
        (limit / PARTS) * parts + ((limit % PARTS) * parts).div_ceil(PARTS)
    }
}

impl Pool {
    pub(crate) fn new(what: &'static str, limit: usize) -> Self {
        Self { what, limit, taken: Arc::default(), pressure: Pressure::default() }
    }

    /// One place.
    pub(crate) fn take(&self, class: Class) -> Result<Permit, VaultError> {
        self.take_many(class, 1)
    }

    /// So many of them, or none.
    pub(crate) fn take_many(&self, class: Class, count: usize) -> Result<Permit, VaultError> {
        let share = class.share(self.limit);
        let more = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= share);
        match self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Permit { taken: Arc::clone(&self.taken), count }),
            Err(_) => {
                let wait_ms = self.pressure.refused(self.limit, Instant::now());
                Err(VaultError::Busy { what: self.what, limit: self.limit, wait_ms })
            }
        }
    }
}

impl Permit {
    /// Takes what `other` has of the same pool.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.count, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_permit_comes_back_when_its_holder_is_done() {
        let pool = Pool::new("requests", 2);
        let first = pool.take(Class::Urgent).unwrap();
        let _second = pool.take(Class::Urgent).unwrap();
        let refused = pool.take(Class::Urgent).unwrap_err();
        assert!(matches!(refused, VaultError::Busy { what: "requests", limit: 2, .. }));
        drop(first);
        assert!(pool.take(Class::Urgent).is_ok());
    }

    #[test]
    fn the_more_urgent_find_room_where_the_less_urgent_find_none() {
        let pool = Pool::new("requests", 16);
        let classes = [Class::Read, Class::Write, Class::Undecided, Class::Urgent];
        let (mut held, mut counts) = (Vec::new(), Vec::new());
        for class in classes {
            while let Ok(permit) = pool.take(class) {
                held.push(permit);
            }
            counts.push(held.len());
        }
        assert_eq!(counts, [12, 14, 15, 16]);
    }

    #[test]
    fn a_pool_of_any_size_has_room_for_every_class_in_order() {
        for limit in 0..200 {
            let shares = [Class::Read, Class::Write, Class::Undecided, Class::Urgent]
                .map(|class| class.share(limit));
            assert!(shares.is_sorted() && shares[3] == limit, "{limit}: {shares:?}");
            assert_eq!(shares[0] > 0, limit > 0, "{limit}: {shares:?}");
        }
    }

    #[test]
    fn many_are_taken_together_or_not_at_all() {
        let pool = Pool::new("bytes", 100);
        let mut first = pool.take_many(Class::Urgent, 60).unwrap();
        assert!(pool.take_many(Class::Urgent, 41).is_err());
        assert!(pool.take_many(Class::Urgent, usize::MAX).is_err());
        first.absorb(pool.take_many(Class::Urgent, 40).unwrap());
        assert!(pool.take(Class::Urgent).is_err());
        drop(first);
        assert!(pool.take_many(Class::Urgent, 100).is_ok());
    }
}
