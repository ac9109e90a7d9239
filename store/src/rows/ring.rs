//! Numbered rows of which only the youngest are kept.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::codec;

/// Which numbers of a numbered table are there: `first` is the oldest, `next` the one to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Numbers")]
pub struct Ring {
    /// The oldest number that is kept.
    pub first: u64,
    /// How many numbers were ever given.
    pub next: u64,
}

/// A ring as it is read back, before it is known to be one.
#[derive(Deserialize)]
struct Numbers {
    first: u64,
    #[serde(deserialize_with = "codec::count::any")]
    next: u64,
}

impl TryFrom<Numbers> for Ring {
    type Error = &'static str;

    fn try_from(Numbers { first, next }: Numbers) -> Result<Self, Self::Error> {
        if first <= next {
            Ok(Self { first, next })
        } else {
            Err("a ring that ends before it begins")
        }
    }
}

impl Ring {
    /// Gives the next number.
    pub(crate) fn push(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Gives up the oldest numbers beyond `limit`, and says which. At most two, so that a limit that
    /// was lowered takes effect step by step and no single entry pays for all of it.
    pub(crate) fn trim(&mut self, limit: u64) -> Range<u64> {
        let beyond = (self.next - self.first).saturating_sub(limit).min(2);
        self.first += beyond;
        self.first - beyond..self.first
    }
}
