//! Chunks, manifests, segments and signed files: what was written is read, and nothing else is.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use types::ids::{ClusterId, GroupId, TreeHash};

use super::chunk::{self, Chunk, Chunker};
use super::*;
use crate::digest::{PairHash, StateDigest};
use crate::entry::Position;
use crate::rows::MembershipAt;
use crate::snapshot::SnapshotMeta;

type Row = (Vec<u8>, Vec<u8>);

fn cut(rows: &[Row]) -> Vec<Chunk> {
    let mut chunker = Chunker::default();
    let mut chunks = Vec::new();
    for (key, value) in rows {
        chunks.extend(chunker.push((key, value), &PairHash::of(key, value)));
    }
    chunks.extend(chunker.finish());
    chunks
}

fn joined(chunks: &[Chunk]) -> Vec<Row> {
    let rows = chunks.iter().flat_map(|chunk| chunk::read(&chunk.bytes).unwrap());
    rows.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// Rows as they are in a group that is used: many small ones, some of a record's size.
fn used(count: u64) -> Vec<Row> {
    (0..count)
        .map(|n| {
            let length = if n % 7 == 0 { 4_000 } else { 90 };
            let value: Vec<u8> = n.to_be_bytes().repeat(length / 8);
            (n.to_be_bytes().to_vec(), value)
        })
        .collect()
}

proptest! {
    #[test]
    fn rows_cut_into_chunks_are_read_back(rows in vec((vec(any::<u8>(), 1..40), vec(any::<u8>(), 0..3000)), 0..200)) {
        let chunks = cut(&rows);
        for chunk in &chunks {
            prop_assert_eq!(chunk.name.hash, file_hash(&chunk.bytes));
            prop_assert_eq!(chunk.name.length as usize, chunk.bytes.len());
        }
        prop_assert_eq!(joined(&chunks), rows);
    }

    #[test]
    fn no_bytes_break_a_parser(bytes in vec(any::<u8>(), 0..400)) {
        let _ = chunk::read(&bytes);
        let _ = Manifest::parse(&bytes);
        let _ = Segment::parse(&bytes);
        let _ = Reach::parse(&bytes);
        let _ = SignedFile::parse(SignedKind::Manifest, &bytes);
    }

    #[test]
    fn a_manifest_is_read_as_written(manifest in manifest()) {
        let bytes = manifest.encode();
        prop_assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
        prop_assert!(Manifest::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_segment_is_read_as_written(from in 0..9_u64, more in 1..9_u64, facts in vec(vec(any::<u8>(), 0..50), 0..9)) {
        let before = if from == 0 { [0; 32] } else { [7; 32] };
        let (cluster, group) = (ClusterId::from_bytes([3; 16]), GroupId(5));
        let next = from + more;
        let segment = Segment { cluster, group, from, next, before, created_ms: 99, facts };
        let bytes = segment.encode();
        prop_assert_eq!(Segment::parse(&bytes).unwrap(), segment);
        prop_assert!(Segment::parse(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_reach_is_read_as_written(places in vec(any::<u64>(), 0..9), created_ms in any::<u64>()) {
        let last = |next| if next == 0 { [0; 32] } else { [4; 32] };
        let groups = (2..).zip(places).map(|(group, next)| {
            GroupReach { group: GroupId(group), next, last: last(next) }
        });
        let cluster = ClusterId::from_bytes([3; 16]);
        let reach = Reach { cluster, created_ms, groups: groups.collect() };
        let bytes = reach.encode();
        prop_assert_eq!(Reach::parse(&bytes).unwrap(), reach);
        prop_assert!(Reach::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_signed_file_is_read_as_written(content in vec(any::<u8>(), 0..90), certificates in vec(vec(any::<u8>(), 0..90), 1..9)) {
        let covered = SignedFile::to_cover(SignedKind::Segment, &content, &certificates).unwrap();
        let bytes = [&covered[..], &[5; 64]].concat();
        let file = SignedFile::parse(SignedKind::Segment, &bytes).unwrap();
        prop_assert_eq!(file.content, content);
        prop_assert_eq!(file.covered, covered);
        prop_assert_eq!(file.certificate, &certificates[0][..]);
        let rest: Vec<_> = file.intermediates().collect();
        prop_assert_eq!(rest, certificates[1..].iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(file.signature, &[5; 64]);
        prop_assert!(SignedFile::parse(SignedKind::Manifest, &bytes).is_err());
    }
}

prop_compose! {
    fn group(number: u32)(
        position in prop::option::of((any::<u64>(), any::<u64>(), any::<u64>())),
        membership in vec(any::<u8>(), 0..20),
        digest in any::<[u8; 32]>(),
        numbers in any::<[u64; 4]>(),
        chunks in vec((any::<[u8; 32]>(), 0..1_000_000_u32, any::<u32>()), 0..4),
    ) -> GroupBackup {
        let position = position.map(|(term, leader, index)| Position { term, leader, index });
        let membership = position.map(|position| MembershipAt { position, bytes: membership });
        let digest = StateDigest::from_bytes(digest);
        let chunks: Vec<_> = chunks
            .into_iter()
            .map(|(hash, length, rows)| ChunkRef { hash, length, rows })
            .collect();
        let [restored_rows, wallets, leaves, journal_next] = numbers;
        let rows = chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
        let summary = GroupSummary {
            rows, restored_rows, restored: digest, kept: digest, wallets, heads: digest, leaves,
            audit_root: TreeHash::from_bytes(digest.to_bytes()), journal_next,
        };
        let meta = SnapshotMeta { group: GroupId(number), position, membership, digest };
        GroupBackup { meta, summary, chunks }
    }
}

prop_compose! {
    fn manifest()(
        groups in (group(0), group(1), group(2), group(3)),
        created_ms in any::<u64>(),
        release in "[0-9.]{0,20}",
    ) -> Manifest {
        Manifest {
            cluster: ClusterId::from_bytes([9; 16]), created_ms, before: [1; 32], release,
            wallet_groups: 2, groups: vec![groups.0, groups.1, groups.2, groups.3],
        }
    }
}

#[test]
fn chunks_are_about_as_long_as_meant_and_within_their_bounds() {
    let chunks = cut(&used(60_000));
    let (last, full) = chunks.split_last().unwrap();
    let total: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    let mean = total / chunks.len();
    assert!((chunk::TARGET / 2..chunk::TARGET * 2).contains(&mean), "{mean}");
    assert!(full.iter().all(|chunk| chunk.bytes.len() >= chunk::MIN));
    assert!(chunks.iter().all(|chunk| chunk.bytes.len() < chunk::MAX + 5_000));
    assert!(!last.bytes.is_empty());
}

#[test]
fn a_change_touches_the_chunks_around_it_only() {
    let before = used(60_000);
    let known: std::collections::BTreeSet<_> =
        cut(&before).iter().map(|chunk| chunk.name.hash).collect();
    let fresh =
        |rows: &[Row]| cut(rows).iter().filter(|chunk| !known.contains(&chunk.name.hash)).count();
    assert!(known.len() > 50, "{}", known.len());
    assert_eq!(fresh(&before), 0);

    let mut changed = before.clone();
    changed[30_000].1 = b"another value".to_vec();
    assert!((1..=3).contains(&fresh(&changed)), "{}", fresh(&changed));
    let mut grown = before.clone();
    grown.insert(10_000, ((9_999_u64).to_be_bytes().repeat(2), vec![1; 700]));
    assert!((1..=3).contains(&fresh(&grown)), "{}", fresh(&grown));
    let mut shorter = before;
    shorter.remove(45_000);
    assert!((1..=3).contains(&fresh(&shorter)), "{}", fresh(&shorter));
}

#[test]
fn a_manifest_without_one_of_the_groups_is_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let manifest = manifest().new_tree(&mut runner).unwrap().current();
    for missing in 0..manifest.groups.len() {
        let mut less = manifest.clone();
        less.groups.remove(missing);
        assert!(Manifest::parse(&less.encode()).is_err(), "without group {missing}");
        let mut exchanged = manifest.clone();
        exchanged.groups.swap(missing, (missing + 1) % 4);
        assert!(Manifest::parse(&exchanged.encode()).is_err(), "group {missing} elsewhere");
    }
    let none = Manifest { groups: Vec::new(), wallet_groups: 0, ..manifest };
    assert!(Manifest::parse(&none.encode()).is_err());
}
