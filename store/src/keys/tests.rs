use proptest::prelude::*;

use super::*;

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    // Mostly the edges, where an order of bytes and an order of values would part.
    prop_oneof![prop::array::uniform(any::<u8>()), Just([0; N]), Just([0xff; N])]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..300_u64, Just(u64::MAX)]
}

fn home() -> impl Strategy<Value = Home> {
    bytes().prop_map(|wallet| Home::of(WalletId::from_bytes(wallet)))
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (any::<u32>(), number())
        .prop_map(|(group, incarnation)| Prefix { group: GroupId(group), incarnation })
}

fn of_wallet() -> impl Strategy<Value = Key> {
    let record = || bytes().prop_map(RecordId::from_bytes);
    prop_oneof![
        home().prop_map(Key::Wallet),
        home().prop_map(Key::Membership),
        home().prop_map(Key::DataKey),
        home().prop_map(Key::Floor),
        (home(), any::<u32>()).prop_map(|(home, n)| Key::Link(home, n)),
        (home(), record()).prop_map(|(home, record)| Key::Entry(home, record)),
        (home(), record()).prop_map(|(home, record)| Key::Body(home, record)),
        (home(), record()).prop_map(|(home, record)| Key::Tombstone(home, record)),
        (home(), number()).prop_map(|(home, n)| Key::HeadHash(home, n)),
        (home(), number()).prop_map(|(home, n)| Key::Trail(home, n)),
        (home(), number()).prop_map(|(home, n)| Key::TombstoneOrder(home, n)),
    ]
}

fn of_group() -> impl Strategy<Value = Key> {
    let receipt = (bytes(), bytes());
    prop_oneof![
        prop::sample::select(vec![
            Key::Applied,
            Key::Standing,
            Key::Policy,
            Key::Slots,
            Key::JournalEnd,
            Key::Restore,
            Key::Level,
            Key::Cluster
        ]),
        bytes().prop_map(|locator| Key::Locator(Locator::from_bytes(locator))),
        number().prop_map(Key::AuditLeaf),
        (any::<u8>(), number()).prop_map(|(level, n)| Key::AuditNode(level, n)),
        receipt.prop_map(|(caller, request)| Key::Receipt(
            Caller::from_bytes(caller),
            RequestId::from_bytes(request)
        )),
        number().prop_map(Key::ReceiptOrder),
        number().prop_map(Key::Journal),
        number().prop_map(|node| Key::Node(NodeId(node))),
        number().prop_map(|node| Key::NodeLevel(NodeId(node))),
        any::<u32>().prop_map(|group| Key::Placement(GroupId(group))),
        any::<u8>().prop_map(Key::SlotMap),
        any::<u32>().prop_map(Key::Epoch),
        any::<u8>().prop_map(Key::Backup),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![of_wallet(), of_group()]
}

/// The order that keys are meant to have: slot, table, then the fields.
fn meant(key: &Key) -> (u16, u8, Key) {
    (key.home().map_or(GROUP_SLOT, |home| home.slot.get()), key.table(), *key)
}

proptest! {
    #[test]
    fn decoding_an_encoding_gives_the_key_back(prefix in prefix(), key in key()) {
        let bytes = key.encode(prefix);
        prop_assert!(bytes.len() <= KeyBytes::MAX);
        prop_assert_eq!(Key::decode(&bytes), Ok((prefix, key)));
    }

    #[test]
    fn bytes_sort_as_keys_do(prefix in prefix(), other in prefix(), left in key(), right in key()) {
        let (a, b) = (left.encode(prefix), right.encode(prefix));
        prop_assert_eq!(a.cmp(&b), meant(&left).cmp(&meant(&right)));
        let (a, b) = (left.encode(prefix), right.encode(other));
        let meant = (prefix, meant(&left)).cmp(&(other, meant(&right)));
        prop_assert_eq!(a.cmp(&b), meant);
    }

    #[test]
    fn a_key_lies_in_the_range_of_its_prefix_and_of_no_other(prefix in prefix(), other in prefix(), key in key()) {
        prop_assume!(prefix != other && prefix.group.0 < u32::MAX && other.group.0 < u32::MAX);
        let bytes = key.encode(prefix);
        let within = |(from, to): (KeyBytes, KeyBytes)| from <= bytes && bytes < to;
        prop_assert!(within(prefix.range()));
        prop_assert!(!within(other.range()));
    }

    #[test]
    fn cut_or_lengthened_keys_are_refused(prefix in prefix(), key in key(), cut in 0..64_usize, more in 1..9_usize) {
        let bytes = key.encode(prefix);
        prop_assume!(cut < bytes.len());
        prop_assert!(Key::decode(&bytes[..cut]).is_err());
        prop_assert!(Key::decode(&[&bytes[..], &vec![0; more]].concat()).is_err());
    }

    #[test]
    fn any_bytes_are_one_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok((prefix, key)) = Key::decode(&bytes) {
            prop_assert_eq!(&key.encode(prefix)[..], &bytes[..]);
        }
    }

    #[test]
    fn the_digest_covers_a_key_without_its_prefix(one in prefix(), other in prefix(), key in key()) {
        let (one, there) = (key.encode(one), key.encode(other));
        prop_assert_eq!(one.digested(), there.digested());
        prop_assert_eq!(KeyBytes::under(other, one.digested()), Some(there));
    }
}

#[test]
fn a_wallet_in_a_foreign_slot_is_refused() {
    let home = Home::of(WalletId::from_bytes([7; 32]));
    let mut bytes = Key::Wallet(home).encode(Prefix { group: GroupId(2), incarnation: 0 }).to_vec();
    bytes[13] ^= 1;
    let error = Key::decode(&bytes).unwrap_err();
    assert_eq!(error.problem, Problem::Value { field: "slot", allowed: "the wallet's" });
}

#[test]
fn no_two_tables_share_a_number() {
    let home = Home::of(WalletId::ZERO);
    let prefix = Prefix { group: GroupId(0), incarnation: 0 };
    let known: Vec<u8> = (0..=u8::MAX)
        .filter(|table| {
            let mut of_group = Key::Applied.encode(prefix).to_vec();
            of_group[14] = *table;
            let mut of_wallet = Key::Wallet(home).encode(prefix).to_vec();
            of_wallet[14] = *table;
            // A known table either fits or misses its fields; an unknown one is refused as such.
            [of_group, of_wallet].iter().any(|bytes| Key::decode(bytes) != Err(unknown_table()))
        })
        .collect();
    assert_eq!(
        known,
        [
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 48,
            49, 50, 51, 52, 53, 54, 55
        ]
    );
}
