//! The tree against the definition of RFC 6962, written down as it stands there, and against the
//! reference tree of the Certificate Transparency project.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// The leaves of the reference tree (`merkle_tree_test.cc` of certificate-transparency).
const REFERENCE_LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Its hash at sizes 1 to 8.
const REFERENCE_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(hex: &str) -> TreeHash {
    hex.parse().unwrap()
}

fn reference() -> Vec<TreeHash> {
    REFERENCE_LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect()
}

fn leaves(count: u64) -> Vec<TreeHash> {
    (0..count).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect()
}

/// MTH of RFC 6962, section 2.1, over leaf hashes.
fn naive(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => empty_hash(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive(left), &naive(right))
        }
    }
}

fn frontier(leaves: &[TreeHash]) -> Frontier {
    let mut frontier = Frontier::EMPTY;
    leaves.iter().for_each(|leaf| frontier.append_hash(*leaf));
    frontier
}

#[test]
fn the_empty_tree_hashes_nothing() {
    assert_eq!(
        Frontier::EMPTY.root(),
        hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
}

#[test]
fn the_reference_tree_has_its_published_hashes() {
    for (size, root) in (1..).zip(REFERENCE_ROOTS) {
        let mut frontier = Frontier::EMPTY;
        REFERENCE_LEAVES.iter().take(size).for_each(|leaf| frontier.append(leaf));
        assert_eq!(frontier.root(), hash(root), "size {size}");
        assert_eq!(tree_hash(&Leaves(&reference()), size as u64), Ok(hash(root)), "size {size}");
    }
}

#[test]
fn the_reference_tree_has_its_published_inclusion_proofs() {
    let leaves = reference();
    let node = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    let fifth = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    for (index, size, proof) in [
        (0, 1, vec![]),
        (
            0,
            8,
            vec![
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                node,
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            vec![
                fifth,
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                REFERENCE_ROOTS[3],
            ],
        ),
        (2, 3, vec![REFERENCE_ROOTS[1]]),
        (1, 5, vec![REFERENCE_ROOTS[0], node, fifth]),
    ] {
        let expected: Vec<_> = proof.into_iter().map(hash).collect();
        let made = inclusion_proof(&Leaves(&leaves), index, size).unwrap().unwrap();
        assert_eq!(made, expected, "leaf {index} of {size}");
        let root = hash(REFERENCE_ROOTS[size as usize - 1]);
        assert_eq!(verify_inclusion(&leaves[index as usize], index, size, &root, &made), Ok(()));
    }
}

#[test]
fn the_reference_tree_has_its_published_consistency_proofs() {
    let node = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    for (old, size, proof) in [
        (1, 1, vec![]),
        (
            1,
            8,
            vec![
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                node,
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            vec![
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                REFERENCE_ROOTS[3],
            ],
        ),
        (2, 5, vec![node, "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
    ] {
        let expected: Vec<_> = proof.into_iter().map(hash).collect();
        let made = consistency_proof(&Leaves(&reference()), old, size).unwrap().unwrap();
        assert_eq!(made, expected, "{old} to {size}");
        let [old_root, root] = [old, size].map(|size| hash(REFERENCE_ROOTS[size as usize - 1]));
        assert_eq!(verify_consistency(old, &old_root, size, &root, &made), Ok(()));
    }
}

#[test]
fn every_proof_of_every_small_tree_verifies_and_no_other_does() {
    let all = leaves(33);
    let roots: Vec<_> = (0..=33).map(|size| naive(&all[..size])).collect();
    for size in 0..=33_u64 {
        let root = &roots[size as usize];
        for index in 0..size {
            let proof = inclusion_proof(&Leaves(&all), index, size).unwrap().unwrap();
            let leaf = &all[index as usize];
            assert_eq!(verify_inclusion(leaf, index, size, root, &proof), Ok(()));
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify_inclusion(leaf, other, size, root, &proof).is_err());
            }
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(
                    verify_inclusion(leaf, index, size, root, shorter),
                    Err(ProofRefused::Length)
                );
            }
            let longer: Vec<_> = proof.iter().chain([leaf]).copied().collect();
            assert_eq!(
                verify_inclusion(leaf, index, size, root, &longer),
                Err(ProofRefused::Length)
            );
        }
        for old in 0..=size {
            let proof = consistency_proof(&Leaves(&all), old, size).unwrap().unwrap();
            let old_root = &roots[old as usize];
            assert_eq!(
                verify_consistency(old, old_root, size, root, &proof),
                Ok(()),
                "{old} to {size}"
            );
            let other = leaf_hash(b"another tree");
            assert!(
                verify_consistency(old, &other, size, root, &proof).is_err(),
                "{old} to {size}"
            );
            if old != 0 {
                assert!(
                    verify_consistency(old, old_root, size, &other, &proof).is_err(),
                    "{old} to {size}"
                );
            }
            let longer: Vec<_> = proof.iter().chain([&other]).copied().collect();
            assert_eq!(
                verify_consistency(old, old_root, size, root, &longer),
                Err(ProofRefused::Length)
            );
        }
        assert_eq!(inclusion_proof(&Leaves(&all), size, size), Ok(None));
        assert_eq!(consistency_proof(&Leaves(&all), size + 1, size), Ok(None));
    }
}

#[test]
fn sizes_at_the_end_of_the_range_are_refused_and_do_not_panic() {
    let some = leaf_hash(b"x");
    for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
        for index in [0, size - 1, size / 2] {
            assert!(verify_inclusion(&some, index, size, &some, &[some; 70]).is_err());
        }
        for old in [1, size - 1, size / 2, 1 << 62] {
            assert!(verify_consistency(old, &some, size, &some, &[some; 70]).is_err());
        }
    }
    assert_eq!(Leaves(&[]).subtree(64, 1), Err(NoLeaf(u64::MAX)));
    assert_eq!(Leaves(&[]).subtree(63, u64::MAX), Err(NoLeaf(u64::MAX)));
}

#[test]
fn a_frontier_has_one_hash_for_each_bit_of_its_size() {
    let some = leaf_hash(b"x");
    assert_eq!(Frontier::from_parts(5, vec![some]), Err(FrontierError));
    assert_eq!(Frontier::from_parts(0, vec![some]), Err(FrontierError));
    let json = r#"{"size":3,"peaks":[]}"#;
    assert!(serde_json::from_str::<Frontier>(json).is_err());
}

proptest! {
    /// Appending one leaf after another gives the tree of the definition, whatever its size.
    #[test]
    fn a_frontier_is_the_tree(count in 0..300_u64) {
        let leaves = leaves(count);
        let frontier = frontier(&leaves);
        prop_assert_eq!(frontier.size(), count);
        prop_assert_eq!(frontier.root(), naive(&leaves));
        prop_assert_eq!(tree_hash(&Leaves(&leaves), count), Ok(naive(&leaves)));
        prop_assert_eq!(Frontier::from_parts(count, frontier.peaks().to_vec()), Ok(frontier));
    }

    /// A proof with one hash changed proves nothing.
    #[test]
    fn a_changed_proof_is_refused(size in 2..200_u64, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let root = naive(&leaves);
        let old = old.index(size as usize - 1) as u64 + 1;
        let mut proof = consistency_proof(&Leaves(&leaves), old, size).unwrap().unwrap();
        let place = at.index(proof.len());
        proof[place] = leaf_hash(b"another");
        let old_root = naive(&leaves[..old as usize]);
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Err(ProofRefused::Mismatch));
        let mut proof = inclusion_proof(&Leaves(&leaves), old - 1, size).unwrap().unwrap();
        let place = at.index(proof.len());
        proof[place] = leaf_hash(b"another");
        let leaf = &leaves[old as usize - 1];
        prop_assert_eq!(verify_inclusion(leaf, old - 1, size, &root, &proof), Err(ProofRefused::Mismatch));
    }
}
