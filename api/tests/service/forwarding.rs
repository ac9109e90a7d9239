//! Three nodes: requests reach the leader through any of them, once, and a locked leader gives way.

use proto::admin::UnlockRequest;
use proto::peer::forward_client::ForwardClient;
use proto::peer::forward_reply::Outcome;
use proto::peer::{DescribeRequest, ForwardRequest};
use proto::v1::OpenSessionRequest;
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::MemberKeys;
use seal::es256::SoftwareKey;
use tonic::{Code, Request};
use types::ChallengeUse;

use crate::support::caller::{Held, answer, as_operator, from_nothing};
use crate::support::cluster::{Cluster, PASSPHRASE, Setup};
use crate::support::owner::{Change, Owner};
use crate::support::{code, detail, until};

#[tokio::test(flavor = "multi_thread")]
async fn any_node_takes_a_push_and_names_the_leader_for_next_time() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let mut owner = Owner::new(100);
    let begun = owner.begin();
    let (leader, other) = cluster.leader_and_other(&owner.wallet()).await;
    let reply = other.create(&begun).await.unwrap();
    assert_eq!(reply.leader, leader.node.config().endpoint);
    let id = owner.record();
    let commit = owner.put(id, b"one");
    assert_eq!(other.push(&commit).await.unwrap().seq, 2);
    assert_eq!(leader.push(&commit).await.unwrap().leader, "", "the leader itself needs no hint");
    let stale = detail(&other.push(&owner_fork(&mut owner)).await.unwrap_err());
    assert_eq!(
        (stale.code.as_str(), stale.found_seq),
        ("bad_signature", 0),
        "refusals come back as they were made"
    );
}

/// A commit whose signature was spoilt.
fn owner_fork(owner: &mut Owner) -> types::Commit {
    let commit = owner.draft(Change::default());
    let mut signature = *commit.head.signature();
    signature.signature[33] ^= 1;
    types::Commit { head: types::SignedHead::new(commit.head.head(), signature).unwrap(), ..commit }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_reads_what_was_acknowledged_and_refuses_who_was_revoked() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let mut owner = Owner::new(101);
    cluster.one().create(&owner.begin()).await.unwrap();
    let tablet = owner.device();
    cluster
        .one()
        .push(&owner.change(Change { add: Some(&tablet), ..Change::default() }))
        .await
        .unwrap();
    let session = cluster.one().open(owner.wallet(), &tablet, 1).await.unwrap();
    for node in &cluster.nodes {
        node.pull(&cluster, &session, from_nothing(owner.wallet()))
            .await
            .expect("a token counts at every node");
    }
    let revoked =
        owner.change(Change { revoke: Some(tablet.id()), rotate: true, ..Change::default() });
    cluster.one().push(&revoked).await.unwrap();
    for node in &cluster.nodes {
        let refused = node.pull(&cluster, &session, from_nothing(owner.wallet())).await;
        assert_eq!(code(refused), "member_inactive");
        assert_eq!(code(node.open(owner.wallet(), &tablet, 2).await.map(drop)), "member_inactive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_may_be_answered_at_another_node_than_gave_it() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let mut owner = Owner::new(102);
    cluster.one().create(&owner.begin()).await.unwrap();
    let key = SoftwareKey::generate(&mut StdRng::seed_from_u64(1));
    let invitation = cluster.nodes[0].challenge().await;
    let (challenge, signature) =
        answer(&invitation, ChallengeUse::Session, owner.wallet(), &owner.phone, &key);
    let request = || OpenSessionRequest {
        challenge: challenge.clone().into(),
        signature: signature.clone().into(),
    };
    let session = cluster.nodes[1].devices().open_session(request()).await.unwrap().into_inner();
    let held = Held { session, key };
    cluster.nodes[2].pull(&cluster, &held, from_nothing(owner.wallet())).await.unwrap();
    let again = cluster.nodes[2].devices().open_session(request()).await;
    assert_eq!(code(again.map(drop)), "challenge", "one use, wherever it is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_passed_on_is_not_passed_on_again_and_only_nodes_pass_on() {
    let cluster = Cluster::start(3, Setup::default()).await;
    let mut owner = Owner::new(103);
    let begun = owner.begin();
    let (leader, other) = cluster.leader_and_other(&owner.wallet()).await;
    let (to, from) = (other.node.identity().place.unwrap().node, &leader.node);
    let body = prost::Message::encode_to_vec(&proto::v1::CreateRequest {
        commit: Some((&begun).into()),
        registration_token: String::new(),
    });
    let forward = |method: &str| ForwardRequest {
        hello: Some(from.hello(to).unwrap()),
        method: method.to_owned(),
        body: body.clone().into(),
        timeout_ms: 5_000,
    };
    let mut client = ForwardClient::new(from.channel(to).unwrap());
    for (method, expected) in [
        ("/holdfast.v1.Wallets/Create", "not_leader"),
        ("/holdfast.admin.v1.Admin/Status", "unimplemented"),
    ] {
        let reply = client.call(forward(method)).await.unwrap().into_inner();
        let Some(Outcome::Refusal(refusal)) = reply.outcome else {
            panic!("{method} was answered")
        };
        let detail: proto::v1::ErrorDetail = prost::Message::decode(refusal.detail).unwrap();
        assert_eq!(detail.code, expected);
    }
    let greeting = ForwardRequest { hello: None, ..forward("/holdfast.v1.Wallets/Create") };
    assert_eq!(client.call(greeting).await.unwrap_err().code(), Code::PermissionDenied);
    let mut stranger = ForwardClient::new(other.service.peer_routes());
    let refused = stranger.call(forward("/holdfast.v1.Wallets/Create")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "no certificate of a node");
    let refused = stranger
        .describe(DescribeRequest { hello: Some(from.hello(to).unwrap()) })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_node_leads_nothing_and_answers_locked_until_it_is_unlocked() {
    let cluster = Cluster::start(3, Setup { locked: vec![0], ..Setup::default() }).await;
    let locked = &cluster.nodes[0];
    until("the locked node leads nothing", || async {
        !locked.node.groups().iter().any(|group| locked.node.is_leader(*group))
    })
    .await;
    let mut owner = Owner::new(104);
    let begun = owner.begin();
    assert_eq!(code(locked.create(&begun).await), "locked");
    until("the others know who leads", || async { cluster.nodes[1].create(&begun).await.is_ok() })
        .await;
    let session = cluster.nodes[1].open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let refused = locked.pull(&cluster, &session, from_nothing(owner.wallet())).await;
    assert_eq!(code(refused), "locked");
    let group = locked.node.group_of(&owner.wallet()).unwrap();
    until("the locked node has replicated the wallet", || async {
        locked.node.replica(group).unwrap().wallet(owner.wallet()).unwrap().is_some()
    })
    .await;

    let wrong = UnlockRequest { passphrase: b"battery staple".to_vec() };
    assert_eq!(code(locked.admin().unlock(as_operator(wrong)).await), "passphrase");
    let right = || UnlockRequest { passphrase: PASSPHRASE.to_vec() };
    assert_eq!(code(locked.admin().unlock(Request::new(right())).await), "operator");
    locked.admin().unlock(as_operator(right())).await.unwrap();
    locked.pull(&cluster, &session, from_nothing(owner.wallet())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_serves_no_wallets() {
    let cluster = Cluster::start(3, Setup { witness: Some(2), ..Setup::default() }).await;
    let mut owner = Owner::new(105);
    let begun = owner.begin();
    until("a data node leads", || async { cluster.nodes[0].create(&begun).await.is_ok() }).await;
    let witness = &cluster.nodes[2];
    assert_eq!(code(witness.create(&begun).await), "unavailable");
    assert_eq!(code(witness.open(owner.wallet(), &owner.phone, 1).await.map(drop)), "unavailable");
    let session = cluster.nodes[0].open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let refused = witness.pull(&cluster, &session, from_nothing(owner.wallet())).await;
    assert_eq!(code(refused), "unavailable");
}
