//! P1's rule against every majority of every small layout.

use super::*;

#[test]
fn the_tested_layouts() {
    assert!(!zero_loss(["a"]));
    assert!(zero_loss(["a", "b", "c"]));
    assert!(zero_loss(["a", "a", "b", "b", "c"]));
    assert!(!zero_loss(["a", "a", "b"]));
    assert!(!zero_loss(["a", "a", "a", "b", "c"]));
    assert!(!zero_loss(Vec::<&str>::new()));
}

/// For every placement of up to seven voters in three data centres, the rule says whether each majority
/// really spans two of them.
#[test]
fn p1_zero_loss_every_majority_spans_two_data_centres() {
    for voters in 1..=7_u32 {
        for placement in 0..3_u32.pow(voters) {
            let dcs: Vec<u32> = (0..voters).map(|voter| placement / 3_u32.pow(voter) % 3).collect();
            let spans_two = |majority: u32| {
                let mut chosen = (0..voters)
                    .filter(|voter| majority & 1 << voter != 0)
                    .map(|voter| dcs[voter as usize]);
                let first = chosen.next();
                chosen.any(|dc| Some(dc) != first)
            };
            let safe = (0..1 << voters)
                .filter(|majority: &u32| majority.count_ones() > voters / 2)
                .all(spans_two);
            assert_eq!(zero_loss(&dcs), safe, "{dcs:?}");
        }
    }
}
