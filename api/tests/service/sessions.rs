//! Sessions: how one is opened, and every way in which token, proof or challenge is refused.

use std::time::Duration;

use proto::v1::OpenSessionRequest;
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::MemberKeys;
use seal::es256::SoftwareKey;
use tonic::{Code, Request};
use types::{Challenge, ChallengeUse, ClusterId, MemberId, Suite, WalletId};

use crate::support::caller::{Held, LINKS, PULL, answer, from_nothing, sign};
use crate::support::cluster::Cluster;
use crate::support::owner::Owner;
use crate::support::{code, detail};

async fn begun(seed: u64) -> (Cluster, Owner) {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(seed);
    cluster.one().create(&owner.begin()).await.unwrap();
    (cluster, owner)
}

async fn exchange(
    cluster: &Cluster,
    (challenge, signature): (Vec<u8>, Vec<u8>),
) -> Result<Held, tonic::Status> {
    let request = OpenSessionRequest { challenge: challenge.into(), signature: signature.into() };
    let session = cluster.one().devices().open_session(request).await?.into_inner();
    Ok(Held { session, key: ephemeral() })
}

fn ephemeral() -> SoftwareKey {
    SoftwareKey::generate(&mut StdRng::seed_from_u64(99))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_opens_a_session_of_fifteen_minutes() {
    let (cluster, owner) = begun(40).await;
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    assert_eq!(held.session.wallet.as_ref(), owner.wallet().as_bytes());
    let left_s = held.session.expires - cluster.now_s();
    assert!((890..=900).contains(&left_s), "{left_s} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_for_one_use_within_its_minute() {
    let (cluster, owner) = begun(41).await;
    let signed = |invitation| {
        answer(&invitation, ChallengeUse::Session, owner.wallet(), &owner.phone, &ephemeral())
    };
    let once = signed(cluster.one().challenge().await);
    exchange(&cluster, once.clone()).await.unwrap();
    assert_eq!(code(exchange(&cluster, once).await.map(drop)), "challenge");
    let late = signed(cluster.one().challenge().await);
    cluster.pass(Duration::from_secs(62));
    assert_eq!(code(exchange(&cluster, late).await.map(drop)), "challenge");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_nothing_from_a_refused_challenge() {
    let (cluster, mut owner) = begun(42).await;
    let stranger = owner.device();
    let unknown = {
        let mut bytes = [7; 32];
        bytes[0] = 0; // A region that is served.
        WalletId::from_bytes(bytes)
    };
    let mut messages = Vec::new();
    for (wallet, keys) in
        [(owner.wallet(), &stranger), (unknown, &stranger), (unknown, &owner.phone)]
    {
        let invitation = cluster.one().challenge().await;
        let signed = answer(&invitation, ChallengeUse::Session, wallet, keys, &ephemeral());
        let status = exchange(&cluster, signed).await.map(drop).unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        messages.push(detail(&status));
    }
    let invitation = cluster.one().challenge().await;
    let (challenge, mut signature) =
        answer(&invitation, ChallengeUse::Session, owner.wallet(), &owner.phone, &ephemeral());
    signature[40] ^= 1;
    messages.push(detail(&exchange(&cluster, (challenge, signature)).await.map(drop).unwrap_err()));
    assert_eq!(messages[0].code, "denied");
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_must_be_the_one_that_was_asked_for() {
    let (cluster, owner) = begun(43).await;
    let invitation = cluster.one().challenge().await;
    let honest = Challenge {
        suite: Suite::P256,
        usage: ChallengeUse::Session,
        cluster: ClusterId::parse(&invitation.cluster).unwrap(),
        wallet: owner.wallet(),
        member: owner.phone.id(),
        nonce: invitation.nonce.as_ref().try_into().unwrap(),
        ephemeral: *ephemeral().public(),
        expires_s: invitation.expires,
    };
    let mut nonce = honest.nonce;
    nonce[31] ^= 1;
    let mut from_elsewhere = honest.nonce;
    from_elsewhere[0] = 0xff;
    for (what, challenge, expected) in [
        (
            "another cluster",
            Challenge { cluster: ClusterId::from_bytes([1; 16]), ..honest },
            "challenge",
        ),
        ("another nonce", Challenge { nonce, ..honest }, "challenge"),
        ("a node that is not there", Challenge { nonce: from_elsewhere, ..honest }, "challenge"),
        ("another expiry", Challenge { expires_s: honest.expires_s + 600, ..honest }, "challenge"),
        ("another member", Challenge { member: MemberId::from_bytes([1; 16]), ..honest }, "denied"),
        (
            "the other use",
            Challenge { usage: ChallengeUse::Recovery, wallet: WalletId::ZERO, ..honest },
            "malformed",
        ),
    ] {
        let outcome = exchange(&cluster, sign(&challenge, &owner.phone)).await;
        assert_eq!(code(outcome.map(drop)), expected, "{what}");
    }
    exchange(&cluster, sign(&honest, &owner.phone)).await.expect("no refusal used the nonce up");
    let code_keys = owner.code.member_keys();
    let invitation = cluster.one().challenge().await;
    let by_code =
        answer(&invitation, ChallengeUse::Session, owner.wallet(), &code_keys, &ephemeral());
    assert_eq!(
        code(exchange(&cluster, by_code).await.map(drop)),
        "denied",
        "a recovery code is no device"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_needs_a_token_and_a_proof_for_it() {
    let (cluster, owner) = begun(44).await;
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let other = cluster.one().open(owner.wallet(), &owner.phone, 2).await.unwrap();
    let (now_s, pull) = (cluster.now_s(), || from_nothing(owner.wallet()));
    let good = held.proof("POST", PULL, now_s, 1);

    let bare = Request::new(pull());
    let mut without_proof = held.with_proof(&good, pull());
    without_proof.metadata_mut().remove("dpop");
    let mut bearer = held.with_proof(&good, pull());
    let token = format!("Bearer {}", held.session.token);
    bearer.metadata_mut().insert("authorization", token.parse().unwrap());
    let mut twice = held.with_proof(&good, pull());
    twice.metadata_mut().append("dpop", good.parse().unwrap());
    let mut altered = held.with_proof(&good, pull());
    let token = format!("DPoP A{}", &held.session.token[1..]);
    altered.metadata_mut().insert("authorization", token.parse().unwrap());
    let stolen = Held { session: held.session.clone(), key: ephemeral() };

    for (what, request, expected) in [
        ("nothing", bare, "session"),
        ("a token without proof", without_proof, "proof"),
        ("another scheme", bearer, "session"),
        ("two proofs", twice, "proof"),
        ("an altered token", altered, "session"),
        ("no JWT", held.with_proof("a.b.c", pull()), "proof"),
        ("another method", held.with_proof(&held.proof("GET", PULL, now_s, 2), pull()), "proof"),
        ("another target", held.with_proof(&held.proof("POST", LINKS, now_s, 3), pull()), "proof"),
        (
            "an old proof",
            held.with_proof(&held.proof("POST", PULL, now_s - 62, 4), pull()),
            "proof",
        ),
        (
            "a proof from the future",
            held.with_proof(&held.proof("POST", PULL, now_s + 20, 5), pull()),
            "proof",
        ),
        (
            "another key's proof",
            held.with_proof(&stolen.proof("POST", PULL, now_s, 6), pull()),
            "proof",
        ),
        (
            "another token's proof",
            held.with_proof(&other.proof("POST", PULL, now_s, 7), pull()),
            "proof",
        ),
    ] {
        let status = cluster.one().wallets().pull(request).await.map(drop).unwrap_err();
        assert_eq!(
            (detail(&status).code.as_str(), status.code()),
            (expected, Code::Unauthenticated),
            "{what}"
        );
    }
    cluster.one().wallets().pull(held.with_proof(&good, pull())).await.unwrap();
    let replayed = cluster.one().wallets().pull(held.with_proof(&good, pull())).await;
    assert_eq!(code(replayed.map(drop)), "proof", "a proof counts once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_fifteen_minutes() {
    let (cluster, owner) = begun(45).await;
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    cluster.pass(Duration::from_secs(890));
    cluster.one().pull(&cluster, &held, from_nothing(owner.wallet())).await.unwrap();
    cluster.pass(Duration::from_secs(11));
    let refused = cluster.one().pull(&cluster, &held, from_nothing(owner.wallet())).await;
    assert_eq!(code(refused), "session");
}
