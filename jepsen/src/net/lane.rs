//! One directed link: what happens to each packet that enters it, drawn from a seed of its own.
//!
//! Pure: time is a number of nanoseconds that the caller brings.

use super::{Counters, Link};
use rand::{Rng, RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

/// How much longer than the others a packet is held that shall be overtaken, in nanoseconds. Longer than
/// what a loaded machine lies between two packets of one burst.
const HELD_BACK: u64 = 3_000_000;
/// How long a packet may wait for its turn on a link of limited bandwidth before the link drops it, in
/// nanoseconds: the buffer of a router.
const QUEUE: u64 = 200_000_000;

/// State of one directed link.
pub(super) struct Lane {
    link: Link,
    base: Link,
    random: Xoshiro256PlusPlus,
    counters: Counters,
    /// When the link has sent out all that entered it.
    free_at: u64,
    /// When the last packet that keeps the order comes out.
    last_due: u64,
    entered: u64,
    /// The highest number that came out.
    newest: u64,
}

/// What becomes of a packet that the link took.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// When it comes out.
    pub(super) due: u64,
    /// Its place among all that entered.
    pub(super) number: u64,
    /// Whether it comes out twice.
    pub(super) twice: bool,
    /// Which byte of the payload is damaged (modulo its length), and the bits that flip.
    pub(super) damage: Option<(u64, u8)>,
}

impl Lane {
    pub(super) fn new(base: Link, seed: u64) -> Lane {
        Lane {
            link: base.clone(),
            base,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            counters: Counters::default(),
            free_at: 0,
            last_due: 0,
            entered: 0,
            newest: 0,
        }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// What enters from now on does not queue up behind what is under way.
    pub(super) fn set(&mut self, link: Link) {
        self.link = link;
        (self.free_at, self.last_due) = (0, 0);
    }

    pub(super) fn heal(&mut self) {
        self.set(self.base.clone());
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// A packet of so many bytes enters. None if the link drops it.
    pub(super) fn enter(&mut self, now: u64, bytes: usize) -> Option<Passage> {
        if self.link.cut.is_some() {
            self.counters.cut += 1;
            return None;
        }
        if self.chance(self.link.loss) {
            self.counters.lost += 1;
            return None;
        }
        let mut due = now;
        if let Some(rate) = self.link.bytes_per_second {
            let begins = self.free_at.max(now);
            if begins - now > QUEUE {
                self.counters.overrun += 1;
                return None;
            }
            self.free_at = begins + (bytes as u64).saturating_mul(1_000_000_000) / rate.max(1);
            due = self.free_at;
        }
        let jitter = nanoseconds(self.link.jitter);
        due += nanoseconds(self.link.delay);
        if jitter > 0 {
            due += self.random.random_range(0..=jitter);
        }
        if self.chance(self.link.reorder) {
            due += HELD_BACK;
        } else {
            due = due.max(self.last_due);
            self.last_due = due;
        }
        if due > now + nanoseconds(self.base.delay) + nanoseconds(self.base.jitter) {
            self.counters.delayed += 1;
        }
        let twice = self.chance(self.link.duplicate);
        let damage = self.chance(self.link.corrupt).then(|| {
            let place = self.random.next_u64();
            (place, self.random.random_range(1..=u8::MAX))
        });
        self.counters.duplicated += u64::from(twice);
        self.counters.corrupted += u64::from(damage.is_some());
        self.entered += 1;
        Some(Passage { due, number: self.entered, twice, damage })
    }

    /// A packet comes out. False if the link was cut while the packet was under way.
    pub(super) fn leave(&mut self, number: u64) -> bool {
        if self.link.cut.is_some() {
            self.counters.cut += 1;
            return false;
        }
        self.counters.passed += 1;
        self.counters.reordered += u64::from(number < self.newest);
        self.newest = self.newest.max(number);
        true
    }

    /// There is no room for a packet that was to enter.
    pub(super) fn overrun(&mut self) {
        self.counters.overrun += 1;
    }

    /// The receiver did not take a packet that came out.
    pub(super) fn not_taken(&mut self) {
        self.counters.passed -= 1;
        self.counters.overrun += 1;
    }

    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random::<f64>() < share
    }
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests;
