#![allow(clippy::unwrap_used)]

use proto::v1::{HeadTrail, Idle, PullEnd, PullStart};
use types::{Head, LinkHash, MemberId, MemberSignature, Root, Suite, TreeHash, WalletId};

use super::*;

fn start() -> Part {
    let head = Head {
        suite: Suite::P256,
        wallet: WalletId::from_bytes([1; 32]),
        seq: 1,
        prev: HeadHash::ZERO,
        history: TreeHash::ZERO,
        root: Root::ZERO,
        links: 2,
        link: LinkHash::ZERO,
        signer: MemberId::ZERO,
        time_s: 0,
    };
    let head =
        SignedHead::new(&head, MemberSignature { member: MemberId::ZERO, signature: [0; 64] })
            .unwrap();
    Part::Start(PullStart { head: Some((&head).into()), unchanged: false, full: false })
}

fn end() -> Part {
    Part::End(PullEnd { leader: "https://a:1".to_owned() })
}

fn bytes(len: usize) -> bytes::Bytes {
    vec![1; len].into()
}

/// What comes of these frames: a whole pull, or the words of the refusal.
fn collect(parts: impl IntoIterator<Item = Part>) -> Result<Option<Received>, String> {
    let mut collector = Collector::default();
    for part in parts {
        match collector.frame(PullReply { part: Some(part) }) {
            Ok(None) => {}
            Ok(whole) => return Ok(whole),
            Err(Unreadable::Violation(violation)) => return Err(violation.to_string()),
            Err(Unreadable::Update) => return Err("update".to_owned()),
        }
    }
    Ok(None)
}

#[test]
fn frames_in_their_order_make_a_pull() {
    let whole = collect([
        Part::Idle(Idle { seq: 1 }),
        start(),
        Part::Trail(HeadTrail { heads: vec![] }),
        Part::HeadHashes(bytes(64)),
        Part::HeadHashes(bytes(32)),
        Part::Removed(bytes(16)),
        Part::Envelope(bytes(9)),
        end(),
    ]);
    let whole = whole.unwrap().unwrap();
    assert_eq!((whole.head_hashes.len(), whole.removed.len(), whole.envelopes.len()), (3, 1, 1));
    assert!(whole.entries.is_none());
    assert_eq!(whole.leader, "https://a:1");
}

#[test]
fn frames_out_of_order_are_refused() {
    for parts in [
        vec![end()],
        vec![Part::HeadHashes(bytes(32))],
        vec![start(), start()],
        vec![start(), Part::Idle(Idle { seq: 1 })],
        vec![start(), Part::Envelope(bytes(1)), Part::HeadHashes(bytes(32))],
        vec![start(), Part::HeadHashes(bytes(32)), Part::Trail(HeadTrail { heads: vec![] })],
        vec![start(), Part::Removed(bytes(15))],
        vec![start(), Part::Entries(bytes(57))],
        vec![start(), Part::HeadHashes(bytes(33))],
        vec![Part::Start(PullStart { head: None, unchanged: false, full: false })],
    ] {
        let count = parts.len();
        let refused = collect(parts).unwrap_err();
        assert!(refused.starts_with("malformed pull"), "{count} frames: {refused}");
    }
    assert!(Collector::default().frame(PullReply { part: None }).is_err());
}

#[test]
fn a_stream_without_end_is_a_flood() {
    let removed = std::iter::repeat_with(|| Part::Removed(bytes(1 << 20)));
    let refused = collect([start()].into_iter().chain(removed)).unwrap_err();
    assert_eq!(refused, "flood: the pull has more than 40000 removed records");
    let large = bytes(8 << 20);
    let envelopes = std::iter::repeat_with(move || Part::Envelope(large.clone()));
    let refused = collect([start()].into_iter().chain(envelopes)).unwrap_err();
    assert!(refused.starts_with("flood"), "{refused}");
}

#[test]
fn a_later_format_asks_for_an_update() {
    let Part::Start(mut start) = start() else { unreachable!() };
    let mut head = start.head.clone().unwrap();
    let mut bytes = head.head.to_vec();
    bytes[4] = 2;
    head.head = bytes.into();
    start.head = Some(head);
    assert_eq!(collect([Part::Start(start)]).unwrap_err(), "update");
}
