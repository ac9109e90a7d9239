//! Attacks across wallets: what belongs to one wallet, member, verb or cluster is of no use for another.
//! Made from the tables of methods and routes, so that a new one is tried without being remembered.

use api::{Access, METHODS};
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use prost::Message;
use proto::v1::{LinksRequest, OpenSessionRequest, PullRequest};
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::MemberKeys;
use seal::es256::SoftwareKey;
use serde_json::json;
use tonic::Status;
use tower::ServiceExt;
use types::{ChallengeUse, Commit};

use crate::support::caller::{Held, PULL, answer};
use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::web::{self, b64, body_of, in_session, place, plain, with_body};
use crate::support::{code, detail};

/// Two wallets of one cluster, with a session of each.
struct Two {
    cluster: Cluster,
    mine: Owner,
    theirs: Owner,
    my_session: Held,
    their_session: Held,
}

impl Two {
    async fn new(seed: u64) -> Two {
        let cluster = Cluster::single().await;
        let (mut mine, mut theirs) = (Owner::new(seed), Owner::new(seed + 1));
        for owner in [&mut mine, &mut theirs] {
            cluster.one().create(&owner.begin()).await.unwrap();
        }
        let my_session = cluster.one().open(mine.wallet(), &mine.phone, 1).await.unwrap();
        let their_session = cluster.one().open(theirs.wallet(), &theirs.phone, 2).await.unwrap();
        Two { cluster, mine, theirs, my_session, their_session }
    }
}

/// A request to any method that takes a session, naming a wallet.
fn naming(path: &str, wallet: &[u8]) -> Vec<u8> {
    let wallet = wallet.to_vec().into();
    match path {
        "/holdfast.v1.Devices/Links" => LinksRequest { wallet, from: 0 }.encode_to_vec(),
        "/holdfast.v1.Wallets/Pull" | "/holdfast.v1.Wallets/Watch" => {
            PullRequest { wallet, ..PullRequest::default() }.encode_to_vec()
        }
        other => panic!("{other} takes a session: say here how it names a wallet"),
    }
}

/// Asks a method by raw bytes within a session: the code of its refusal, or `ok`.
async fn ask(cluster: &Cluster, held: &Held, path: &str, message: &[u8]) -> String {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0][..], &length, message].concat();
    let proof = held.request(cluster, path, ());
    let mut request = Request::post(path).header("content-type", "application/grpc");
    for name in ["authorization", "dpop"] {
        request = request.header(name, proof.metadata().get(name).unwrap().to_str().unwrap());
    }
    let routes = cluster.one().routes.clone();
    let found = routes.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    match Status::from_header_map(found.headers()) {
        Some(status) if status.code() != tonic::Code::Ok => detail(&status).code,
        _ => "ok".to_owned(),
    }
}

/// Attacks 14, 16, 18 and 20: whatever asks within a session asks for its own wallet, by its exact id.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_its_own_wallet_by_every_method_and_no_other() {
    let two = Two::new(800).await;
    let (mine, theirs) = (*two.mine.wallet().as_bytes(), *two.theirs.wallet().as_bytes());
    let mut unknown = mine;
    unknown[31] ^= 1;
    let longer = [&mine[..], &[0]].concat();
    let mut tried = 0;
    for method in METHODS.iter().filter(|method| method.access == Access::Session) {
        for (what, wallet, expected) in [
            ("its own", &mine[..], "ok"),
            ("another's", &theirs, "other_wallet"),
            ("one that is not there", &unknown, "other_wallet"),
            ("the beginning of its own", &mine[..31], "malformed"),
            ("more than its own", &longer, "malformed"),
            ("none", &[], "malformed"),
        ] {
            let message = naming(method.path, wallet);
            let found = ask(&two.cluster, &two.my_session, method.path, &message).await;
            assert_eq!(found, expected, "{}: {what}", method.path);
        }
        tried += 1;
    }
    assert_eq!(tried, 3);
    // The token of one with the proof of the other, both of them good.
    let mixed = Held { session: two.my_session.session.clone(), key: two.their_session.key };
    let message = naming(PULL, &mine);
    assert_eq!(ask(&two.cluster, &mixed, PULL, &message).await, "proof");
}

/// The same over HTTP, from the table of routes as the description shows it; and nothing of an answer is
/// kept on the way (attack 22).
#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_its_own_wallet_by_every_route_and_no_other() {
    let two = Two::new(810).await;
    let document = web::send(&two.cluster, plain("GET", "/openapi.json")).await;
    let (mine, theirs) = (two.mine.wallet(), two.theirs.wallet());
    let text = b64(mine.as_bytes());
    let (mut tried, mut seed) = (0, 100);
    for (path, verbs) in document.body["paths"].as_object().unwrap() {
        let in_a_session = verbs["get"]["security"][0]["session"].is_array();
        if !in_a_session {
            continue;
        }
        tried += 1;
        for (what, wallet, status, expected) in [
            ("another's", b64(theirs.as_bytes()), StatusCode::FORBIDDEN, "other_wallet"),
            ("padded", format!("{text}="), StatusCode::BAD_REQUEST, "malformed"),
            (
                "with a bit too many",
                format!("{}B", &text[..42]),
                StatusCode::BAD_REQUEST,
                "malformed",
            ),
            (
                "in the other alphabet",
                text.replace(['-', '_'], "+"),
                StatusCode::BAD_REQUEST,
                "malformed",
            ),
            ("in another case", text.to_ascii_uppercase(), StatusCode::FORBIDDEN, "other_wallet"),
            ("with a space", format!("{text}%20"), StatusCode::BAD_REQUEST, "malformed"),
            ("with a zero", format!("{text}%00"), StatusCode::BAD_REQUEST, "malformed"),
            (
                "with a slash in it",
                format!("{}%2f{}", &text[..20], &text[20..]),
                StatusCode::BAD_REQUEST,
                "malformed",
            ),
            ("in full width", "%EF%BC%A1".repeat(43), StatusCode::BAD_REQUEST, "malformed"),
        ] {
            if wallet == text {
                continue;
            }
            seed += 1;
            let path = path.replace("{wallet}", &wallet);
            let request = in_session(&two.cluster, &two.my_session, &path, seed);
            let found = web::send(&two.cluster, request).await;
            let wanted = (status, expected);
            // Another case can be no base64url of 32 bytes at all.
            let also = (StatusCode::BAD_REQUEST, "malformed");
            let seen = (found.status, found.code());
            assert!(
                seen == wanted || what == "in another case" && seen == also,
                "{path} {what}: {seen:?}"
            );
            assert_eq!(found.header("cache-control"), "no-store");
        }
        // Twice the same name, or a second place for it: never the first or the last one.
        for query in ["wallet=", "seq=1&seq=1", "seq=1&at_least=true&seq=2", "nothing=1"] {
            seed += 1;
            let path = format!("{}?{query}", path.replace("{wallet}", &text));
            let request = in_session(&two.cluster, &two.my_session, &path, seed);
            assert_eq!(web::send(&two.cluster, request).await.code(), "malformed", "{path}");
        }
        seed += 1;
        let own = path.replace("{wallet}", &text);
        let own =
            web::begin(&two.cluster, in_session(&two.cluster, &two.my_session, &own, seed)).await;
        assert_eq!(own.status(), StatusCode::OK);
        assert_eq!(own.headers()["cache-control"], "no-store", "{path}");
    }
    assert_eq!(tried, 3);
}

/// Attacks 13 and 15: one foreign part among one's own and nothing of the whole is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_a_foreign_part_changes_nothing() {
    let mut two = Two::new(820).await;
    let shared = two.mine.record();
    let their_record = two.theirs.put(shared, b"theirs");
    two.cluster.one().push(&their_record).await.unwrap();
    let own = two.mine.record();
    let put = vec![(own, b"mine".to_vec()), (shared, b"mine too".to_vec())];
    let good = two.mine.draft(Change { put, ..Change::default() });
    let at = good.envelopes.iter().position(|one| one.windows(16).any(|w| w == shared.as_bytes()));
    let mut envelopes = good.envelopes.clone();
    envelopes[at.unwrap()].clone_from(&their_record.envelopes[0]);
    let stranger = two.theirs.device();
    let their_link = two.theirs.draft(Change { add: Some(&stranger), ..Change::default() }).links;
    let their_head = two.theirs.held().head;
    for (what, commit, expected) in [
        ("a record", Commit { envelopes, ..good.clone() }, "other_wallet"),
        (
            "a removal",
            Commit { removed: vec![their_id(&their_record)], ..good.clone() },
            "malformed",
        ),
        ("a link", Commit { links: their_link, ..good.clone() }, "other_wallet"),
        ("the head", Commit { head: their_head, ..good.clone() }, "request_reused"),
    ] {
        assert_eq!(code(two.cluster.one().push(&commit).await), expected, "{what}");
    }
    // The place says one wallet, the signed head another.
    let elsewhere = format!("{}/head", place(&two.theirs.wallet()));
    let refused = web::send(&two.cluster, with_body("PUT", &elsewhere, &body_of(&good))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "other_wallet"));
    let mut both = body_of(&good);
    both["wallet"] = json!(b64(two.theirs.wallet().as_bytes()));
    let own_place = format!("{}/head", place(&two.mine.wallet()));
    let refused = web::send(&two.cluster, with_body("PUT", &own_place, &both)).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "malformed"));
    assert_eq!(two.cluster.one().push(&good).await.unwrap().seq, 2, "nothing had been done");
}

fn their_id(commit: &Commit) -> types::RecordId {
    types::commit::RecordHeader::parse(&commit.envelopes[0]).unwrap().header.id
}

/// Attack 18: what one cluster gave is nothing at another, even one with the same epoch key.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_for_one_cluster() {
    let (mut owner, here, there) =
        (Owner::new(830), Cluster::single().await, Cluster::single().await);
    let begun = owner.begin();
    here.one().create(&begun).await.unwrap();
    there.one().create(&begun).await.unwrap();
    let invitation = here.one().challenge().await;
    let key = SoftwareKey::generate(&mut StdRng::seed_from_u64(5));
    let signed = answer(&invitation, ChallengeUse::Session, owner.wallet(), &owner.phone, &key);
    let (challenge, signature) = (signed.0.into(), signed.1.into());
    let request = OpenSessionRequest { challenge, signature };
    assert_eq!(code(there.one().devices().open_session(request).await.map(drop)), "challenge");
}

/// Attack 17: a member that is not there yet, or not any more, does nothing, by any verb.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_never_added_does_nothing() {
    let mut two = Two::new(840).await;
    let tablet = two.mine.device();
    let (wallet, id) = (two.mine.wallet(), two.mine.record());
    assert_eq!(code(two.cluster.one().open(wallet, &tablet, 9).await.map(drop)), "denied");
    let good = two.mine.draft(Change { put: vec![(id, vec![1])], ..Change::default() });
    let head = types::Head { signer: tablet.id(), ..*good.head.head() };
    let by_tablet = Commit { head: two.mine.sign_as(&head, &tablet), ..good };
    assert_eq!(code(two.cluster.one().push(&by_tablet).await), "denied");
}

/// Attack 9: nothing that a stranger may ask names a wallet, a key, a node's data or how many there are.
#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_may_ask_names_nothing() {
    let two = Two::new(850).await;
    let wallet = two.mine.wallet();
    let names =
        [wallet.to_string(), b64(wallet.as_bytes()), hex_of(wallet.as_bytes()), "n0".to_owned()];
    for path in ["/livez", "/readyz", "/openapi.json", "/metrics", "/v1/admin/status", "/nothing"] {
        let answer = web::begin(&two.cluster, plain("GET", path)).await;
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let shown = format!("{:?} {}", head.headers, String::from_utf8_lossy(&body));
        for name in &names {
            assert!(!shown.contains(name.as_str()), "{path} names {name}");
        }
        assert!(!shown.contains("holdfast_"), "{path} shows numbers");
        assert!(head.headers.get("server").is_none(), "{path} says which program answers");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Attack 5: a node's certificate is no operator's, on any method or route.
#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_certificate_is_no_operators() {
    let cluster = Cluster::single().await;
    let node = raft::ConnectionIdentity {
        kind: raft::IdentityKind::Node,
        dc: "dc0".to_owned(),
        ..crate::support::authority::operator("n0")
    };
    let foreign = raft::ConnectionIdentity {
        cluster: "another".to_owned(),
        ..crate::support::authority::operator("ada")
    };
    for identity in [node, foreign] {
        for method in METHODS.iter().filter(|method| method.access == Access::Operator) {
            let request = Request::post(method.path)
                .header("content-type", "application/grpc")
                .extension(identity.clone())
                .body(Body::from(vec![0; 5]))
                .unwrap();
            let answer = cluster.one().routes.clone().oneshot(request).await.unwrap();
            let status = Status::from_header_map(answer.headers()).unwrap();
            assert_eq!(detail(&status).code, "operator", "{} as {identity:?}", method.path);
        }
    }
}
