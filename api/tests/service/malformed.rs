//! Attacks by form: messages, frames and numbers that no honest client sends, on every method.

use std::time::{Duration, Instant};

use api::{Access, METHODS, Method};
use axum::body::{Body, to_bytes};
use http::{Request, Response};
use proto::admin::{NodeRequest, TransferRequest};
use proto::v1::{Commit, LinksRequest, OpenSessionRequest, PullRequest, PushRequest, SignedLink};
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::es256::SoftwareKey;
use serde_json::json;
use tonic::Status;
use tower::ServiceExt;
use types::{ChallengeUse, WalletId};

use crate::support::authority::operator;
use crate::support::caller::{LINKS, WATCH, answer, as_operator, from_nothing};
use crate::support::cluster::Cluster;
use crate::support::owner::Owner;
use crate::support::web::{self, by_operator, in_session, place, plain, with_body};
use crate::support::{code, detail};

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// Sends raw bytes to a method, as an operator where one is asked for.
async fn send(cluster: &Cluster, method: &Method, body: Vec<u8>) -> Response<Body> {
    let mut request = Request::post(method.path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if method.access == Access::Operator {
        request = request.extension(operator("ada"));
    }
    let request = request.body(Body::from(body)).unwrap();
    cluster.one().routes.clone().oneshot(request).await.unwrap()
}

/// The code of a refusal in the headers.
fn refusal(response: &Response<Body>) -> Option<String> {
    let status = Status::from_header_map(response.headers())?;
    (status.code() != tonic::Code::Ok).then(|| detail(&status).code)
}

/// The methods that read what a caller sends before they know who it is, or that operators call.
fn reading() -> impl Iterator<Item = &'static Method> {
    METHODS.iter().filter(|method| !method.probe && method.access != Access::Session)
}

/// Attacks 27 and 28: what is no message, or not one message, is refused on every method that reads one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_refused_by_every_method() {
    let cluster = Cluster::single().await;
    let deep = (0..150).fold(vec![], |inner: Vec<u8>, _| {
        let mut outer = vec![0x0a];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend(inner);
        outer
    });
    let huge_length = [&[0x0a][..], &[0xff; 9], &[0x01]].concat();
    let cases = [
        ("cut in the middle of a field", framed(&[0x0a, 0x05, 1])),
        ("a wire type that there is not", framed(&[0x0f])),
        ("field number zero", framed(&[0x02, 0x00])),
        ("a length larger than the message", framed(&huge_length)),
        ("a number without an end", framed(&[0xff; 11])),
        ("an end of a group without a beginning", framed(&[0x0c])),
        ("a compressed message, unasked", [&[1][..], &framed(&[])[1..]].concat()),
        ("a flag that there is not", [&[2][..], &framed(&[])[1..]].concat()),
        ("all flags", [&[255][..], &framed(&[])[1..]].concat()),
        ("half a prefix", vec![0, 0]),
        ("less than it says", framed(&[0; 9])[..9].to_vec()),
    ];
    for method in reading() {
        for (what, body) in &cases {
            let found = send(&cluster, method, body.clone()).await;
            let found = refusal(&found).unwrap_or_else(|| panic!("{}: {what}", method.path));
            assert!(
                matches!(found.as_str(), "malformed" | "unimplemented"),
                "{}: {what}: {found}",
                method.path
            );
        }
        let found = refusal(&send(&cluster, method, framed(&deep)).await);
        assert!(found.is_none_or(|code| code != "internal"), "{}", method.path);
    }
}

/// Attack 27: a message that grows when it is read is refused before it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_few_bytes_do_not_become_many() {
    let cluster = Cluster::single().await;
    let removed = Commit { removed: vec![bytes::Bytes::new(); 1_500_000], ..Commit::default() };
    let link =
        SignedLink { signatures: vec![bytes::Bytes::new(); 1_500_000], ..Default::default() };
    let signatures = Commit { links: vec![link], ..Commit::default() };
    for commit in [removed, signatures] {
        let request = PushRequest { commit: Some(commit) };
        let refused = cluster.one().wallets().push(request).await.unwrap_err();
        assert_eq!(detail(&refused).code, "too_large");
        assert!(detail(&refused).message.contains("parts"), "{refused:?}");
    }
    let body = json!({"commit": {"removed": vec![""; 1_000_000]}});
    let refused = web::send(&cluster, with_body("POST", "/v1/wallets", &body)).await;
    assert_eq!(refused.code(), "malformed");
    assert!(refused.body["detail"].as_str().unwrap().contains("values"), "{refused:?}");
}

/// Attack 28: one question is one message.
#[tokio::test(flavor = "multi_thread")]
async fn two_messages_are_no_question() {
    let cluster = Cluster::single().await;
    for method in METHODS.iter().filter(|method| method.path.ends_with("/Challenge")) {
        let twice = [framed(&[]), framed(&[])].concat();
        let found = send(&cluster, method, twice).await;
        // Either it is refused, or the second one has no effect: there is one answer.
        if refusal(&found).is_none() {
            let body = to_bytes(found.into_body(), 1 << 16).await.unwrap();
            let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
            assert_eq!(body.len(), 5 + length, "{}: one answer", method.path);
        }
    }
    let mut metadata = plain("POST", "/holdfast.v1.Devices/Challenge");
    *metadata.body_mut() = Body::from(framed(&[]));
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("holdfast-error-bin", "!!! not base64 !!!"),
        ("x-bin", "====="),
    ] {
        metadata.headers_mut().insert(name, value.parse().unwrap());
    }
    let found = web::begin(&cluster, metadata).await;
    assert_eq!(refusal(&found), None, "metadata that nobody asked for is of no use to anybody");
}

/// Attack 36: the ends of every number have an answer, and none of them is a fault.
#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_numbers_have_answers() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(860);
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"one")).await.unwrap();
    let held = cluster.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let head = bytes::Bytes::from(vec![7; 32]);
    for seq in [0, 1, 2, 3, u64::from(u32::MAX), i64::MAX as u64, u64::MAX - 1, u64::MAX] {
        for links in [0, 1, 2, 3, i32::MAX as u32, u32::MAX] {
            for at_least in [false, true] {
                let head = if seq == 0 { bytes::Bytes::new() } else { head.clone() };
                let request =
                    PullRequest { seq, head, links, at_least, ..from_nothing(owner.wallet()) };
                let found = cluster.one().pull(&cluster, &held, request).await;
                let code = found.as_ref().err().map(|status| detail(status).code);
                let known = code.as_deref().is_none_or(|code| code == "unavailable");
                assert!(known, "seq {seq}, links {links}, {at_least}: {code:?}");
            }
        }
    }
    for from in [0, 1, u32::MAX - 1, u32::MAX] {
        let message = LinksRequest { wallet: owner.wallet().as_bytes().to_vec().into(), from };
        let links = cluster.one().devices().links(held.request(&cluster, LINKS, message)).await;
        let mut links = links.unwrap().into_inner();
        while links.message().await.unwrap().is_some() {}
    }
    let request = PullRequest {
        seq: u64::MAX,
        head: head.clone(),
        links: u32::MAX,
        ..from_nothing(owner.wallet())
    };
    let watch = cluster.one().wallets().watch(held.request(&cluster, WATCH, request)).await;
    assert!(watch.unwrap().into_inner().message().await.unwrap().is_some());

    for group in [2_u32.pow(31), u32::MAX] {
        let request = as_operator(TransferRequest { group, to: String::new() });
        assert_eq!(code(cluster.one().admin().transfer(request).await.map(drop)), "no_such_group");
    }
    for query in [
        "seq=-1",
        "seq=18446744073709551616",
        "seq=1e3",
        "links=4294967296",
        "seq=0x1",
        "seq=",
        "seq=%2B1",
    ] {
        let path = format!("{}?{query}", place(&owner.wallet()));
        let found = web::send(&cluster, in_session(&cluster, &held, &path, 7)).await;
        assert!(matches!(found.code(), "malformed" | "proof"), "{query}: {found:?}");
    }
    for last in ["", "1", "1.2.3", "18446744073709551615", "-1.AAAA.0"] {
        let path = format!("{}/watch", place(&owner.wallet()));
        let mut request = in_session(&cluster, &held, &path, 900 + last.len() as u64);
        request.headers_mut().insert("last-event-id", last.parse().unwrap());
        let found = web::begin(&cluster, request).await.status().as_u16();
        assert_eq!(found, if last.is_empty() { 200 } else { 400 }, "{last:?}");
    }
}

/// Attack 35: names and ids that are no such thing are refused or nobody's, and are never taken for lines,
/// paths or commands.
#[tokio::test(flavor = "multi_thread")]
async fn strange_names_are_nobodys() {
    let cluster = Cluster::single().await;
    let long = "n".repeat(10_000);
    for name in [
        "",
        "n0\0",
        "n0\n",
        "../n0",
        "n0/..",
        "\u{202e}0n",
        "N0",
        " n0",
        "n\u{ff10}",
        "n0\r\nx: y",
        &long,
    ] {
        let request = NodeRequest { name: name.to_owned(), request_id: vec![1; 32] };
        let refused =
            cluster.one().admin().drain(as_operator(request)).await.map(drop).unwrap_err();
        let found = detail(&refused);
        assert!(matches!(found.code.as_str(), "no_such_node" | "malformed"), "{name:?}: {found:?}");
        assert!(!found.message.contains(['\n', '\r', '\0', '\u{202e}']), "{found:?}");
        assert!(found.message.len() < 1_000, "{} bytes", found.message.len());
    }
    for name in ["..%2fn0", "n0%0a", "%00", "n0%2f..", "%e2%80%ae0n"] {
        let path = format!("/v1/admin/nodes/{name}");
        let mut request = plain("DELETE", &path);
        request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        let found = web::send(&cluster, by_operator(request)).await;
        assert!(matches!(found.code(), "no_such_node" | "malformed"), "{name}: {found:?}");
    }
    for key in ["", &"k".repeat(256)] {
        let mut request = plain("DELETE", "/v1/admin/nodes/nobody");
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        assert_eq!(web::send(&cluster, by_operator(request)).await.code(), "malformed");
    }
}

/// Attack 10: how long a refusal takes does not tell whether a wallet is there. Two samples of one
/// distribution differ by more than this bound (Kolmogorov and Smirnov, 0.1 %) once in a thousand times;
/// the best of three counts, because the machine has other work too.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_refusal_does_not_tell_what_is_there() {
    const SAMPLES: usize = 500;
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(870);
    cluster.one().create(&owner.begin()).await.unwrap();
    let stranger = owner.device();
    let mut unknown = *owner.wallet().as_bytes();
    unknown[31] ^= 1;
    let wallets = [owner.wallet(), WalletId::from_bytes(unknown)];
    let key = SoftwareKey::generate(&mut StdRng::seed_from_u64(3));
    let bound = 1.95 * (2.0 / SAMPLES as f64).sqrt();
    let mut distances = Vec::new();
    for _ in 0..3 {
        let mut times = [Vec::new(), Vec::new()];
        for turn in 0..2 * SAMPLES {
            let which = turn % 2;
            let invitation = cluster.one().challenge().await;
            let signed =
                answer(&invitation, ChallengeUse::Session, wallets[which], &stranger, &key);
            let (challenge, signature) = (signed.0.into(), signed.1.into());
            let request = OpenSessionRequest { challenge, signature };
            let began = Instant::now();
            let refused = cluster.one().devices().open_session(request).await.map(drop);
            times[which].push(began.elapsed());
            assert_eq!(code(refused), "denied");
        }
        let distance = distance(&mut times);
        distances.push(distance);
        if distance <= bound {
            return;
        }
    }
    panic!("a stranger can tell: {distances:?}, and the bound is {bound}");
}

/// The greatest distance between the two empirical distributions.
fn distance(times: &mut [Vec<Duration>; 2]) -> f64 {
    let [first, second] = times;
    first.sort_unstable();
    second.sort_unstable();
    let below = |sample: &[Duration], time| {
        sample.partition_point(|taken| *taken <= time) as f64 / sample.len() as f64
    };
    let all = first.iter().chain(second.iter());
    all.map(|time| (below(first, *time) - below(second, *time)).abs()).fold(0.0, f64::max)
}
