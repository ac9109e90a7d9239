//! Watches: they show every change, and end when their member may not read any more.

use std::time::{Duration, Instant};

use proto::v1::PullReply;
use proto::v1::pull_reply::Part;
use seal::MemberKeys;
use tonic::Streaming;
use types::SignedHead;

use crate::support::caller::{Held, WATCH, from_nothing};
use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::{code, detail};

async fn watch(cluster: &Cluster, held: &Held, owner: &Owner) -> Streaming<PullReply> {
    let request = held.request(cluster, WATCH, from_nothing(owner.wallet()));
    cluster.one().wallets().watch(request).await.unwrap().into_inner()
}

/// The head of the next pull, read to its end.
async fn next(frames: &mut Streaming<PullReply>) -> Result<SignedHead, tonic::Status> {
    let mut head = None;
    loop {
        match frames.message().await?.unwrap().part.unwrap() {
            Part::Start(start) => head = Some((&start.head.unwrap()).try_into().unwrap()),
            Part::End(_) => return Ok(head.unwrap()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_shows_every_change_as_it_comes() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(80);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let mut frames = watch(&cluster, &held, &owner).await;
    assert_eq!(next(&mut frames).await.unwrap(), owner.held().head);
    let id = owner.record();
    for value in ["one", "two", "three"] {
        cluster.one().push(&owner.put(id, value.as_bytes())).await.unwrap();
        assert_eq!(next(&mut frames).await.unwrap(), owner.held().head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_ends_a_watch_within_a_second() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(81);
    cluster.one().create(&owner.begin()).await.unwrap();
    let tablet = owner.device();
    cluster
        .one()
        .push(&owner.change(Change { add: Some(&tablet), ..Change::default() }))
        .await
        .unwrap();
    let held = cluster.one().open(owner.wallet(), &tablet, 1).await.unwrap();
    let mut frames = watch(&cluster, &held, &owner).await;
    next(&mut frames).await.unwrap();
    let revoked =
        owner.change(Change { revoke: Some(tablet.id()), rotate: true, ..Change::default() });
    cluster.one().push(&revoked).await.unwrap();
    let acknowledged = Instant::now();
    let ended = loop {
        match frames.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(detail(&ended).code, "member_inactive");
    assert!(acknowledged.elapsed() < Duration::from_secs(1), "{:?}", acknowledged.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_session() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(82);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let mut frames = watch(&cluster, &held, &owner).await;
    next(&mut frames).await.unwrap();
    cluster.pass(Duration::from_secs(901));
    assert_eq!(code(next(&mut frames).await), "session");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_are_limited_per_wallet() {
    let cluster = Cluster::single_with(|policy| policy.limits.watches_per_wallet = 1).await;
    let mut owner = Owner::new(83);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let first = watch(&cluster, &held, &owner).await;
    let request = held.request(&cluster, WATCH, from_nothing(owner.wallet()));
    assert_eq!(code(cluster.one().wallets().watch(request).await.map(drop)), "busy");
    drop(first);
    crate::support::until("the first watch has gone", || async {
        let request = held.request(&cluster, WATCH, from_nothing(owner.wallet()));
        cluster.one().wallets().watch(request).await.is_ok()
    })
    .await;
}
