use super::*;
use proptest::prelude::*;

fn members() -> impl Strategy<Value = Members> {
    (3usize..10).prop_flat_map(|count| {
        let dcs = prop::collection::vec(0usize..3, count);
        (dcs, prop::option::of(0..count)).prop_map(|(dcs, leader)| Members { dcs, leader })
    })
}

/// Whom a node hears, itself included.
fn heard(node: usize, count: usize, cuts: &Cuts) -> BTreeSet<usize> {
    (0..count).filter(|other| *other == node || !cuts.contains(&(*other, node))).collect()
}

/// The nodes of which each hears the other.
fn linked(a: usize, b: usize, cuts: &Cuts) -> bool {
    !cuts.contains(&(a, b)) && !cuts.contains(&(b, a))
}

proptest! {
    /// Only links between two nodes are cut, some always are, and a seed is as good as its cuts.
    #[test]
    fn every_shape_cuts_something_and_only_what_is_there(members in members(), seed: u64) {
        let count = members.dcs.len();
        for shape in Shape::ALL {
            let cuts = shape.cuts(&members, seed);
            prop_assert!(cuts.iter().all(|(a, b)| a != b && *a < count && *b < count));
            let one_dc = members.dcs.iter().all(|dc| *dc == members.dcs[0]);
            prop_assert_eq!(cuts.is_empty(), shape == Shape::DataCentre && one_dc, "{:?}", shape);
            prop_assert_eq!(&cuts, &shape.cuts(&members, seed));
        }
    }

    /// In a majority ring every node hears a majority, and no two hear the same.
    #[test]
    fn in_a_majority_ring_every_node_hears_another_majority(members in members(), seed: u64) {
        let count = members.dcs.len();
        let cuts = Shape::MajorityRing.cuts(&members, seed);
        let views: Vec<_> = (0..count).map(|node| heard(node, count, &cuts)).collect();
        prop_assert!(views.iter().all(|view| view.len() == count / 2 + 1), "{views:?}");
        prop_assert_eq!(views.iter().collect::<BTreeSet<_>>().len(), count);
    }

    /// A bridge hears and is heard by everybody; on each side nobody hears the other.
    #[test]
    fn a_bridge_is_one_node_between_two_sides(members in members(), seed: u64) {
        let count = members.dcs.len();
        let cuts = Shape::Bridge.cuts(&members, seed);
        let bridges: Vec<usize> = (0..count)
            .filter(|node| (0..count).all(|other| linked(*node, other, &cuts))).collect();
        prop_assert_eq!(bridges.len(), 1);
        for node in (0..count).filter(|node| *node != bridges[0]) {
            let side = heard(node, count, &cuts);
            prop_assert!(side.len() < count, "{side:?}");
            prop_assert!(side.iter().all(|other| *other == bridges[0] || heard(*other, count, &cuts) == side));
        }
    }

    /// A majority stays together, and nobody else hears it or is heard.
    #[test]
    fn halves_are_a_minority_and_a_whole_majority(members in members(), seed: u64) {
        let count = members.dcs.len();
        let cuts = Shape::Halves.cuts(&members, seed);
        let sides: BTreeSet<_> = (0..count).map(|node| heard(node, count, &cuts)).collect();
        prop_assert_eq!(sides.len(), 2);
        prop_assert_eq!(sides.iter().map(BTreeSet::len).sum::<usize>(), count);
        prop_assert!(sides.iter().any(|side| side.len() > count / 2));
        prop_assert!(cuts.iter().all(|(a, b)| cuts.contains(&(*b, *a))));
    }

    /// One way is never both ways.
    #[test]
    fn one_way_leaves_the_other_way_whole(members in members(), seed: u64) {
        for shape in [Shape::OneWay, Shape::DeafLeader, Shape::MuteLeader] {
            let cuts = shape.cuts(&members, seed);
            prop_assert!(cuts.iter().all(|(a, b)| !cuts.contains(&(*b, *a))));
        }
    }

    /// Shapes around a leader touch no link between two others.
    #[test]
    fn shapes_around_the_leader_are_around_it(members in members(), seed: u64) {
        let count = members.dcs.len();
        for (shape, out, inwards) in [
            (Shape::IsolatedLeader, true, true),
            (Shape::DeafLeader, false, true),
            (Shape::MuteLeader, true, false),
        ] {
            let cuts = shape.cuts(&members, seed);
            let around = |node: usize| (0..count).filter(|other| *other != node)
                .all(|other| cuts.contains(&(node, other)) == out && cuts.contains(&(other, node)) == inwards);
            let expected = (count - 1) * (usize::from(out) + usize::from(inwards));
            prop_assert_eq!(cuts.len(), expected);
            match members.leader {
                Some(leader) => prop_assert!(around(leader)),
                None => prop_assert!((0..count).any(around)),
            }
        }
    }

    /// Nodes of one data centre go on hearing each other; nobody else hears the one that is cut off.
    #[test]
    fn a_data_centre_is_cut_off_as_a_whole(members in members(), seed: u64) {
        let cuts = Shape::DataCentre.cuts(&members, seed);
        prop_assert!(cuts.iter().all(|(a, b)| members.dcs[*a] != members.dcs[*b]));
        if let Some(leader) = members.leader {
            let off = members.dcs[leader];
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..members.dcs.len()).partition(|node| members.dcs[*node] == off);
            prop_assert_eq!(cuts, both(&inside, &outside));
        }
    }

    /// Flapping begins cut, takes turns within its bounds, and ends whole.
    #[test]
    fn flapping_takes_turns_and_ends_whole(seed: u64, total in 1u64..60_000, short in 1u64..500, more in 0u64..500) {
        let (total, shortest) = (Duration::from_millis(total), Duration::from_millis(short));
        let longest = shortest + Duration::from_millis(more);
        let flaps = flapping(seed, total, shortest, longest);
        prop_assert_eq!(flaps[0], Flap { at: Duration::ZERO, cut: true });
        prop_assert!(!flaps[flaps.len() - 1].cut);
        for (n, pair) in flaps.windows(2).enumerate() {
            prop_assert!(pair[0].cut != pair[1].cut);
            let lasted = pair[1].at - pair[0].at;
            let last = n + 2 == flaps.len();
            prop_assert!(lasted <= longest && (last || lasted >= shortest), "{lasted:?}");
        }
        prop_assert!(flaps[flaps.len() - 1].at <= total);
    }
}
