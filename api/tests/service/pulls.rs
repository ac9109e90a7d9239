//! Pulls: what a device gets, from nothing and from a head it holds, and who gets nothing.

use proto::v1::pull_reply::Part;
use proto::v1::{LinksRequest, PullRequest};
use seal::MemberKeys;
use types::commit::RecordHeader;
use types::{Entries, HeadHash, RecordId, SignedHead, SignedLink};

use crate::support::caller::{Held, LINKS, PULL, from_nothing};
use crate::support::cluster::Cluster;
use crate::support::code;
use crate::support::owner::{Change, Holding, Owner};

/// What the parts of a pull say together.
#[derive(Default)]
struct Pulled {
    head: Option<SignedHead>,
    unchanged: bool,
    full: bool,
    links: Vec<SignedLink>,
    hashes: Vec<HeadHash>,
    removed: Vec<RecordId>,
    entries: usize,
    envelopes: Vec<Vec<u8>>,
    trail: Vec<SignedHead>,
    ended: bool,
}

fn read(parts: Vec<Part>) -> Pulled {
    let mut pulled = Pulled::default();
    for part in parts {
        assert!(!pulled.ended, "a part after the end");
        match part {
            Part::Start(start) => {
                pulled.head = Some((&start.head.unwrap()).try_into().unwrap());
                (pulled.unchanged, pulled.full) = (start.unchanged, start.full);
            }
            Part::Trail(trail) => pulled
                .trail
                .extend(trail.heads.iter().map(|head| SignedHead::try_from(head).unwrap())),
            Part::Link(link) => pulled.links.push((&link).try_into().unwrap()),
            Part::HeadHashes(run) => {
                pulled.hashes.extend(run.chunks(32).map(|hash| HeadHash::parse(hash).unwrap()))
            }
            Part::Removed(run) => {
                pulled.removed.extend(run.chunks(16).map(|id| RecordId::parse(id).unwrap()))
            }
            Part::Entries(run) => pulled.entries += run.len() / 56,
            Part::Envelope(envelope) => pulled.envelopes.push(envelope.to_vec()),
            Part::End(_) => pulled.ended = true,
            Part::Idle(_) => panic!("idle in a pull"),
        }
    }
    assert!(pulled.ended, "no end");
    pulled
}

/// A pull on top of what somebody holds.
fn from(held: &Holding) -> PullRequest {
    let head = held.head.head();
    PullRequest {
        wallet: head.wallet.as_bytes().to_vec().into(),
        seq: head.seq,
        head: held.head.hash().as_bytes().to_vec().into(),
        links: head.links,
        at_least: false,
    }
}

async fn begun(seed: u64) -> (Cluster, Owner, Held) {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(seed);
    cluster.one().create(&owner.begin()).await.unwrap();
    let session = cluster.one().open(owner.wallet(), &owner.phone, seed).await.unwrap();
    (cluster, owner, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_from_nothing_gives_all_that_there_is() {
    let (cluster, mut owner, session) = begun(20).await;
    let (kept, gone) = (owner.record(), owner.record());
    cluster.one().push(&owner.put(kept, b"kept")).await.unwrap();
    cluster.one().push(&owner.put(gone, b"gone")).await.unwrap();
    cluster
        .one()
        .push(&owner.change(Change { remove: vec![gone], ..Change::default() }))
        .await
        .unwrap();
    let big = owner.record();
    cluster.one().push(&owner.put(big, &[7; 200_000])).await.unwrap();

    let pulled =
        read(cluster.one().pull(&cluster, &session, from_nothing(owner.wallet())).await.unwrap());
    assert_eq!(pulled.head, Some(owner.held().head));
    assert_eq!(pulled.links.len(), 2);
    assert_eq!(pulled.hashes.len(), 5);
    assert_eq!(pulled.hashes.last(), Some(&owner.held().head.hash()));
    let mut entries: Vec<_> = pulled
        .envelopes
        .iter()
        .map(|envelope| RecordHeader::parse(envelope).unwrap().entry())
        .collect();
    entries.sort_by_key(|entry| entry.id);
    assert_eq!(Entries::from_sorted(entries).unwrap().root(), owner.held().head.head().root);
    let one = pulled
        .envelopes
        .iter()
        .find(|envelope| RecordHeader::parse(envelope).unwrap().header.id == kept);
    let opened = owner.held().key.open_record(&kept, 1, one.unwrap()).unwrap();
    assert_eq!(opened.expose(), b"kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_from_a_head_gives_what_changed_since() {
    let (cluster, mut owner, session) = begun(21).await;
    let (old, new) = (owner.record(), owner.record());
    cluster.one().push(&owner.put(old, b"old")).await.unwrap();
    let since = from(owner.held());
    let unchanged = read(cluster.one().pull(&cluster, &session, since.clone()).await.unwrap());
    assert!(unchanged.unchanged && unchanged.envelopes.is_empty() && unchanged.hashes.is_empty());

    cluster.one().push(&owner.put(new, b"new")).await.unwrap();
    cluster
        .one()
        .push(&owner.change(Change { remove: vec![old], ..Change::default() }))
        .await
        .unwrap();
    let changed = read(cluster.one().pull(&cluster, &session, since).await.unwrap());
    assert!(!changed.unchanged && !changed.full);
    assert_eq!(changed.hashes.len(), 2);
    assert_eq!(changed.removed, [old]);
    assert!(changed.links.is_empty());
    let ids: Vec<_> =
        changed.envelopes.iter().map(|one| RecordHeader::parse(one).unwrap().header.id).collect();
    assert_eq!(ids, [new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_come_in_frames_below_a_mebibyte() {
    let (cluster, mut owner, session) = begun(22).await;
    for _ in 0..4 {
        let put = (0..4).map(|_| (owner.record(), vec![1; 250_000])).collect();
        let commit = owner.change(Change { put, ..Change::default() });
        cluster.one().push(&commit).await.unwrap();
    }
    let request = session.request(&cluster, PULL, from_nothing(owner.wallet()));
    let mut frames = cluster.one().wallets().pull(request).await.unwrap().into_inner();
    let (mut largest, mut envelopes) = (0, 0);
    while let Some(frame) = frames.message().await.unwrap() {
        largest = largest.max(prost::Message::encoded_len(&frame));
        envelopes += usize::from(matches!(frame.part, Some(Part::Envelope(_))));
    }
    assert_eq!(envelopes, 16);
    assert!(largest < 1 << 20, "{largest} bytes in a frame");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_no_device_signed_comes_with_the_trail_to_one() {
    let (cluster, mut owner, session) = begun(23).await;
    let by_device = owner.held().head;
    let code = owner.code.member_keys();
    let tablet = owner.device();
    // The code adds and signs the head itself: the trail must lead back to the phone's head.
    let added =
        owner.change(Change { signer: Some(&code), add: Some(&tablet), ..Change::default() });
    cluster.one().push(&added).await.unwrap();
    let pulled =
        read(cluster.one().pull(&cluster, &session, from_nothing(owner.wallet())).await.unwrap());
    assert_eq!(pulled.head, Some(added.head));
    assert_eq!(pulled.trail, [by_device]);
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"by the phone")).await.unwrap();
    let pulled =
        read(cluster.one().pull(&cluster, &session, from_nothing(owner.wallet())).await.unwrap());
    assert!(pulled.trail.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_never_shows_less_than_the_head_named() {
    let (cluster, mut owner, session) = begun(24).await;
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"one")).await.unwrap();
    let at_least = PullRequest { at_least: true, ..from(owner.held()) };
    let pulled = read(cluster.one().pull(&cluster, &session, at_least).await.unwrap());
    assert!(pulled.unchanged);
    owner.put(id, b"never pushed");
    let ahead = PullRequest { at_least: true, ..from(owner.held()) };
    assert_eq!(code(cluster.one().pull(&cluster, &session, ahead).await), "unavailable");
    let honest = read(cluster.one().pull(&cluster, &session, from(owner.held())).await.unwrap());
    assert_eq!(honest.head.unwrap().head().seq, 2, "the default read shows what there is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_names_its_own_wallet_and_a_whole_head() {
    let (cluster, owner, session) = begun(25).await;
    let mut other = Owner::new(26);
    cluster.one().create(&other.begin()).await.unwrap();
    let foreign = cluster.one().pull(&cluster, &session, from_nothing(other.wallet())).await;
    assert_eq!(code(foreign), "other_wallet");
    let wallet = owner.wallet();
    for broken in [
        PullRequest { wallet: vec![1; 31].into(), ..from_nothing(wallet) },
        PullRequest { seq: 1, ..from_nothing(wallet) },
        PullRequest { head: vec![1; 32].into(), ..from_nothing(wallet) },
        PullRequest { seq: 1, head: vec![1; 31].into(), ..from_nothing(wallet) },
    ] {
        assert_eq!(
            code(cluster.one().pull(&cluster, &session, broken.clone()).await),
            "malformed",
            "{broken:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_listed_from_any_number_on() {
    let (cluster, mut owner, session) = begun(27).await;
    let tablet = owner.device();
    cluster
        .one()
        .push(&owner.change(Change { add: Some(&tablet), ..Change::default() }))
        .await
        .unwrap();
    for (from, expected) in [(0, 3), (2, 1), (3, 0), (99, 0)] {
        let message = LinksRequest { wallet: owner.wallet().as_bytes().to_vec().into(), from };
        let request = session.request(&cluster, LINKS, message);
        let mut frames = cluster.one().devices().links(request).await.unwrap().into_inner();
        let mut links = Vec::new();
        while let Some(link) = frames.message().await.unwrap() {
            links.push(SignedLink::try_from(&link).unwrap());
        }
        assert_eq!(links.len(), expected, "from {from}");
        assert!(links.iter().zip(from..).all(|(link, n)| link.link().n == n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_member_reads_nothing_more_although_its_session_lasts() {
    let (cluster, mut owner, _) = begun(28).await;
    let tablet = owner.device();
    cluster
        .one()
        .push(&owner.change(Change { add: Some(&tablet), ..Change::default() }))
        .await
        .unwrap();
    let session = cluster.one().open(owner.wallet(), &tablet, 5).await.unwrap();
    cluster.one().pull(&cluster, &session, from_nothing(owner.wallet())).await.unwrap();
    let revoked =
        owner.change(Change { revoke: Some(tablet.id()), rotate: true, ..Change::default() });
    cluster.one().push(&revoked).await.unwrap();
    let wallet = owner.wallet();
    assert_eq!(
        code(cluster.one().pull(&cluster, &session, from_nothing(wallet)).await),
        "member_inactive"
    );
    let message = LinksRequest { wallet: wallet.as_bytes().to_vec().into(), from: 0 };
    let links = cluster.one().devices().links(session.request(&cluster, LINKS, message)).await;
    assert_eq!(code(links), "member_inactive");
    assert_eq!(code(cluster.one().open(wallet, &tablet, 6).await.map(drop)), "member_inactive");
}
