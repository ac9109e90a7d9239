use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use types::head::{Head, SignedHead};
use types::ids::*;
use types::link::{Genesis, Link, LinkPayload, SignedLink};
use types::member::{Member, PublicKey};
use types::membership::Membership;
use types::node::{NodeInfo, NodeState, Role};
use types::sealed::Sealed;
use types::signature::MemberSignature;
use types::suite::Suite;
use types::tree::Frontier;

use super::*;
use crate::codec::{count, decode, encode};
use crate::command::SystemReply;
use crate::digest::{PairHash, StateDigest};
use crate::entry::Position;
use crate::policy::Policy;

/// A value has one encoding, which gives it back; no part of it and nothing longer is a value.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    let bytes = encode(value);
    prop_assert_eq!(&decode::<T>(&bytes).unwrap(), value);
    for cut in 0..bytes.len() {
        prop_assert!(
            decode::<T>(&bytes[..cut]).is_err(),
            "cut to {} of {} bytes",
            cut,
            bytes.len()
        );
    }
    prop_assert!(decode::<T>(&[&bytes[..], &[0]].concat()).is_err());
    Ok(())
}

fn position() -> impl Strategy<Value = Position> {
    any::<(u64, u64, u64)>().prop_map(|(term, leader, index)| Position { term, leader, index })
}

fn ring() -> impl Strategy<Value = Ring> {
    (0..=count::MAX).prop_flat_map(|next| (0..=next).prop_map(move |first| Ring { first, next }))
}

fn signed_head() -> impl Strategy<Value = SignedHead> {
    let hashes = any::<[[u8; 32]; 5]>();
    (hashes, 2..=count::MAX, any::<(u32, [u8; 16], u64)>()).prop_map(
        |(hashes, seq, (links, signer, time_s))| {
            let [wallet, prev, history, root, link] = hashes;
            let signer = MemberId::from_bytes(signer);
            let head = Head {
                suite: Suite::P256,
                wallet: WalletId::from_bytes(wallet),
                seq,
                // Only a first head follows none.
                prev: HeadHash::from_bytes([&[1], &prev[1..]].concat().try_into().unwrap()),
                history: TreeHash::from_bytes(history),
                root: Root::from_bytes(root),
                links,
                link: LinkHash::from_bytes(link),
                signer,
                time_s,
            };
            SignedHead::new(&head, MemberSignature { member: signer, signature: [7; 64] }).unwrap()
        },
    )
}

fn frontier() -> impl Strategy<Value = Frontier> {
    prop::collection::vec(any::<[u8; 8]>(), 0..70).prop_map(|leaves| {
        let mut frontier = Frontier::EMPTY;
        leaves.iter().for_each(|leaf| frontier.append(leaf));
        frontier
    })
}

fn wallet() -> impl Strategy<Value = WalletRow> {
    let counters = (any::<u32>(), 0..=count::MAX, any::<u64>(), any::<u64>(), any::<u64>());
    (signed_head(), frontier(), any::<Vec<u64>>(), counters, ring()).prop_map(
        |(
            head,
            history,
            trail,
            (records, bytes, forgotten, created_ms, updated_ms),
            tombstones,
        )| WalletRow {
            head,
            history,
            trail,
            records,
            bytes,
            tombstones,
            forgotten,
            created_ms,
            updated_ms,
        },
    )
}

fn membership() -> impl Strategy<Value = Membership> {
    let keys = any::<([u8; 32], [u8; 32])>().prop_filter("two keys", |(sign, seal)| sign != seal);
    let members = prop::collection::vec(keys, 1..4);
    (members, any::<([u8; 32], u8)>()).prop_map(|(keys, (nonce, region))| {
        let key = |x: &[u8; 32]| PublicKey::parse(&[&[4], &x[..], &[9; 32]].concat()).unwrap();
        let members: Vec<_> =
            keys.iter().map(|(sign, seal)| Member::device(key(sign), key(seal)).unwrap()).collect();
        let link = Link {
            suite: Suite::P256,
            wallet: WalletId::ZERO,
            n: 0,
            prev: LinkHash::ZERO,
            signer: members[0].id(),
            payload: LinkPayload::Genesis(Genesis { region, nonce, members }),
        };
        let signatures = link
            .required_signers()
            .into_iter()
            .map(|member| MemberSignature { member, signature: [0; 64] });
        Membership::genesis(&SignedLink::new(&link, signatures.collect()).unwrap()).unwrap()
    })
}

fn slot() -> impl Strategy<Value = Slot> {
    (0..Slot::COUNT).prop_map(|number| Slot::new(number).unwrap())
}

fn spans() -> impl Strategy<Value = SlotsRow> {
    let span = (any::<u8>(), slot(), slot()).prop_map(|(region, first, last)| SlotSpan {
        region,
        first,
        last,
    });
    prop::collection::vec(span, 0..5).prop_map(|spans| SlotsRow { spans })
}

fn node() -> impl Strategy<Value = NodeInfo> {
    let text = || ".{0,20}";
    let role = prop_oneof![Just(Role::Data), Just(Role::Witness)];
    let state =
        prop_oneof![Just(NodeState::Active), Just(NodeState::Draining), Just(NodeState::Removed)];
    (any::<(u64, [u8; 16])>(), [text(), text(), text(), text()], role, state).prop_map(
        |((id, incarnation), [name, dc, peer, endpoint], role, state)| NodeInfo {
            id: NodeId(id),
            name,
            dc,
            role,
            peer,
            endpoint,
            incarnation: Incarnation::from_bytes(incarnation),
            state,
        },
    )
}

fn nodes() -> impl Strategy<Value = Vec<NodeId>> {
    prop::collection::vec(any::<u64>().prop_map(NodeId), 0..6)
}

fn reply() -> impl Strategy<Value = SystemReply> {
    prop_oneof![
        Just(SystemReply::Done),
        any::<u64>().prop_map(|node| SystemReply::Registered { node: NodeId(node) }),
        any::<u64>().prop_map(|version| SystemReply::Placed { version }),
    ]
}

fn epoch() -> impl Strategy<Value = EpochRow> {
    let state = prop_oneof![
        Just(EpochState::Current),
        Just(EpochState::Retired),
        Just(EpochState::Destroyed)
    ];
    (any::<[u8; 32]>(), state, any::<u64>()).prop_map(|(commitment, state, since_ms)| EpochRow {
        commitment,
        state,
        since_ms,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_a_wallet(
        wallet in wallet(), membership in membership(), head in signed_head(), bytes: Vec<u8>,
        hashes: [[u8; 32]; 2], content: Option<[u8; 32]>, numbers: (u64, u32, u64), id: [u8; 16],
    ) {
        round_trip(&wallet)?;
        round_trip(&membership)?;
        round_trip(&head)?;
        let sealed = Sealed::new(bytes);
        round_trip(&sealed)?;
        round_trip(&LinkRow { hash: LinkHash::from_bytes(hashes[0]), sealed })?;
        let (version, size, seq) = numbers;
        round_trip(&EntryRow { version, body_hash: BodyHash::from_bytes(hashes[1]), size, seq, body: PairHash::of(&id, &hashes[0]) })?;
        round_trip(&HeadHashRow { hash: HeadHash::from_bytes(hashes[0]), content })?;
        round_trip(&TombstoneRow { place: version })?;
        round_trip(&RemovalRow { record: RecordId::from_bytes(id), seq })?;
    }

    #[test]
    fn rows_of_a_group(
        at in position(), bytes: Vec<u8>, digest: [u8; 32], none: bool, counters in (any::<u64>(), 0..=count::MAX, 0..=count::MAX), receipts in ring(),
        content: [u8; 32], reply in reply(), wallets: Vec<[u8; 32]>, slots in spans(), caller: ([u8; 16], [u8; 32]),
    ) {
        let membership = (!none).then_some(MembershipAt { position: at, bytes: bytes.clone() });
        let digest = StateDigest::from_bytes(digest);
        round_trip(&AppliedRow { position: (!none).then_some(at), membership, digest })?;
        let (time_ms, leaves, wallet_count) = counters;
        round_trip(&StandingRow { time_ms, leaves, wallets: wallet_count, receipts })?;
        round_trip(&AuditLeafRow { bytes })?;
        round_trip(&TreeHash::from_bytes(content))?;
        round_trip(&ReceiptRow { content, reply })?;
        round_trip(&LocatorRow { wallets: wallets.into_iter().map(WalletId::from_bytes).collect() })?;
        round_trip(&slots)?;
        round_trip(&(crate::act::Caller::from_bytes(caller.0), RequestId::from_bytes(caller.1)))?;
        let small = time_ms as u32;
        round_trip(&Policy {
            wallet_bytes: leaves, wallet_records: small, wallet_links: small / 2, trail_heads: small / 3,
            tombstones: small / 5, locator_wallets: small % 100, receipts: small % 1_000,
        })?;
    }

    #[test]
    fn rows_of_the_system(
        cluster: [u8; 16], counts in (1..=4096_u32, 0..=count::MAX, any::<u32>(), any::<bool>()), regions: Vec<u8>,
        node in node(), version in 0..=count::MAX,
        voters in nodes(), learners in nodes(), spans in prop::collection::vec((slot(), any::<u32>()), 0..5), epoch in epoch(),
    ) {
        let (wallet_groups, nodes, current, allow_single_dc) = counts;
        let cluster = ClusterId::from_bytes(cluster);
        round_trip(&ClusterRow { cluster, wallet_groups, regions, allow_single_dc, nodes, epoch: current })?;
        round_trip(&node)?;
        round_trip(&PlacementRow { version, voters, learners })?;
        round_trip(&SlotMapRow { spans: spans.into_iter().map(|(slot, group)| (slot, GroupId(group))).collect() })?;
        round_trip(&epoch)?;
    }

    /// Numbers are given once, in order, and only the youngest stay.
    #[test]
    fn a_ring_keeps_the_youngest(pushes in 0..40_u64, limit in 0..20_u64) {
        let mut ring = Ring::default();
        let mut gone = Vec::new();
        for number in 0..pushes {
            prop_assert_eq!(ring.push(), number);
            gone.extend(ring.trim(limit));
        }
        prop_assert_eq!(ring.next, pushes);
        prop_assert_eq!(ring.first, pushes.saturating_sub(limit));
        prop_assert_eq!(gone, (0..ring.first).collect::<Vec<_>>());
    }

    #[test]
    fn a_slot_map_finds_the_span(spans in prop::collection::btree_set(slot(), 1..9), at in slot()) {
        let map = SlotMapRow { spans: spans.iter().copied().zip((0..).map(GroupId)).collect() };
        let expected = spans.iter().position(|last| at <= *last).map(|n| GroupId(n as u32));
        prop_assert_eq!(map.group(at), expected);
    }
}

/// Values that a release would never write, from a disk, a peer or a backup that somebody forged: whoever
/// counted on from them would overflow.
#[test]
fn counters_beyond_every_limit_are_refused() {
    fn refused<T: Serialize + DeserializeOwned + Debug>(value: &T) {
        assert!(decode::<T>(&encode(value)).is_err(), "{value:?}");
    }
    let beyond = count::MAX + 1;
    let standing = StandingRow { leaves: beyond, ..StandingRow::default() };
    refused(&standing);
    refused(&StandingRow { leaves: 0, wallets: u64::MAX, ..standing });
    refused(&Ring { first: 0, next: u64::MAX });
    refused(&Ring { first: 3, next: 2 });
    refused(&PlacementRow { version: beyond, voters: Vec::new(), learners: Vec::new() });
    let cluster = ClusterRow {
        cluster: ClusterId::from_bytes([1; 16]),
        wallet_groups: 4096,
        regions: vec![0],
        allow_single_dc: false,
        nodes: 3,
        epoch: 1,
    };
    assert_eq!(decode::<ClusterRow>(&encode(&cluster)).unwrap(), cluster);
    refused(&ClusterRow { wallet_groups: 4097, ..cluster.clone() });
    refused(&ClusterRow { wallet_groups: 0, ..cluster.clone() });
    refused(&ClusterRow { nodes: u64::MAX, ..cluster });
}

#[test]
fn a_wallet_beyond_every_limit_is_refused() {
    let row = |seq, bytes| {
        let head = Head {
            suite: Suite::P256,
            wallet: WalletId::from_bytes([7; 32]),
            seq,
            prev: HeadHash::from_bytes([1; 32]),
            history: TreeHash::from_bytes([2; 32]),
            root: Root::from_bytes([3; 32]),
            links: 1,
            link: LinkHash::from_bytes([4; 32]),
            signer: MemberId::from_bytes([5; 16]),
            time_s: 0,
        };
        let signature = MemberSignature { member: head.signer, signature: [7; 64] };
        WalletRow {
            head: SignedHead::new(&head, signature).unwrap(),
            history: Frontier::EMPTY,
            trail: Vec::new(),
            records: 0,
            bytes,
            tombstones: Ring::default(),
            forgotten: 0,
            created_ms: 0,
            updated_ms: 0,
        }
    };
    assert!(decode::<WalletRow>(&encode(&row(2, count::MAX))).is_ok());
    assert!(decode::<WalletRow>(&encode(&row(2, u64::MAX))).is_err());
    assert!(decode::<WalletRow>(&encode(&row(u64::MAX, 0))).is_err());
}
