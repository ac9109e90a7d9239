//! Places for connections: so many in all, and so many for one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    all: usize,
    each: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

/// A place; free again when dropped.
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    by: IpAddr,
}

impl Places {
    pub(super) fn new(all: usize, each: usize) -> Self {
        Self { taken: Arc::default(), all, each }
    }

    /// A place for a connection from an address, or which limit stands against it.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, &'static str> {
        let by = whose(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return Err("all places are taken");
        }
        let mine = taken.by.entry(by).or_insert(0);
        if *mine >= self.each {
            return Err("this address has taken all of its places");
        }
        *mine += 1;
        taken.all += 1;
        Ok(Place { taken: Arc::clone(&self.taken), by })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(mine) = taken.by.get_mut(&self.by) {
            *mine -= 1;
            if *mine == 0 {
                taken.by.remove(&self.by);
            }
        }
    }
}

/// Who is behind an address, as far as it tells: of IPv6 the network (RFC 6177 gives each site at least
/// a /64), and IPv4 whichever way it is written.
pub fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn from(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_all_have_theirs() {
        let places = Places::new(3, 2);
        let first = places.take(from("192.0.2.1")).ok().unwrap();
        let _second = places.take(from("192.0.2.1")).ok().unwrap();
        assert!(places.take(from("192.0.2.1")).is_err_and(|why| why.contains("address")));
        let third = places.take(from("192.0.2.2")).ok().unwrap();
        assert!(places.take(from("192.0.2.3")).is_err_and(|why| why.contains("all places")));
        drop(first);
        assert!(places.take(from("192.0.2.1")).is_ok());
        drop(third);
        assert_eq!(places.taken.lock().unwrap().by.len(), 1, "whoever has left is forgotten");
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        assert_eq!(whose(from("2001:db8::1")), whose(from("2001:db8::ffff:2")));
        assert_ne!(whose(from("2001:db8::1")), whose(from("2001:db8:0:1::1")));
        assert_eq!(whose(from("::ffff:192.0.2.1")), from("192.0.2.1"));
        assert_ne!(whose(from("192.0.2.1")), whose(from("192.0.2.2")));
    }
}
