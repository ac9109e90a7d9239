//! Every limit, hit once.

use std::time::Duration;

use proto::peer::ForwardRequest;
use proto::peer::forward_client::ForwardClient;
use proto::peer::forward_reply::Outcome;
use proto::v1::LinksRequest;
use proto::v1::pull_reply::Part;
use store::Policy as StorePolicy;

use crate::support::caller::{LINKS, PULL, WATCH, as_operator, from_nothing};
use crate::support::cluster::{Cluster, Setup};
use crate::support::owner::{Change, Owner};
use crate::support::{code, detail, until};

#[tokio::test(flavor = "multi_thread")]
async fn pulls_and_listings_share_one_room() {
    let cluster = Cluster::single_with(|policy| policy.limits.pulls = 0).await;
    let mut owner = Owner::new(140);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let refused =
        cluster.one().pull(&cluster, &held, from_nothing(owner.wallet())).await.unwrap_err();
    let refused = detail(&refused);
    assert_eq!((refused.code.as_str(), refused.retry_after_ms > 0), ("busy", true));
    let message = LinksRequest { wallet: owner.wallet().as_bytes().to_vec().into(), from: 0 };
    let links = cluster.one().devices().links(held.request(&cluster, LINKS, message)).await;
    assert_eq!(code(links.map(drop)), "busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_are_limited_per_node() {
    let cluster = Cluster::single_with(|policy| policy.limits.watches = 0).await;
    let mut owner = Owner::new(141);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let request = held.request(&cluster, WATCH, from_nothing(owner.wallet()));
    assert_eq!(code(cluster.one().wallets().watch(request).await.map(drop)), "busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_passed_on_are_limited_where_they_arrive() {
    let mut setup = Setup::default();
    setup.policy.limits.forwarded = 0;
    let cluster = Cluster::start(3, setup).await;
    let mut owner = Owner::new(142);
    let begun = owner.begin();
    let (leader, other) = cluster.leader_and_other(&owner.wallet()).await;
    assert_eq!(code(other.create(&begun).await), "busy");
    leader.create(&begun).await.expect("nobody passes on what comes to the leader itself");
    let (to, from) = (leader.node.identity().place.unwrap().node, &other.node);
    let request = ForwardRequest {
        hello: Some(from.hello(to).unwrap()),
        method: "/holdfast.v1.Wallets/Push".to_owned(),
        body: Default::default(),
        timeout_ms: 1000,
    };
    let reply =
        ForwardClient::new(from.channel(to).unwrap()).call(request).await.unwrap().into_inner();
    assert!(matches!(reply.outcome, Some(Outcome::Refusal(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_loses_its_stream() {
    let cluster =
        Cluster::single_with(|policy| policy.limits.stall_max = Duration::from_millis(100)).await;
    let mut owner = Owner::new(143);
    cluster.one().create(&owner.begin()).await.unwrap();
    let put = (0..12).map(|_| (owner.record(), vec![1; 250_000])).collect();
    cluster.one().push(&owner.change(Change { put, ..Change::default() })).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let request = held.request(&cluster, PULL, from_nothing(owner.wallet()));
    let mut frames = cluster.one().wallets().pull(request).await.unwrap().into_inner();
    until("the pull has been given up", || async { pulls_under_way(&cluster).await == 0 }).await;
    let ended = loop {
        match frames.message().await {
            Ok(Some(frame)) => {
                assert!(!matches!(frame.part, Some(Part::End(_))), "it came to its end")
            }
            Ok(None) => panic!("ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(detail(&ended).code, "deadline");
}

async fn pulls_under_way(cluster: &Cluster) -> u64 {
    use tower::ServiceExt;
    let routes = cluster.one().service.metrics_routes();
    let request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
    let response = routes.oneshot(request).await.unwrap();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("holdfast_pulls ")).unwrap();
    line.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_ends_by_the_callers_deadline() {
    let cluster =
        Cluster::single_with(|policy| policy.limits.pull_max = Duration::from_millis(50)).await;
    let mut owner = Owner::new(144);
    cluster.one().create(&owner.begin()).await.unwrap();
    let put = (0..12).map(|_| (owner.record(), vec![1; 250_000])).collect();
    cluster.one().push(&owner.change(Change { put, ..Change::default() })).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let request = held.request(&cluster, PULL, from_nothing(owner.wallet()));
    let mut frames = cluster.one().wallets().pull(request).await.unwrap().into_inner();
    until("the pull has been given up", || async { pulls_under_way(&cluster).await == 0 }).await;
    let mut ended = frames.message().await;
    while matches!(ended, Ok(Some(_))) {
        ended = frames.message().await;
    }
    assert_eq!(code(ended), "deadline");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_have_little_room_but_their_own() {
    let cluster = Cluster::single_with(|policy| policy.limits.requests = 0).await;
    let owner_in_vain = cluster.one().devices().challenge(proto::v1::ChallengeRequest {}).await;
    assert_eq!(code(owner_in_vain), "busy");
    cluster
        .one()
        .admin()
        .status(as_operator(proto::admin::StatusRequest { local: true }))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_grows_no_further_than_its_limits() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(145);
    cluster.one().create(&owner.begin()).await.unwrap();
    cluster
        .limit(
            &owner.wallet(),
            StorePolicy { wallet_records: 16, wallet_bytes: 1 << 20, ..StorePolicy::default() },
        )
        .await;
    let put = (0..16).map(|_| (owner.record(), b"small".to_vec())).collect();
    cluster.one().push(&owner.change(Change { put, ..Change::default() })).await.unwrap();
    let one_more = (owner.record(), b"small".to_vec());
    let commit = owner.draft(Change { put: vec![one_more], ..Change::default() });
    let refused = detail(&cluster.one().push(&commit).await.unwrap_err());
    assert_eq!(
        (refused.code.as_str(), refused.message.contains("16 records")),
        ("quota_full", true)
    );

    let ids: Vec<_> = owner.held().entries.as_slice().iter().map(|entry| entry.id).collect();
    let fill = ids[..3].iter().map(|id| (*id, vec![1; 260_000])).collect();
    cluster.one().push(&owner.change(Change { put: fill, ..Change::default() })).await.unwrap();
    let burst = ids[3..5].iter().map(|id| (*id, vec![1; 260_000])).collect();
    let commit = owner.draft(Change { put: burst, ..Change::default() });
    let refused = detail(&cluster.one().push(&commit).await.unwrap_err());
    assert_eq!((refused.code.as_str(), refused.message.contains("bytes")), ("quota_full", true));
    let shrink = owner.change(Change { remove: ids[..3].to_vec(), ..Change::default() });
    cluster.one().push(&shrink).await.expect("a wallet may always shrink");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_removed_record_is_never_used_again() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(146);
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"one")).await.unwrap();
    cluster
        .one()
        .push(&owner.change(Change { remove: vec![id], ..Change::default() }))
        .await
        .unwrap();
    let again = owner.draft(Change { put: vec![(id, b"again".to_vec())], ..Change::default() });
    assert_eq!(code(cluster.one().push(&again).await), "record_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_older_than_what_is_remembered_gets_the_full_list() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(147);
    cluster.one().create(&owner.begin()).await.unwrap();
    cluster.limit(&owner.wallet(), StorePolicy { tombstones: 16, ..StorePolicy::default() }).await;
    let (kept, changed) = (owner.record(), owner.record());
    let both = vec![(kept, b"kept".to_vec()), (changed, b"old".to_vec())];
    cluster.one().push(&owner.change(Change { put: both, ..Change::default() })).await.unwrap();
    let since = owner.held().head;
    let put = (0..20).map(|_| (owner.record(), b"gone".to_vec())).collect::<Vec<_>>();
    let gone = put.iter().map(|(id, _)| *id).collect();
    cluster.one().push(&owner.change(Change { put, ..Change::default() })).await.unwrap();
    cluster.one().push(&owner.change(Change { remove: gone, ..Change::default() })).await.unwrap();
    cluster.one().push(&owner.put(changed, b"new")).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let request = proto::v1::PullRequest {
        seq: since.head().seq,
        head: since.hash().as_bytes().to_vec().into(),
        links: 2,
        ..from_nothing(owner.wallet())
    };
    let parts = cluster.one().pull(&cluster, &held, request).await.unwrap();
    let Some(Part::Start(start)) = parts.first() else { panic!("no start") };
    assert!(start.full);
    let entries: usize = parts
        .iter()
        .map(|part| if let Part::Entries(run) = part { run.len() / 56 } else { 0 })
        .sum();
    let envelopes = parts.iter().filter(|part| matches!(part, Part::Envelope(_))).count();
    assert_eq!((entries, envelopes), (2, 1), "every entry, and the bodies that changed");
}
