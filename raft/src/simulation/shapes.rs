//! The shapes of cuts: from the nodes in some order, and a victim, to the directed links that are cut.
//!
//! Pure. A link (a, b) that is cut carries nothing from a to b; b *hears* a while it is whole. Every shape of
//! three nodes or more cuts something.

use super::DCS;

/// Directed links.
pub(super) type Links = Vec<(u64, u64)>;

/// A shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Two sides that do not hear each other.
    Halves,
    /// The victim hears nobody, and nobody hears it.
    Isolated,
    /// The victim hears nobody, and is heard.
    Deaf,
    /// The victim is heard by nobody, and hears.
    Mute,
    /// Two sides that do not hear each other, and one node between them that hears and is heard by both.
    Bridge,
    /// Every node hears as many neighbours as make a majority with itself, and no two the same majority.
    Ring,
    /// The nodes of the victim's data centre and all others do not hear each other.
    DataCentre,
}

impl Shape {
    /// All.
    pub(super) const ALL: [Shape; 7] = [
        Shape::Halves,
        Shape::Isolated,
        Shape::Deaf,
        Shape::Mute,
        Shape::Bridge,
        Shape::Ring,
        Shape::DataCentre,
    ];

    /// Its name in the trace.
    pub(super) fn name(self) -> &'static str {
        match self {
            Shape::Halves => "halves",
            Shape::Isolated => "isolated",
            Shape::Deaf => "deaf",
            Shape::Mute => "mute",
            Shape::Bridge => "bridge",
            Shape::Ring => "ring",
            Shape::DataCentre => "data centre",
        }
    }

    /// Under which name it is counted what did not get through because of it.
    pub(super) fn felt(self) -> &'static str {
        match self {
            Shape::Halves => "segments held between halves",
            Shape::Isolated => "segments held around one isolated",
            Shape::Deaf => "segments held before one deaf",
            Shape::Mute => "segments held behind one mute",
            Shape::Bridge => "segments held beside a bridge",
            Shape::Ring => "segments held across a ring",
            Shape::DataCentre => "segments held around a data centre",
        }
    }

    /// The links that it cuts among the nodes of this order.
    pub(super) fn links(self, order: &[u64], victim: u64) -> Links {
        let others: Vec<u64> = order.iter().copied().filter(|id| *id != victim).collect();
        let half = order.len() / 2;
        match self {
            Shape::Halves => both(&order[..half], &order[half..]),
            Shape::Isolated => both(&[victim], &others),
            Shape::Deaf => way(&others, &[victim]),
            Shape::Mute => way(&[victim], &others),
            Shape::Bridge => both(&order[..half], &order[half + 1..]),
            Shape::Ring => ring(order),
            Shape::DataCentre => {
                let (here, there): (Vec<u64>, Vec<u64>) =
                    order.iter().copied().partition(|id| dc(*id) == dc(victim));
                both(&here, &there)
            }
        }
    }
}

fn dc(node: u64) -> &'static str {
    DCS[node as usize - 1]
}

fn way(from: &[u64], to: &[u64]) -> Links {
    from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect()
}

/// The links between two sets of nodes, both ways.
pub(super) fn both(one: &[u64], other: &[u64]) -> Links {
    way(one, other).into_iter().chain(way(other, one)).collect()
}

/// A node hears as many before it in the ring as behind it, and one more before it where a majority does
/// not come out even: of three nodes everybody hears one, and no two hear each other.
fn ring(order: &[u64]) -> Links {
    let count = order.len();
    let heard = count / 2;
    let (before, behind) = (heard.div_ceil(2), heard / 2);
    let pairs = (0..count).flat_map(|place| (1..count).map(move |step| (place, step)));
    let far = pairs.filter(|(_, step)| *step > before && count - step > behind);
    far.map(|(place, step)| (order[(place + count - step) % count], order[place])).collect()
}

/// No shape of three nodes or more is empty, none lets through more or less than its name says, and none
/// cuts a node from itself or a link twice, which would be whole too early.
#[test]
fn every_shape_cuts_what_its_name_says() {
    for count in 3..=DCS.len() as u64 {
        let order: Vec<u64> = (1..=count).rev().collect();
        for (shape, victim) in Shape::ALL.into_iter().flat_map(|shape| [(shape, 1), (shape, count)])
        {
            let links = shape.links(&order, victim);
            let once: std::collections::BTreeSet<_> = links.iter().copied().collect();
            assert_eq!(once.len(), links.len(), "{shape:?} of {count}");
            assert!(links.iter().all(|(from, to)| from != to), "{shape:?} of {count}");
            let heard = |node: u64| {
                order
                    .iter()
                    .filter(|other| **other != node && !once.contains(&(**other, node)))
                    .count()
            };
            let hears: Vec<usize> = order.iter().map(|node| heard(*node)).collect();
            let all = count as usize - 1;
            match shape {
                Shape::Ring => assert!(hears.iter().all(|heard| *heard == count as usize / 2)),
                Shape::Bridge => assert_eq!(hears.iter().filter(|heard| **heard == all).count(), 1),
                Shape::Deaf => assert_eq!((heard(victim), links.len()), (0, all)),
                Shape::Mute => {
                    assert!(links.iter().all(|(from, _)| *from == victim) && links.len() == all);
                }
                Shape::Isolated => assert_eq!((heard(victim), links.len()), (0, 2 * all)),
                Shape::Halves => assert!(hears.iter().all(|heard| *heard < all)),
                Shape::DataCentre => {
                    assert!(
                        links.iter().all(|(from, to)| dc(*from) != dc(*to)) && heard(victim) < 2
                    );
                }
            }
        }
    }
}
