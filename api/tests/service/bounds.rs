//! Bounded cost: what one caller, one wallet and all together may hold, who is let in when there is little
//! room left, and how long the others are told to wait.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use api::Rate;
use axum::body::Body;
use futures::Future;
use http::{Request, Response, StatusCode};
use proto::v1::pull_reply::Part;
use proto::v1::{ChallengeRequest, OpenSessionRequest, PushRequest};
use raft::listener::PeerAddress;
use seal::MemberKeys;
use serde_json::json;
use tonic::Status;
use tower::ServiceExt;
use types::Head;

use crate::support::caller::{PULL, WATCH, from_nothing};
use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::web::{body_of, place, send, with_body};
use crate::support::{code, detail, until};

type Pending = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A request to a method whose body never comes.
fn endless(path: &str) -> Request<Body> {
    let never =
        Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request = Request::post(path).header("content-type", "application/grpc");
    request.header("te", "trailers").header("grpc-timeout", "60S").body(never).unwrap()
}

/// Sends a request and leaves it under way.
fn hold(cluster: &Cluster, request: Request<Body>) -> Pending {
    let routes = cluster.one().routes.clone();
    let mut held: Pending = Box::pin(async move { routes.oneshot(request).await.unwrap() });
    let polled = held.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(polled, Poll::Pending), "it was answered at once");
    held
}

fn from(mut request: Request<Body>, address: &str) -> Request<Body> {
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(PeerAddress(SocketAddr::new(address, 40_000)));
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_and_revocation_come_before_pushes_and_pushes_before_pulls() {
    let cluster = Cluster::single_with(|policy| policy.limits.requests = 16).await;
    let mut owner = Owner::new(700);
    cluster.one().create(&owner.begin()).await.unwrap();
    let tablet = owner.device();
    let add = owner.change(Change { add: Some(&tablet), ..Change::default() });
    cluster.one().push(&add).await.unwrap();
    let session = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let wallet = owner.wallet();
    let pull =
        async || cluster.one().pull(&cluster, &session, from_nothing(wallet)).await.map(drop);

    let mut held: Vec<_> =
        (0..11).map(|_| hold(&cluster, endless("/holdfast.v1.Devices/OpenSession"))).collect();
    pull().await.expect("the twelfth of sixteen places is for reads");
    held.push(hold(&cluster, endless("/holdfast.v1.Wallets/Push")));
    let refused = detail(&pull().await.unwrap_err());
    assert_eq!((refused.code.as_str(), refused.retry_after_ms), ("busy", 200));
    let opening = cluster.one().devices().challenge(ChallengeRequest {}).await;
    assert_eq!(code(opening.map(drop)), "busy", "whoever wants to read waits as well");

    let id = owner.record();
    cluster.one().push(&owner.put(id, b"there is room for pushes")).await.unwrap();
    held.extend((0..2).map(|_| hold(&cluster, endless("/holdfast.v1.Wallets/Push"))));
    let one_more = owner.draft(Change { put: vec![(id, vec![1])], ..Change::default() });
    assert_eq!(code(cluster.one().push(&one_more).await), "busy");

    let revoke = Change { revoke: Some(tablet.id()), rotate: true, ..Change::default() };
    let revoke = owner.change(revoke);
    cluster.one().push(&revoke).await.expect("a revocation gets through");
    held.push(hold(&cluster, endless("/holdfast.v1.Wallets/Push")));
    assert_eq!(code(cluster.one().push(&one_more).await), "busy", "not even looked at");
    let recovery = cluster.one().recovery().challenge(ChallengeRequest {}).await;
    recovery.expect("the last place is for recovery");

    drop(held);
    pull().await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_refused_is_told_how_long_to_wait_and_a_crowd_longer() {
    let cluster = Cluster::single_with(|policy| policy.limits.requests = 1).await;
    let held = hold(&cluster, endless("/holdfast.v1.Wallets/Push"));
    let ask = || send(&cluster, with_body("POST", "/v1/challenges", &json!({})));
    let first = ask().await;
    assert_eq!((first.status, first.code()), (StatusCode::TOO_MANY_REQUESTS, "busy"));
    assert_eq!((first.header("retry-after"), &first.body["retry_after_ms"]), ("1", &json!(200)));
    let mut last = first;
    for _ in 0..30 {
        last = ask().await;
    }
    assert_eq!((last.header("retry-after"), &last.body["retry_after_ms"]), ("5", &json!(5000)));
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_hold_no_more_memory_than_they_may() {
    let cluster = Cluster::single_with(|policy| policy.limits.request_bytes = 1 << 20).await;
    let mut owner = Owner::new(701);
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    let put = (0..2).map(|_| (owner.record(), vec![7; 250_000])).collect();
    let large = owner.draft(Change { put, ..Change::default() });
    let refused = detail(&cluster.one().push(&large).await.unwrap_err());
    assert_eq!((refused.code.as_str(), refused.retry_after_ms > 0), ("busy", true), "{refused:?}");
    let head = format!("{}/head", place(&owner.wallet()));
    let refused = send(&cluster, with_body("PUT", &head, &body_of(&large))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "busy"));
    assert_eq!(refused.header("retry-after"), "1");
    for _ in 0..5 {
        let small = owner.put(id, &[7; 20_000]);
        cluster.one().push(&small).await.expect("what was held is given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_the_room() {
    let cluster = Cluster::single_with(|policy| policy.limits.requests_per_address = 2).await;
    let push = || endless("/holdfast.v1.Wallets/Push");
    let held = [
        hold(&cluster, from(push(), "2001:db8::1")),
        hold(&cluster, from(push(), "2001:db8::ffff:1")),
    ];
    let ask = |address: &str| {
        send(&cluster, from(with_body("POST", "/v1/challenges", &json!({})), address))
    };
    let refused = ask("2001:db8::2").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "busy"));
    assert_eq!(ask("2001:db8:0:1::1").await.status, StatusCode::OK);
    drop(held);
    assert_eq!(ask("2001:db8::2").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_too_often_waits_before_anything_is_verified() {
    let every = Duration::from_secs(3600);
    let rate = Rate { burst: 3, every };
    let cluster = Cluster::single_with(|policy| policy.limits.refusals_per_address = rate).await;
    let open = |address: &str| {
        let request =
            from(with_body("POST", "/v1/sessions", &json!({"challenge": "AAAA"})), address);
        send(&cluster, request)
    };
    for _ in 0..3 {
        assert_eq!(open("192.0.2.1").await.code(), "malformed");
    }
    let told = open("192.0.2.1").await;
    assert_eq!((told.status, told.code()), (StatusCode::TOO_MANY_REQUESTS, "busy"));
    let wait_s: u64 = told.header("retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&wait_s), "{wait_s} s");
    assert_eq!(open("192.0.2.2").await.code(), "malformed", "another address is another caller");
    let asking = from(with_body("POST", "/v1/challenges", &json!({})), "192.0.2.1");
    assert_eq!(send(&cluster, asking).await.status, StatusCode::OK, "nothing is verified for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_reads_so_much_at_a_time() {
    let cluster = Cluster::single_with(|policy| policy.limits.reads_per_member = 1).await;
    let mut owner = Owner::new(702);
    cluster.one().create(&owner.begin()).await.unwrap();
    let tablet = owner.device();
    let add = owner.change(Change { add: Some(&tablet), ..Change::default() });
    cluster.one().push(&add).await.unwrap();
    let phone = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let other = cluster.one().open(owner.wallet(), &tablet, 2).await.unwrap();
    let request = phone.request(&cluster, WATCH, from_nothing(owner.wallet()));
    let watch = cluster.one().wallets().watch(request).await.unwrap();
    let wallet = owner.wallet();
    assert_eq!(code(cluster.one().pull(&cluster, &phone, from_nothing(wallet)).await), "busy");
    cluster.one().pull(&cluster, &other, from_nothing(wallet)).await.expect("another member");
    drop(watch);
    until("the watch is gone", || async {
        cluster.one().pull(&cluster, &phone, from_nothing(wallet)).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_has_so_many_pushes_under_way_but_a_revocation_always() {
    let cluster = Cluster::single_with(|policy| policy.limits.pushes_per_wallet = 0).await;
    let mut owner = Owner::new(703);
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    let put = owner.draft(Change { put: vec![(id, vec![1])], ..Change::default() });
    assert_eq!(code(cluster.one().push(&put).await), "busy");
    let mut stranger = Owner::new(704);
    stranger.begin();
    let mut foreign = put.clone();
    let head = Head { signer: stranger.phone.id(), ..*put.head.head() };
    foreign.head = stranger.sign(&head);
    assert_eq!(code(cluster.one().push(&foreign).await), "denied", "strangers take no place");
    let tablet = owner.device();
    let add = owner.change(Change { add: Some(&tablet), ..Change::default() });
    cluster.one().push(&add).await.unwrap();
    let revoke = Change { revoke: Some(tablet.id()), rotate: true, ..Change::default() };
    cluster.one().push(&owner.change(revoke)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_hold_no_more_memory_than_they_may() {
    let cluster = Cluster::single_with(|policy| {
        policy.limits.stream_bytes = 512 << 10;
        policy.limits.stall_max = Duration::from_millis(300);
    })
    .await;
    let mut owner = Owner::new(705);
    cluster.one().create(&owner.begin()).await.unwrap();
    let put = (0..12).map(|_| (owner.record(), vec![1; 250_000])).collect();
    cluster.one().push(&owner.change(Change { put, ..Change::default() })).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let request = held.request(&cluster, PULL, from_nothing(owner.wallet()));
    let mut never_read = cluster.one().wallets().pull(request).await.unwrap().into_inner();
    let request = held.request(&cluster, PULL, from_nothing(owner.wallet()));
    let mut waiting = cluster.one().wallets().pull(request).await.unwrap().into_inner();
    let early = tokio::time::timeout(Duration::from_millis(100), waiting.message()).await;
    assert!(early.is_err(), "there is room for one of them at a time");
    let mut parts = Vec::new();
    while let Some(frame) = waiting.message().await.unwrap() {
        parts.push(frame.part.unwrap());
    }
    assert!(matches!(parts.last(), Some(Part::End(_))), "whoever reads gets the rest of the room");
    let ended = loop {
        match never_read.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(detail(&ended).code, "deadline");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_watches_the_health_of_a_node_so_often() {
    let cluster = Cluster::single().await;
    let watch = async |address: &str| {
        let mut request = Request::post("/grpc.health.v1.Health/Watch")
            .header("content-type", "application/grpc")
            .body(Body::from(vec![0; 5]))
            .unwrap();
        request = from(request, address);
        cluster.one().routes.clone().oneshot(request).await.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(watch("192.0.2.1").await);
    }
    let refused = watch("192.0.2.1").await;
    let refused = Status::from_header_map(refused.headers()).expect("a refusal");
    assert_eq!(detail(&refused).code, "busy");
    assert!(Status::from_header_map(watch("192.0.2.2").await.headers()).is_none());
    held.pop();
    assert!(Status::from_header_map(watch("192.0.2.1").await.headers()).is_none());
}

/// What is refused at the door costs nothing behind it: no entry of any log.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_before_it_is_replicated() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(706);
    cluster.one().create(&owner.begin()).await.unwrap();
    let group = cluster.one().node.group_of(&owner.wallet()).unwrap();
    let applied = || *cluster.one().node.applied(group).unwrap().borrow();
    let before = applied();
    let policy = store::Policy::default();
    let put = |owner: &mut Owner, count: usize, bytes: usize| {
        let put = (0..count).map(|_| (owner.record(), vec![1; bytes])).collect();
        owner.draft(Change { put, ..Change::default() })
    };
    let many = put(&mut owner, 1_025, 1);
    let large = put(&mut owner, 17, 260_000);
    for (commit, expected) in [(&many, "too_large"), (&large, "too_large")] {
        assert_eq!(code(cluster.one().push(commit).await), expected);
    }
    assert!(policy.wallet_records >= 1_025, "it was not the wallet's limit");
    let challenge =
        OpenSessionRequest { challenge: vec![0; 64 << 10].into(), ..Default::default() };
    assert_eq!(code(cluster.one().devices().open_session(challenge).await.map(drop)), "too_large");
    let nothing = cluster.one().wallets().push(PushRequest { commit: None }).await;
    assert_eq!(code(nothing.map(drop)), "malformed");
    assert_eq!(applied(), before);
}
