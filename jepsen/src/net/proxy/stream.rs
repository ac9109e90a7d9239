//! The directed links of the proxy, which all connections between the same two ends share.

use super::super::{Counters, Cut, Layout, Link, pairs};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// All links.
pub(super) struct Streams {
    streams: Mutex<Vec<Stream>>,
    changed: watch::Sender<()>,
}

/// The link answers by a reset.
#[derive(Debug)]
pub(super) struct Refused;

/// When a piece is on its way, and when it comes out.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) sent: Instant,
    pub(super) due: Instant,
}

struct Stream {
    link: Link,
    base: Link,
    random: Xoshiro256PlusPlus,
    counters: Counters,
    /// When the link has sent all that it was given.
    free_at: Option<Instant>,
}

impl Streams {
    pub(super) fn new(layout: &Layout, seed: u64) -> Streams {
        let stream = |(n, (from, to))| {
            let base = layout.base(from, to);
            let random = Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_add(n as u64));
            let link = base.clone();
            Stream { link, base, random, counters: Counters::default(), free_at: None }
        };
        let streams = Mutex::new(pairs(layout).enumerate().map(stream).collect());
        Streams { streams, changed: watch::Sender::new(()) }
    }

    pub(super) fn set(&self, lane: usize, link: &Link) {
        if let Some(stream) = self.lock().get_mut(lane) {
            stream.link = link.clone();
        }
        self.changed.send_replace(());
    }

    pub(super) fn heal(&self) {
        self.lock().iter_mut().for_each(|stream| stream.link = stream.base.clone());
        self.changed.send_replace(());
    }

    pub(super) fn counters(&self) -> Vec<Counters> {
        self.lock().iter().map(|stream| stream.counters).collect()
    }

    /// Waits until a link is not cut. What waits is counted once.
    pub(super) async fn whole(&self, lane: usize) -> Result<(), Refused> {
        let mut changed = self.changed.subscribe();
        let mut counted = false;
        loop {
            {
                let stream = &mut self.lock()[lane];
                let cut = stream.link.cut;
                stream.counters.cut += u64::from(cut.is_some() && !counted);
                counted |= cut.is_some();
                match cut {
                    None => return Ok(()),
                    Some(Cut::Refuse) => return Err(Refused),
                    Some(Cut::Silent) => {}
                }
            }
            // The sender lives as long as this.
            let _ = changed.changed().await;
        }
    }

    /// Waits until a link refuses, which counts each connection that waits for it.
    pub(super) async fn refused(&self, lane: usize) {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let stream = &mut self.lock()[lane];
                if stream.link.cut == Some(Cut::Refuse) {
                    stream.counters.cut += 1;
                    return;
                }
            }
            // As above.
            let _ = changed.changed().await;
        }
    }

    /// A piece of so many bytes enters a link.
    pub(super) fn enter(&self, lane: usize, bytes: usize) -> Times {
        let stream = &mut self.lock()[lane];
        let now = Instant::now();
        let mut sent = now;
        if let Some(rate) = stream.link.bytes_per_second {
            let takes = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
            sent = stream.free_at.map_or(now, |free_at| free_at.max(now)) + takes;
            stream.free_at = Some(sent);
        }
        let mut due = sent + stream.link.delay;
        if !stream.link.jitter.is_zero() {
            due += stream.random.random_range(Duration::ZERO..=stream.link.jitter);
        }
        stream.counters.passed += 1;
        stream.counters.delayed += u64::from(due > now + stream.base.delay + stream.base.jitter);
        Times { sent, due }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
