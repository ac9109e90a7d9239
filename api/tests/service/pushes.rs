//! Pushes: what is accepted, and every way to be refused with its own code.

use api::Registration;
use proto::v1::{CreateRequest, PushRequest};
use seal::MemberKeys;
use types::{
    Commit, Head, HeadHash, LinkPayload, MemberId, MemberSignature, RecordId, Revoke, Root,
    SignedHead, TreeHash, WalletId,
};

use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::{code, detail};

/// The commit with another head, signed by the phone.
fn with_head(owner: &mut Owner, commit: &Commit, change: impl FnOnce(&mut Head)) -> Commit {
    let mut head = *commit.head.head();
    change(&mut head);
    Commit { head: owner.sign(&head), ..commit.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_created_and_its_head_moves() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(1);
    let begun = owner.begin();
    let reply = cluster.one().create(&begun).await.unwrap();
    assert_eq!((reply.seq, reply.head.as_ref()), (1, begun.head.hash().as_bytes().as_slice()));
    assert_eq!(reply.leader, "", "the answering node leads");
    let id = owner.record();
    let reply = cluster.one().push(&owner.put(id, b"one")).await.unwrap();
    assert_eq!(reply.seq, 2);
    let removal = owner.change(Change { remove: vec![id], ..Change::default() });
    assert_eq!(cluster.one().push(&removal).await.unwrap().seq, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_push_has_one_effect_and_the_same_answer() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(2);
    let begun = owner.begin();
    let first = cluster.one().create(&begun).await.unwrap();
    assert_eq!(cluster.one().create(&begun).await.unwrap(), first);
    let id = owner.record();
    let one = owner.put(id, b"one");
    let first = cluster.one().push(&one).await.unwrap();
    let two = owner.put(id, b"two");
    cluster.one().push(&two).await.unwrap();
    assert_eq!(cluster.one().push(&one).await.unwrap(), first, "also when the head has moved on");
    let group = cluster.one().node.group_of(&owner.wallet()).unwrap();
    let state = cluster.one().node.read(group).await.unwrap();
    assert_eq!(state.wallet(owner.wallet()).unwrap().unwrap().head.head().seq, 3);
    assert_eq!(
        state.audit_size().unwrap(),
        1 + 3,
        "one leaf for the group's beginning, one for each commit"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_head_with_other_content_is_refused() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(3);
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    let commit = owner.put(id, b"one");
    cluster.one().push(&commit).await.unwrap();
    let other = Commit { removed: vec![RecordId::from_bytes([0; 16])], ..commit };
    assert_eq!(code(cluster.one().push(&other).await), "request_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_on_a_stale_head_names_the_present_one() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(4);
    cluster.one().create(&owner.begin()).await.unwrap();
    let (a, b) = (owner.record(), owner.record());
    let stale = owner.draft(Change { put: vec![(a, b"mine".to_vec())], ..Change::default() });
    let other = owner.put(b, b"yours");
    cluster.one().push(&other).await.unwrap();
    let refused = detail(&cluster.one().push(&stale).await.unwrap_err());
    assert_eq!(refused.code, "conflict");
    assert_eq!(refused.found_seq, 2);
    assert_eq!(refused.found_head.as_ref(), other.head.hash().as_bytes().as_slice());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_rule_has_its_code() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(5);
    let begun = owner.begin();
    cluster.one().create(&begun).await.unwrap();
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"one")).await.unwrap();
    let good = owner.draft(Change { put: vec![(id, b"two".to_vec())], ..Change::default() });
    let stranger = owner.device();
    let code_keys = owner.code.member_keys();

    let forged = {
        let mut signature = *good.head.signature();
        signature.signature[40] ^= 1;
        Commit { head: SignedHead::new(good.head.head(), signature).unwrap(), ..good.clone() }
    };
    let by_stranger = {
        let head = Head { signer: stranger.id(), ..*good.head.head() };
        Commit { head: owner.sign_as(&head, &stranger), ..good.clone() }
    };
    let unsigned = {
        let signature = MemberSignature { member: owner.phone.id(), signature: [1; 64] };
        Commit { head: SignedHead::new(good.head.head(), signature).unwrap(), ..good.clone() }
    };
    let of_nobody =
        with_head(&mut owner, &good, |head| head.wallet = WalletId::from_bytes([0; 32]));
    let elsewhere =
        with_head(&mut owner, &good, |head| head.wallet = WalletId::from_bytes([9; 32]));
    let wrong_root = with_head(&mut owner, &good, |head| head.root = Root::from_bytes([1; 32]));
    let wrong_prev = with_head(&mut owner, &good, |head| head.prev = HeadHash::from_bytes([1; 32]));
    let wrong_seq = with_head(&mut owner, &good, |head| head.seq += 1);
    let wrong_history =
        with_head(&mut owner, &good, |head| head.history = TreeHash::from_bytes([1; 32]));
    let wrong_links = with_head(&mut owner, &good, |head| head.links += 1);
    let by_code = {
        let head = Head { signer: code_keys.id(), ..*good.head.head() };
        Commit { head: owner.sign_as(&head, &code_keys), ..good.clone() }
    };
    let mut other = Owner::new(6);
    other.begin();
    let foreign = {
        let record = other.put(id, b"theirs");
        Commit { envelopes: record.envelopes, ..good.clone() }
    };
    let skipped = owner.draft(Change { put: vec![(id, b"three".to_vec())], ..Change::default() });
    let absent =
        Commit { envelopes: vec![], removed: vec![RecordId::from_bytes([7; 16])], ..good.clone() };
    let cut = Commit { envelopes: vec![good.envelopes[0][..100].to_vec()], ..good.clone() };
    let twice = Commit { envelopes: vec![good.envelopes[0].clone(); 2], ..good.clone() };

    for (what, commit, expected) in [
        ("a flipped bit in the signature", &forged, "bad_signature"),
        ("no signature to speak of", &unsigned, "bad_signature"),
        ("a stranger's signature", &by_stranger, "denied"),
        ("a wallet that is not there", &of_nobody, "not_found"),
        ("a region that is not served", &elsewhere, "region"),
        ("another root", &wrong_root, "root"),
        ("another head before", &wrong_prev, "conflict"),
        ("a gap in the sequence", &wrong_seq, "head_refused"),
        ("another history", &wrong_history, "head_refused"),
        ("more links than there are", &wrong_links, "head_refused"),
        ("records changed by a recovery code", &by_code, "root"),
        ("another wallet's record", &foreign, "other_wallet"),
        ("a removal of nothing", &absent, "record_refused"),
        ("a cut envelope", &cut, "malformed"),
        ("a record twice", &twice, "malformed"),
    ] {
        assert_eq!(code(cluster.one().push(commit).await), expected, "{what}");
    }
    assert_eq!(
        cluster.one().push(&skipped).await.unwrap().seq,
        3,
        "what breaks no rule is accepted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_begins_by_create_only() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(7);
    let begun = owner.begin();
    assert_eq!(code(cluster.one().push(&begun).await), "not_found");
    cluster.one().create(&begun).await.unwrap();
    let id = owner.record();
    let commit = owner.put(id, b"one");
    assert_eq!(code(cluster.one().create(&commit).await), "malformed");
    let mut second = Owner::new(8);
    let other = second.begin();
    let swapped = Commit { links: other.links.clone(), ..begun.clone() };
    assert_eq!(
        code(cluster.one().create(&swapped).await),
        "request_reused",
        "the head is stored already"
    );
    let unrotated = Commit { links: other.links[..1].to_vec(), ..other.clone() };
    assert_eq!(code(cluster.one().create(&unrotated).await), "head_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_pushes_no_more_and_a_rotation_is_due() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(9);
    cluster.one().create(&owner.begin()).await.unwrap();
    let tablet = owner.device();
    let added = owner.change(Change { add: Some(&tablet), ..Change::default() });
    cluster.one().push(&added).await.unwrap();
    let id = owner.record();
    let by_tablet = |owner: &mut Owner| {
        owner.draft(Change {
            signer: Some(&tablet),
            put: vec![(id, b"tablet".to_vec())],
            ..Change::default()
        })
    };
    let last = by_tablet(&mut owner);
    let revoked = owner.change(Change { revoke: Some(tablet.id()), ..Change::default() });
    cluster.one().push(&revoked).await.unwrap();
    assert_eq!(code(cluster.one().push(&last).await), "member_inactive");
    let named = MemberSignature { member: tablet.id(), signature: [1; 64] };
    let by_stranger = Commit { head: SignedHead::new(last.head.head(), named).unwrap(), ..last };
    let refused = code(cluster.one().push(&by_stranger).await);
    assert_eq!(refused, "bad_signature", "who does not hold the key is not told");

    let mut due = owner.draft(Change { put: vec![(id, b"phone".to_vec())], ..Change::default() });
    assert_eq!(code(cluster.one().push(&due).await), "rotation_due");
    due = owner.change(Change {
        rotate: true,
        put: vec![(id, b"phone".to_vec())],
        ..Change::default()
    });
    assert_eq!(cluster.one().push(&due).await.unwrap().seq, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_cannot_do_what_only_the_recovery_code_may() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(10);
    cluster.one().create(&owner.begin()).await.unwrap();
    let member = owner.code.member_keys().id();
    let revocation = owner.forced(LinkPayload::Revoke(Revoke { member, reason: 1 }));
    assert_eq!(code(cluster.one().push(&revocation).await), "not_authorised");
    let unknown = owner
        .forced(LinkPayload::Revoke(Revoke { member: MemberId::from_bytes([5; 16]), reason: 1 }));
    assert_eq!(code(cluster.one().push(&unknown).await), "link_refused");
    let forged = {
        let mut signature = *unknown.head.signature();
        signature.signature[40] ^= 1;
        Commit { head: SignedHead::new(unknown.head.head(), signature).unwrap(), ..unknown }
    };
    assert_eq!(
        code(cluster.one().push(&forged).await),
        "bad_signature",
        "rules are told to members only"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_needs_a_token_where_the_cluster_asks_for_one() {
    let cluster =
        Cluster::single_with(|policy| policy.registration = Registration::tokens(["open sesame"]))
            .await;
    let mut owner = Owner::new(11);
    let begun = owner.begin();
    let with = |token: &str| CreateRequest {
        commit: Some((&begun).into()),
        registration_token: token.to_owned(),
    };
    for refused in ["", "open sesam", "Open sesame"] {
        assert_eq!(
            code(cluster.one().wallets().create(with(refused)).await),
            "registration",
            "{refused:?}"
        );
    }
    cluster.one().wallets().create(with("open sesame")).await.unwrap();
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"one")).await.expect("a push needs no token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_parse_is_refused_as_such() {
    let cluster = Cluster::single().await;
    let none = cluster.one().wallets().push(PushRequest { commit: None }).await;
    assert_eq!(code(none), "malformed");
    let mut owner = Owner::new(12);
    let mut newer = proto::v1::Commit::from(&owner.begin());
    let head = newer.head.as_mut().unwrap();
    let mut bytes = head.head.to_vec();
    bytes[4] = 2;
    head.head = bytes.into();
    let newer = cluster.one().wallets().push(PushRequest { commit: Some(newer) }).await;
    assert_eq!(code(newer), "update");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_readable_is_stored() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(13);
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    let commit = owner.put(id, b"one");
    cluster.one().push(&commit).await.unwrap();
    let group = cluster.one().node.group_of(&owner.wallet()).unwrap();
    let state = cluster.one().node.read(group).await.unwrap();
    let body = state.body(owner.wallet(), id).unwrap().unwrap();
    let holds =
        |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).any(|window| window == needle);
    assert!(
        !holds(body.as_bytes(), &commit.envelopes[0][100..164]),
        "the device's envelope shows through"
    );
    let link = state.links(owner.wallet(), 0).unwrap().remove(1);
    assert_eq!(link.hash, owner.held().head.head().link);
    assert!(!holds(link.sealed.as_bytes(), b"HFln"), "the link shows through");
}
