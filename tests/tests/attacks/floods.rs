//! Floods on a node's port: they end, and nothing of them is left to do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tests::{Lab, Plan, lab::PATIENCE, raw};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Connections of one address that a node of these tests takes.
const PER_ADDRESS: usize = 200;
/// Connections of an attack.
const MANY: usize = 10_000;

/// How much of a processor a node uses, over a second.
async fn busy(lab: &mut Lab) -> f64 {
    let cpu = |lab: &mut Lab| lab.cluster.node(0).unwrap().process().unwrap().cpu().unwrap();
    let (before, since) = (cpu(lab), Instant::now());
    sleep(Duration::from_secs(1)).await;
    (cpu(lab) - before).as_secs_f64() / since.elapsed().as_secs_f64()
}

async fn is_alive(lab: &Lab) -> bool {
    let asked = raw::say(lab, b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    asked.await.statuses() == [200]
}

/// Attack 38: 100,000 requests that are taken back at once, and as many frames that ask for nothing.
/// Within two seconds the node does no more than before.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_ends_and_leaves_nothing_to_do() {
    let mut lab = Plan::of(1).start().await;
    let to = raw::address(&lab.cluster.endpoints()[0]);
    let quiet = busy(&mut lab).await;
    let request = [0x82, 0x84, 0x87, 0x41, 0x01, b'a'];
    for kind in ["rapid reset", "ping"] {
        let stream = raw::connect(to, raw::tls(&lab, &["h2"], None), None).await.unwrap();
        let (mut from, mut into) = tokio::io::split(stream);
        let read = tokio::spawn(async move {
            let mut part = [0; 16 << 10];
            while from.read(&mut part).await.is_ok_and(|count| count > 0) {}
        });
        into.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        for turn in 0..1_000_u32 {
            let mut many = Vec::new();
            for step in 0..100 {
                let id = (2 * (100 * turn + step) + 1).to_be_bytes();
                if kind == "ping" {
                    many.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
                } else {
                    many.extend([0, 0, 6, 1, 5]);
                    many.extend(id);
                    many.extend(request);
                    many.extend([0, 0, 4, 3, 0]);
                    many.extend(id);
                    many.extend([0, 0, 0, 8]);
                }
            }
            if into.write_all(&many).await.is_err() {
                break;
            }
        }
        timeout(PATIENCE, read).await.expect("the node ends the connection").unwrap();
        sleep(Duration::from_secs(1)).await;
        let after = busy(&mut lab).await;
        assert!(after < quiet + 0.25, "{kind}: {after:.2} of a processor, and {quiet:.2} before");
        assert!(is_alive(&lab).await, "{kind}");
    }
}

/// Attack 41: ten thousand connections, half open or idle, are held or turned away, and other addresses
/// have their own places.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_too_many_connections_keeps_nobody_out() {
    if !enough_files() {
        return println!("SKIPPED: this user may not open {MANY} files");
    }
    let lab = Plan::of(1)
        .setting("limits.connections", MANY as i64 + 1_000)
        .setting("limits.connections_per_address", PER_ADDRESS as i64)
        .start()
        .await;
    let to = raw::address(&lab.cluster.endpoints()[0]);
    let mut half_open: Vec<TcpStream> = Vec::new();
    for number in 0..MANY {
        half_open.push(raw::plain(to, Some(from(number))).await.unwrap());
    }
    others_are_served(&lab, to, "half open").await;
    // All of them go when their handshake is due; then the address has its places again.
    let tls = raw::tls(&lab, &["http/1.1"], None);
    tests::lab::until("the half-open are gone", PATIENCE, async || {
        raw::connect(to, tls.clone(), Some(from(0))).await.ok()
    })
    .await;
    drop(half_open);

    let mut idle = Vec::new();
    let mut opening = JoinSet::new();
    for number in 0..MANY {
        opening.spawn(raw::connect(to, tls.clone(), Some(from(number))));
        if opening.len() >= 64 {
            idle.extend(opening.join_next().await.unwrap().unwrap().ok());
        }
    }
    while let Some(opened) = opening.join_next().await {
        idle.extend(opened.unwrap().ok());
    }
    assert!(idle.len() * 10 >= MANY * 9, "{} of {MANY} were let in", idle.len());
    others_are_served(&lab, to, "idle").await;
}

/// The address that the connection of this number comes from: no address has more than its places.
fn from(number: usize) -> SocketAddr {
    let last = u8::try_from(2 + number / PER_ADDRESS).unwrap();
    SocketAddr::from(([127, 0, 0, last], 0))
}

async fn others_are_served(lab: &Lab, to: SocketAddr, what: &str) {
    let began = Instant::now();
    assert!(is_alive(lab).await, "{what}: another address is served");
    assert!(began.elapsed() < Duration::from_secs(5), "{what}: after {:?}", began.elapsed());
    // The connections of this address came last, so that none has come to its deadline yet.
    let mut one_more = raw::plain(to, Some(from(MANY - 1))).await.unwrap();
    let told = timeout(Duration::from_secs(5), one_more.read(&mut [0])).await;
    assert!(matches!(told, Ok(Ok(0) | Err(_))), "{what}: one more is turned away: {told:?}");
}

/// Whether this process, and the node that it starts, may hold so many connections; raises the limit.
fn enough_files() -> bool {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.is_none_or(|most| most >= MANY as u64 + 1_000);
    let raised = Rlimit { current: limit.maximum, ..limit };
    enough && setrlimit(Resource::Nofile, raised).is_ok()
}

/// Attack 40: a body that comes a byte at a time ends with its request, and holds up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_ends_by_its_deadline() {
    let lab = Plan::of(1).setting("limits.request_ms", 2_000).start().await;
    let to = raw::address(&lab.cluster.endpoints()[0]);
    let mut slow = raw::connect(to, raw::tls(&lab, &["http/1.1"], None), None).await.unwrap();
    let head = "POST /v1/sessions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    let (mut from, mut into) = tokio::io::split(slow);
    let trickle = tokio::spawn(async move {
        while into.write_all(b" ").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(is_alive(&lab).await);
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, from.read_buf(&mut answer)).await.expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 504"), "{}", String::from_utf8_lossy(&answer));
    assert!(began.elapsed() >= Duration::from_millis(1_900));
    trickle.abort();
}
