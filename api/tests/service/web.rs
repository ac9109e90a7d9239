//! HTTP/JSON: the same as gRPC, for callers without it.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use proto::v1::{ChallengeReply, Session};
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::es256::SoftwareKey;
use serde_json::{Value, json};
use types::ChallengeUse;

use crate::support::caller::{Held, answer};
use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::web::{
    Events, HOST, b64, begin, body_of, by_operator, in_session, place, plain, request, send,
    with_body,
};

/// A session that was opened over HTTP.
async fn open(cluster: &Cluster, owner: &Owner) -> Held {
    let invited = send(cluster, with_body("POST", "/v1/challenges", &json!({}))).await;
    assert_eq!(invited.status, StatusCode::OK, "{invited:?}");
    let bytes = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
    let invitation = ChallengeReply {
        nonce: bytes(&invited.body["nonce"]).into(),
        cluster: bytes(&invited.body["cluster"]).into(),
        expires: invited.body["expires"].as_u64().unwrap(),
    };
    let key = SoftwareKey::generate(&mut StdRng::seed_from_u64(77));
    let (challenge, signature) =
        answer(&invitation, ChallengeUse::Session, owner.wallet(), &owner.phone, &key);
    let body = json!({"challenge": b64(challenge), "signature": b64(signature)});
    let opened = send(cluster, with_body("POST", "/v1/sessions", &body)).await;
    assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
    assert_eq!(opened.body["wallet"], b64(owner.wallet().as_bytes()));
    let session = Session {
        token: opened.body["token"].as_str().unwrap().to_owned(),
        expires: opened.body["expires"].as_u64().unwrap(),
        wallet: owner.wallet().as_bytes().to_vec().into(),
    };
    Held { session, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_made_moved_and_read() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(500);
    let first = body_of(&owner.begin());
    let made = send(&cluster, with_body("POST", "/v1/wallets", &first)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.header("location"), place(&owner.wallet()));
    let tag = |owner: &Owner| format!("\"{}\"", b64(owner.held().head.hash().as_bytes()));
    assert_eq!(made.header("etag"), tag(&owner));
    let again = send(&cluster, with_body("POST", "/v1/wallets", &first)).await;
    assert_eq!(again.status, StatusCode::CREATED, "a repetition has the same answer");

    // A head moves on if it is the one that is expected.
    let head = format!("{}/head", place(&owner.wallet()));
    let before = tag(&owner);
    let id = owner.record();
    let push = body_of(&owner.put(id, b"sealed"));
    let put = |body: &Value, tag: &str| {
        let mut request = with_body("PUT", &head, body);
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        request
    };
    let unmet = send(&cluster, put(&push, &tag(&owner))).await;
    assert_eq!((unmet.status, unmet.code()), (StatusCode::PRECONDITION_FAILED, "precondition"));
    for _ in 0..2 {
        let moved = send(&cluster, put(&push, &before)).await;
        assert_eq!((moved.status, &moved.body["seq"]), (StatusCode::OK, &json!(2)), "{moved:?}");
        assert_eq!(moved.header("etag"), tag(&owner));
    }

    let held = open(&cluster, &owner).await;
    let read = send(&cluster, in_session(&cluster, &held, &place(&owner.wallet()), 1)).await;
    assert_eq!(read.status, StatusCode::OK, "{read:?}");
    assert_eq!(read.header("etag"), tag(&owner));
    assert_eq!(read.header("cache-control"), "no-store");
    let frames = read.body.as_array().unwrap();
    assert!(frames[0]["start"]["head"]["head"].is_string());
    assert!(frames.last().unwrap()["end"].is_object());
    assert_eq!(frames.iter().filter(|frame| frame["envelope"].is_string()).count(), 1);

    let mut request = in_session(&cluster, &held, &place(&owner.wallet()), 2);
    request.headers_mut().insert("if-none-match", tag(&owner).parse().unwrap());
    let unchanged = send(&cluster, request).await;
    assert_eq!((unchanged.status, unchanged.body), (StatusCode::NOT_MODIFIED, Value::Null));

    let links = format!("{}/links?from=0", place(&owner.wallet()));
    let links = send(&cluster, in_session(&cluster, &held, &links, 3)).await;
    assert_eq!(links.body.as_array().unwrap().len(), 2, "{links:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_commit_is_told_the_head_that_is_stored() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(501);
    cluster.one().create(&owner.begin()).await.unwrap();
    let head = format!("{}/head", place(&owner.wallet()));
    let before = format!("\"{}\"", b64(owner.held().head.hash().as_bytes()));
    let id = owner.record();
    let stale = owner.draft(Change { put: vec![(id, b"two".to_vec())], ..Change::default() });
    cluster.one().push(&owner.put(id, b"one")).await.unwrap();
    let conflict = send(&cluster, with_body("PUT", &head, &body_of(&stale))).await;
    assert_eq!((conflict.status, conflict.code()), (StatusCode::CONFLICT, "conflict"));
    assert_eq!(conflict.body["found_seq"], 2);
    assert_eq!(conflict.body["found_head"], b64(owner.held().head.hash().as_bytes()));
    assert_eq!(conflict.body["retry"], "never");
    let mut conditional = with_body("PUT", &head, &body_of(&stale));
    conditional.headers_mut().insert("if-match", before.parse().unwrap());
    let conditional = send(&cluster, conditional).await;
    assert_eq!(conditional.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(conditional.code(), "conflict", "the code is the same whoever asked how");
    let elsewhere = format!("/v1/wallets/{}/head", b64([7; 32]));
    let elsewhere = send(&cluster, with_body("PUT", &elsewhere, &body_of(&stale))).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (StatusCode::FORBIDDEN, "other_wallet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_every_change_and_go_on_where_they_were() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(502);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = open(&cluster, &owner).await;
    let watch = format!("{}/watch", place(&owner.wallet()));
    let mut events = Events::of(begin(&cluster, in_session(&cluster, &held, &watch, 10)).await);
    let (name, _, data) = events.next().await.unwrap();
    assert_eq!(name, "start");
    assert!(data["head"]["signature"].is_string());
    events.change().await;
    let id = owner.record();
    let mut last = String::new();
    for value in ["one", "two"] {
        cluster.one().push(&owner.put(id, value.as_bytes())).await.unwrap();
        last = events.change().await;
    }
    drop(events);
    let hash = b64(owner.held().head.hash().as_bytes());
    assert_eq!(last, format!("3.{hash}.{}", owner.held().head.head().links));

    // What came meanwhile is told, and nothing twice.
    cluster.one().push(&owner.put(id, b"three")).await.unwrap();
    let mut request = in_session(&cluster, &held, &watch, 11);
    request.headers_mut().insert("last-event-id", last.parse().unwrap());
    let mut events = Events::of(begin(&cluster, request).await);
    let (mut names, mut ended) = (Vec::new(), false);
    while !ended {
        let (name, _, _) = events.next().await.unwrap();
        ended = name == "end";
        names.push(name);
    }
    assert_eq!(names, ["start", "head_hashes", "envelope", "end"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_end_with_the_reason() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(503);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = open(&cluster, &owner).await;
    let watch = format!("{}/watch", place(&owner.wallet()));
    let mut events = Events::of(begin(&cluster, in_session(&cluster, &held, &watch, 20)).await);
    events.change().await;
    cluster.pass(std::time::Duration::from_secs(901));
    let mut last = events.next().await.unwrap();
    while last.0 == "idle" {
        last = events.next().await.unwrap();
    }
    assert_eq!((last.0.as_str(), last.2["code"].as_str()), ("error", Some("session")));
    assert!(events.next().await.is_none());
}

/// Every route of the document, asked by nobody in particular.
#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_only_a_few_routes_answer() {
    let cluster = Cluster::single().await;
    let document = send(&cluster, plain("GET", "/openapi.json")).await;
    assert_eq!(document.status, StatusCode::OK);
    let mut asked = 0;
    for (path, verbs) in document.body["paths"].as_object().unwrap() {
        let path =
            path.replace("{wallet}", &b64([1; 32])).replace("{name}", "n0").replace("{group}", "2");
        for (verb, operation) in verbs.as_object().unwrap() {
            let verb = verb.to_ascii_uppercase();
            let request = match verb.as_str() {
                "POST" | "PUT" => with_body(&verb, &path, &json!({})),
                _ => plain(&verb, &path),
            };
            let found = send(&cluster, request).await;
            let security = operation["security"][0].as_object();
            let scheme = security.and_then(|schemes| schemes.keys().next());
            let outcome = (found.status.as_u16(), scheme.map(String::as_str));
            match outcome {
                (401, Some("session")) => assert_eq!(found.code(), "session", "{verb} {path}"),
                (403, Some("operator")) => assert_eq!(found.code(), "operator", "{verb} {path}"),
                (400, None) => assert_eq!(found.code(), "malformed", "{verb} {path}"),
                (200, None) => assert!(path.ends_with("/challenges"), "{verb} {path}"),
                other => panic!("{verb} {path}: {other:?} {found:?}"),
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 23);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_for_one_verb_and_one_address() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(504);
    cluster.one().create(&owner.begin()).await.unwrap();
    let held = open(&cluster, &owner).await;
    let path = place(&owner.wallet());
    let right = format!("https://{HOST}{path}");
    let proofs = [
        ("POST", right.clone()),
        ("GET", format!("http://{HOST}{path}")),
        ("GET", format!("https://other.example{path}")),
        ("GET", format!("https://{HOST}{path}/links")),
        ("GET", "/holdfast.v1.Wallets/Pull".to_owned()),
    ];
    let with = |proof: &str| {
        request("GET", &path)
            .header("authorization", format!("DPoP {}", held.session.token))
            .header("dpop", proof)
            .body(Body::empty())
            .unwrap()
    };
    for (seed, (verb, address)) in (30..).zip(proofs) {
        let proof = held.proof(verb, &address, cluster.now_s(), seed);
        let refused = send(&cluster, with(&proof)).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, "proof"));
        assert!(refused.header("www-authenticate").starts_with("DPoP"));
    }
    let proof = held.proof("GET", &right, cluster.now_s(), 40);
    assert_eq!(send(&cluster, with(&proof)).await.status, StatusCode::OK);
    assert_eq!(send(&cluster, with(&proof)).await.code(), "proof", "a proof is used once");
}

/// Attack 12: whatever a request looks like, it is the route of its exact path, or none.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_route_is_refused_whatever_it_looks_like() {
    let cluster = Cluster::single().await;
    for path in [
        "/v1/admin/status/",
        "/v1//admin/status",
        "//v1/admin/status",
        "/v1/./admin/status",
        "/v1/admin/../admin/status",
        "/v1/admin/%73tatus",
        "/v1/admin;x=1/status",
        "/V1/admin/status",
        "/v1/Admin/status",
        "/v1/wallets/%2e%2e/admin/status",
        "/v1",
        "/",
    ] {
        let found = send(&cluster, by_operator(plain("GET", path))).await;
        assert_eq!(
            (found.status, found.code()),
            (StatusCode::NOT_FOUND, "unimplemented"),
            "{path}"
        );
    }
    for verb in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let found = send(&cluster, by_operator(plain(verb, "/v1/admin/status"))).await;
        assert_eq!(found.status, StatusCode::METHOD_NOT_ALLOWED, "{verb}");
        assert_eq!(found.header("allow"), "GET");
        assert!(!found.headers.keys().any(|name| name.as_str().starts_with("access-control")));
    }
    let mut disguised = plain("GET", "/v1/admin/status");
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-original-url", "/livez"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
    ] {
        disguised.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(send(&cluster, disguised).await.code(), "operator");
}

/// Attacks 24, 26 and 80: a body is one JSON object of the schema, sent as JSON.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_such_body_is_refused_with_its_place() {
    let cluster = Cluster::single().await;
    let sent = |body: Vec<u8>, kind: &str| {
        request("POST", "/v1/sessions").header("content-type", kind).body(Body::from(body)).unwrap()
    };
    let deep = "[".repeat(100_000);
    for body in [
        "",
        "[]",
        "{\"challenge\": 1}",
        "{\"challenge\": null}",
        "{\"challenge\": \"\", \"challenge\": \"\"}",
        "{\"role\": \"owner\"}",
        "{\"challenge\": \"\\ud800\"}",
        "{\"challenge\": 1e400}",
        "\u{feff}{}",
        deep.as_str(),
    ] {
        let refused = send(&cluster, sent(body.as_bytes().to_vec(), "application/json")).await;
        let shown = &body[..body.len().min(30)];
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::BAD_REQUEST, "malformed"),
            "{shown}"
        );
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let refused = send(&cluster, sent(b"{}".to_vec(), kind)).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let large = format!("{{\"challenge\": \"{}\"}}", "A".repeat(8 << 20));
    let refused = send(&cluster, sent(large.into_bytes(), "application/json")).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    let long = format!("{{\"challenge\": \"{}\"}}", "A".repeat(32 << 10));
    let refused = send(&cluster, sent(long.into_bytes(), "application/json")).await;
    assert_eq!(refused.code(), "too_large", "each method has its own bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_and_acts() {
    let cluster = Cluster::single().await;
    let status = send(&cluster, by_operator(plain("GET", "/v1/admin/status?local=true"))).await;
    assert_eq!(status.status, StatusCode::OK, "{status:?}");
    assert_eq!(status.body["node"], "n0");
    assert_eq!(status.body["zero_loss"]["held"], false);
    assert!(status.body["groups"].as_array().unwrap().len() > 1);
    let unnamed = with_body("POST", "/v1/admin/nodes/n0/drain", &json!({}));
    let unnamed = send(&cluster, by_operator(unnamed)).await;
    assert!(unnamed.body["detail"].as_str().unwrap().contains("idempotency-key"), "{unnamed:?}");
    let mut drain = with_body("POST", "/v1/admin/nodes/nobody/drain", &json!({}));
    drain.headers_mut().insert("idempotency-key", "first".parse().unwrap());
    let refused = send(&cluster, by_operator(drain)).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::NOT_FOUND, "no_such_node"));
}
