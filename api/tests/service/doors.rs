//! The door: methods, deadlines, room, sizes, and what every refusal carries.

use std::time::Duration;

use api::{Access, METHODS, Method};
use axum::body::{Body, to_bytes};
use http::{Request, Response, StatusCode};
use tonic::Status;
use tower::ServiceExt;

use crate::support::authority::operator;
use crate::support::cluster::{Cluster, Setup};
use crate::support::owner::Owner;
use crate::support::{code, detail, until};

async fn send(cluster: &Cluster, request: Request<Body>) -> Response<Body> {
    cluster.one().routes.clone().oneshot(request).await.unwrap()
}

fn grpc(path: &str) -> http::request::Builder {
    Request::post(path).header("content-type", "application/grpc").header("te", "trailers")
}

/// An empty message.
fn empty() -> Body {
    Body::from(vec![0; 5])
}

fn status(response: &Response<Body>) -> Status {
    Status::from_header_map(response.headers()).expect("a refusal in the headers")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_only_a_few_methods_answer() {
    let cluster = Cluster::single().await;
    for method in METHODS {
        let request = grpc(method.path).body(empty()).unwrap();
        let response = send(&cluster, request).await;
        let refused =
            Status::from_header_map(response.headers()).map(|status| detail(&status).code);
        match method.access {
            Access::Anyone => {}
            Access::Signed => assert_eq!(refused.as_deref(), Some("malformed"), "{}", method.path),
            Access::Session => assert_eq!(refused.as_deref(), Some("session"), "{}", method.path),
            Access::Operator => assert_eq!(refused.as_deref(), Some("operator"), "{}", method.path),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_method_is_refused_whatever_it_looks_like() {
    let cluster = Cluster::single().await;
    for path in [
        "/holdfast.v1.Wallets/Nothing",
        "/holdfast.v1.Wallets//Push",
        "//holdfast.v1.Wallets/Push",
        "/holdfast.v1.wallets/Push",
        "/holdfast.v1.Wallets/Push/",
        "/./holdfast.admin.v1.Admin/Status",
        "/holdfast.peer.v1.Forward/Call",
        "/holdfast.peer.v1.Peer/Identify",
    ] {
        assert_eq!(Method::of(path), None);
        let response = send(&cluster, grpc(path).body(empty()).unwrap()).await;
        assert_eq!(detail(&status(&response)).code, "unimplemented", "{path}");
    }
    let plain = Request::post("/holdfast.v1.Wallets/Push").body(Body::empty()).unwrap();
    assert_eq!(send(&cluster, plain).await.status(), StatusCode::NOT_FOUND, "not gRPC at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_bounded_and_garbage_is_named() {
    let cluster = Cluster::single().await;
    let frame = |length: u32| [&[0][..], &length.to_be_bytes()].concat();
    let path = "/holdfast.v1.Devices/OpenSession";
    let large = send(&cluster, grpc(path).body(Body::from(frame(17 << 10))).unwrap()).await;
    assert_eq!(detail(&status(&large)).code, "too_large");
    let garbage = [frame(3), vec![0xff; 3]].concat();
    let garbage = send(&cluster, grpc(path).body(Body::from(garbage)).unwrap()).await;
    assert_eq!(detail(&status(&garbage)).code, "malformed");
    let compressed = [&[1][..], &3_u32.to_be_bytes(), &[1, 2, 3]].concat();
    let request = grpc(path).header("grpc-encoding", "gzip").body(Body::from(compressed)).unwrap();
    let compressed = send(&cluster, request).await;
    assert_eq!(detail(&status(&compressed)).code, "unimplemented", "compression is not spoken");
    let mut owner = Owner::new(90);
    cluster.one().create(&owner.begin()).await.unwrap();
    let put = (0..1025).map(|_| (owner.record(), b"small".to_vec())).collect();
    let many = owner.draft(crate::support::owner::Change { put, ..Default::default() });
    assert_eq!(code(cluster.one().push(&many).await), "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_honoured_and_says_what_is_known() {
    let cluster = Cluster::single().await;
    for garbled in ["", "S", "10", "123456789S", "-1S", "1.5S", "1X", "ten S"] {
        let request = grpc("/holdfast.v1.Devices/Challenge")
            .header("grpc-timeout", garbled)
            .body(empty())
            .unwrap();
        assert_eq!(
            detail(&status(&send(&cluster, request).await)).code,
            "malformed",
            "{garbled:?}"
        );
    }
    // A body that never comes: the request must end by its deadline all the same.
    for (path, expected) in
        [("/holdfast.v1.Wallets/Push", "unknown"), ("/holdfast.v1.Devices/OpenSession", "deadline")]
    {
        let never =
            Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let request = grpc(path).header("grpc-timeout", "50m").body(never).unwrap();
        assert_eq!(detail(&status(&send(&cluster, request).await)).code, expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_under_way_than_there_is_room_for() {
    let cluster = Cluster::single_with(|policy| policy.limits.requests = 1).await;
    let never =
        Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request =
        grpc("/holdfast.v1.Wallets/Push").header("grpc-timeout", "5S").body(never).unwrap();
    // Polled here alone, so that it has its place before anybody else asks for one.
    let mut held = Box::pin(cluster.one().routes.clone().oneshot(request));
    assert!(futures::poll!(&mut held).is_pending());
    let refused =
        send(&cluster, grpc("/holdfast.v1.Devices/Challenge").body(empty()).unwrap()).await;
    assert_eq!(detail(&status(&refused)).code, "busy");
    let admin = crate::support::caller::as_operator(proto::admin::StatusRequest { local: true });
    cluster.one().admin().status(admin).await.expect("operators have a place of their own");
    drop(held);
    until("the place is free again", || async {
        let response =
            send(&cluster, grpc("/holdfast.v1.Devices/Challenge").body(empty()).unwrap()).await;
        Status::from_header_map(response.headers())
            .is_none_or(|status| status.code() == tonic::Code::Ok)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_challenges_and_proofs_are_bounded() {
    let cluster = Cluster::single_with(|policy| {
        policy.limits.challenges = 1;
        policy.limits.proofs = 1;
    })
    .await;
    let mut owner = Owner::new(91);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    assert_eq!(code(cluster.one().open(owner.wallet(), &owner.phone, 2).await.map(drop)), "busy");
    let pull = || crate::support::caller::from_nothing(owner.wallet());
    cluster.one().pull(&cluster, &held, pull()).await.unwrap();
    assert_eq!(code(cluster.one().pull(&cluster, &held, pull()).await), "busy");
    cluster.pass(Duration::from_secs(141));
    cluster.one().pull(&cluster, &held, pull()).await.expect("the window has passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_whether_the_node_serves() {
    let cluster = Cluster::start(1, Setup { locked: vec![0], ..Setup::default() }).await;
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(send(&cluster, get("/livez")).await.status(), StatusCode::OK);
    let ready = send(&cluster, get("/readyz")).await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(to_bytes(ready.into_body(), 100).await.unwrap(), "locked\n");
    let mut health =
        tonic_health::pb::health_client::HealthClient::new(cluster.one().routes.clone());
    let mut says = async |service: &str| {
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        health.check(request).await.map(|reply| reply.into_inner().status())
    };
    use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};
    while says("").await.unwrap() != NotServing {
        tokio::task::yield_now().await;
    }
    let unlock =
        proto::admin::UnlockRequest { passphrase: crate::support::cluster::PASSPHRASE.to_vec() };
    cluster.one().admin().unlock(crate::support::caller::as_operator(unlock)).await.unwrap();
    assert_eq!(send(&cluster, get("/readyz")).await.status(), StatusCode::OK);
    while says("holdfast.v1.Wallets").await.unwrap() != Serving {
        tokio::task::yield_now().await;
    }
    assert_eq!(says("nobody").await.unwrap_err().code(), tonic::Code::NotFound);
    cluster.one().service.leave();
    assert_eq!(send(&cluster, get("/readyz")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_operators_and_name_no_wallet() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(92);
    cluster.one().create(&owner.begin()).await.unwrap();
    let strange = Request::get("/metrics").body(Body::empty()).unwrap();
    assert_eq!(send(&cluster, strange).await.status(), StatusCode::FORBIDDEN);
    let asked = Request::get("/metrics").extension(operator("ada")).body(Body::empty()).unwrap();
    let response = send(&cluster, asked).await;
    assert_eq!(response.status(), StatusCode::OK);
    let text =
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap();
    for line in [
        "holdfast_requests_total{method=\"Wallets/Create\",code=\"ok\"} 1",
        "holdfast_pushes_acknowledged_total 1",
        "holdfast_locked 0",
        "holdfast_request_seconds_bucket",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(!text.contains(&owner.wallet().to_string()));
    let plain = cluster.one().service.metrics_routes();
    let unasked =
        plain.oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(unasked.status(), StatusCode::OK, "who reaches the plain listener may see them");
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_shows_public_services_and_can_be_switched_off() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let list = || {
        let message_request = Some(MessageRequest::ListServices(String::new()));
        futures::stream::iter([ServerReflectionRequest { host: String::new(), message_request }])
    };
    let cluster = Cluster::single().await;
    let mut client = ServerReflectionClient::new(cluster.one().routes.clone());
    let mut replies = client.server_reflection_info(list()).await.unwrap().into_inner();
    let reply = replies.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(listed) = reply else { panic!("{reply:?}") };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for shown in [
        "holdfast.v1.Wallets",
        "holdfast.v1.Devices",
        "holdfast.v1.Recovery",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&shown), "{shown} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("admin") || name.contains("peer")), "{names:?}");

    let quiet = Cluster::single_with(|policy| policy.reflection = false).await;
    let mut client = ServerReflectionClient::new(quiet.one().routes.clone());
    let refused = client.server_reflection_info(list()).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
}
