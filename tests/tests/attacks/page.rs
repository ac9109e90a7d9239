//! `docs/attacks.md` names tests that are there.

use std::{collections::BTreeSet, fs, path::Path};

/// The attacks that the page must answer.
const ANSWERED: &[std::ops::RangeInclusive<u32>] =
    &[1..=7, 9..=15, 18..=20, 22..=36, 38..=44, 46..=49, 51..=52, 87..=87, 91..=91, 93..=97];

#[test]
fn every_attack_has_tests_and_every_test_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/attacks.md")).unwrap();
    let mut numbers = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let Ok(number) = cells[0].parse::<u32>() else { continue };
        assert!(numbers.insert(number), "{number} has two rows");
        assert_eq!(cells.len(), 4, "{row}");
        assert!(cells[1].len() > 5 && !cells[2].is_empty(), "{row}");
        let tests: Vec<_> = cells[3].split('`').filter(|text| text.contains("::")).collect();
        assert!(!tests.is_empty(), "{number} names no test");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap();
            let text = fs::read_to_string(root.join(file))
                .unwrap_or_else(|error| panic!("{number}: {file}: {error}"));
            assert!(text.contains(&format!("fn {name}(")), "{number}: {file} has no {name}");
        }
    }
    let missing: Vec<_> =
        ANSWERED.iter().cloned().flatten().filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "no row answers {missing:?}");
}
