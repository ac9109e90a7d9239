use super::*;
use crate::net::Cut;
use proptest::prelude::*;
use std::time::Duration;

const MS: u64 = 1_000_000;

fn lane(link: Link) -> Lane {
    let mut lane = Lane::new(Link::default(), 7);
    lane.set(link);
    lane
}

#[test]
fn a_whole_link_passes_everything_at_once_and_in_order() {
    let mut lane = lane(Link::default());
    for now in 0..1000 {
        let passage = lane.enter(now, 1400).unwrap();
        assert_eq!((passage.due, passage.twice, passage.damage), (now, false, None));
        assert!(lane.leave(passage.number));
    }
    assert_eq!(lane.counters(), Counters { passed: 1000, ..Counters::default() });
}

#[test]
fn a_cut_also_takes_what_is_under_way() {
    let mut lane = lane(Link { delay: Duration::from_millis(5), ..Link::default() });
    let passage = lane.enter(0, 100).unwrap();
    lane.set(Link { cut: Some(Cut::Silent), ..Link::default() });
    assert!(!lane.leave(passage.number));
    assert_eq!(lane.enter(MS, 100), None);
    assert_eq!(lane.counters().cut, 2);
    lane.heal();
    assert!(lane.enter(MS, 100).is_some());
}

#[test]
fn a_healed_link_is_fast_at_once() {
    let slow = Duration::from_secs(5);
    let mut lane = lane(Link { delay: slow, bytes_per_second: Some(1000), ..Link::default() });
    assert!(lane.enter(0, 1000).unwrap().due >= 6_000 * MS);
    lane.heal();
    assert_eq!(lane.enter(MS, 1000).unwrap().due, MS);
}

#[test]
fn a_limited_link_sends_no_faster_than_told_and_drops_what_would_wait_too_long() {
    let mut lane = lane(Link { bytes_per_second: Some(100_000), ..Link::default() });
    let due: Vec<u64> = (0..30).filter_map(|_| lane.enter(0, 1000)).map(|p| p.due).collect();
    let spacing: Vec<u64> = (1..=21).map(|n| n * 10 * MS).collect();
    assert_eq!(due, spacing);
    assert_eq!(lane.counters().overrun, 9);
}

proptest! {
    /// Shares of a seeded link come out about as told, and delays lie within their bounds.
    #[test]
    fn shares_and_delays_are_as_told(seed: u64, share in 0.05..0.95f64) {
        let mut lane = Lane::new(Link::default(), seed);
        lane.set(Link {
            delay: Duration::from_millis(2),
            jitter: Duration::from_millis(1),
            loss: share,
            duplicate: share,
            corrupt: share,
            ..Link::default()
        });
        let mut last = 0;
        for n in 0..10_000 {
            let now = n * MS / 10;
            if let Some(passage) = lane.enter(now, 100) {
                prop_assert!((now + 2 * MS..=now + 3 * MS).contains(&passage.due));
                prop_assert!(passage.due >= last, "jitter alone reorders nothing");
                last = passage.due;
                lane.leave(passage.number);
            }
        }
        let found = lane.counters();
        let about = |count: u64, of: u64| (count as f64 / of as f64 - share).abs() < 0.05 + 1.0 / (of as f64).sqrt() * 2.0;
        prop_assert!(about(found.lost, 10_000), "{found:?}");
        prop_assert!(about(found.duplicated, found.passed), "{found:?}");
        prop_assert!(about(found.corrupted, found.passed), "{found:?}");
        prop_assert_eq!(found.reordered, 0);
        prop_assert_eq!(found.delayed, found.passed);
    }

    /// One seed, one fate.
    #[test]
    fn the_same_seed_gives_the_same_fates(seed: u64) {
        let link = Link {
            jitter: Duration::from_millis(3), loss: 0.2, duplicate: 0.2, reorder: 0.2, corrupt: 0.2,
            ..Link::default()
        };
        let fates = || -> Vec<Option<Passage>> {
            let mut lane = Lane::new(Link::default(), seed);
            lane.set(link.clone());
            (0..200).map(|n| lane.enter(n * MS, 100)).collect()
        };
        prop_assert_eq!(fates(), fates());
    }

    /// A held packet is overtaken, and counted when it was.
    #[test]
    fn reordering_is_counted_when_it_was_seen(seed: u64) {
        let mut lane = Lane::new(Link::default(), seed);
        lane.set(Link { reorder: 0.3, ..Link::default() });
        let mut passages: Vec<Passage> =
            (0..1000).filter_map(|n| lane.enter(n * MS / 2, 100)).collect();
        passages.sort_by_key(|passage| passage.due);
        let numbers: Vec<u64> = passages.iter().map(|passage| passage.number).collect();
        let late = numbers.iter().enumerate()
            .filter(|(n, number)| numbers[..*n].iter().any(|earlier| earlier > number)).count();
        for number in &numbers {
            lane.leave(*number);
        }
        prop_assert!(late > 0);
        prop_assert_eq!(lane.counters().reordered, late as u64);
    }
}
