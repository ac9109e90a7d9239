//! Places under a key: so many for each wallet, member or address. Who holds none is not remembered.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use super::pressure::WAIT_MIN_MS;
use crate::vault::VaultError;

/// The places.
pub(crate) struct Keyed<K: Eq + Hash> {
    what: &'static str,
    each: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

/// Given back when dropped.
pub(crate) struct KeyedPermit<K: Eq + Hash> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Keyed<K> {
    pub(crate) fn new(what: &'static str, each: usize) -> Self {
        Self { what, each, taken: Arc::default() }
    }

    /// One place under a key.
    pub(crate) fn take(&self, key: K) -> Result<KeyedPermit<K>, VaultError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&key).copied().unwrap_or(0);
        if count >= self.each {
            let (what, limit) = (self.what, self.each);
            return Err(VaultError::Busy { what, limit, wait_ms: WAIT_MIN_MS });
        }
        taken.insert(key.clone(), count + 1);
        Ok(KeyedPermit { taken: Arc::clone(&self.taken), key })
    }
}

impl<K: Eq + Hash> Drop for KeyedPermit<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_key_has_its_own_places_and_none_is_remembered() {
        let places = Keyed::new("watches of a wallet", 2);
        let first = places.take('a').ok().unwrap();
        let second = places.take('a').ok().unwrap();
        let refused = places.take('a').err().unwrap();
        assert!(matches!(refused, VaultError::Busy { what: "watches of a wallet", limit: 2, .. }));
        let other = places.take('b').ok().unwrap();
        drop(first);
        let again = places.take('a').ok().unwrap();
        drop((second, other, again));
        assert!(places.taken.lock().unwrap().is_empty());
        let closed = Keyed::new("nothing", 0);
        assert!(closed.take('a').is_err());
        assert!(closed.taken.lock().unwrap().is_empty());
    }
}
