//! The root against the definition, written down naively.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn any_entries() -> impl Strategy<Value = Entries> {
    // Few first bytes, so that buckets hold more than one entry.
    let id = (prop::sample::select(vec![0_u8, 1, 7, 255]), any::<[u8; 2]>()).prop_map(
        |(first, [a, b])| {
            let mut id = [0; 16];
            (id[0], id[1], id[15]) = (first, a, b);
            RecordId::from_bytes(id)
        },
    );
    prop::collection::btree_map(id, (1..u64::MAX, any::<[u8; 32]>()), 0..40).prop_map(|entries| {
        let entry =
            |(id, (version, hash))| Entry { id, version, body_hash: BodyHash::from_bytes(hash) };
        Entries::from_sorted(entries.into_iter().map(entry).collect()).unwrap()
    })
}

fn naive(entries: &Entries) -> Root {
    let mut all = (entries.len() as u32).to_be_bytes().to_vec();
    for bucket in 0..=255_u8 {
        let mut bytes = vec![bucket];
        for entry in entries.as_slice().iter().filter(|entry| entry.id.as_bytes()[0] == bucket) {
            bytes.extend(entry.id.as_bytes());
            bytes.extend(entry.version.to_be_bytes());
            bytes.extend(entry.body_hash.as_bytes());
        }
        all.extend(tagged("holdfast/1 bucket", &[&bytes]));
    }
    Root::from_bytes(tagged("holdfast/1 root", &[&all]))
}

#[test]
fn the_roots_of_nothing_and_of_one_entry_are_frozen() {
    let expected = "5c99f6904435b7a32fd086f9dfe02ed47bff57acb381f5464ca3da382397e21e";
    assert_eq!(Entries::EMPTY.root().to_string(), expected);
    let body_hash = BodyHash::from_bytes([2; 32]);
    let one = Entry { id: RecordId::from_bytes([1; 16]), version: 1, body_hash };
    let expected = "fea2dd6c2b34c162f09697b2fb752cad51fc3abc59c4e94f402eef3fe0a56484";
    assert_eq!(Entries::from_sorted(vec![one]).unwrap().root().to_string(), expected);
}

#[test]
fn entries_out_of_order_twice_or_without_a_version_are_refused() {
    let entry = |first: u8, version| Entry {
        id: RecordId::from_bytes([first; 16]),
        version,
        body_hash: BodyHash::ZERO,
    };
    let unsorted = Problem::Unsorted { field: "record ids" };
    let refusal = |entries| Entries::from_sorted(entries).unwrap_err().problem;
    assert_eq!(refusal(vec![entry(2, 1), entry(1, 1)]), unsorted);
    assert_eq!(refusal(vec![entry(1, 1), entry(1, 2)]), unsorted);
    assert_eq!(refusal(vec![entry(1, 1), entry(2, 0)]), Problem::Zero { field: "version" });
    assert_eq!(entry(1, 1).encode().len(), Entry::LEN);
}

proptest! {
    /// The root is that of the definition, also from buckets kept one by one.
    #[test]
    fn the_root_is_that_of_the_definition(entries in any_entries()) {
        prop_assert_eq!(entries.root(), naive(&entries));
        let buckets = std::array::from_fn(|bucket| {
            let of_bucket: Vec<_> =
                entries.as_slice().iter().filter(|entry| usize::from(entry.id.as_bytes()[0]) == bucket).copied().collect();
            bucket_hash(bucket as u8, &of_bucket)
        });
        prop_assert_eq!(root_of_buckets(entries.len(), &buckets), naive(&entries));
    }

    /// A change gives the entries that a map would hold.
    #[test]
    fn a_change_does_what_a_map_would_do(before in any_entries(), changed in any_entries(), take in 0..20_usize) {
        let removed: Vec<_> = before.as_slice().iter().map(|entry| entry.id).take(take).collect();
        let removed: Vec<_> = removed.into_iter().filter(|id| changed.get(id).is_none()).collect();
        let after = before.with(changed.as_slice().iter().copied(), &removed);
        for id in before.as_slice().iter().chain(changed.as_slice()).map(|entry| entry.id) {
            let expected = match (changed.get(&id), removed.contains(&id)) {
                (Some(entry), _) => Some(entry),
                (None, true) => None,
                (None, false) => before.get(&id),
            };
            prop_assert_eq!(after.get(&id), expected);
            prop_assert_eq!(after.version(&id), expected.map_or(0, |entry| entry.version));
        }
        prop_assert!(Entries::from_sorted(after.clone().into()).is_ok());
    }
}
