//! Nodes that say what they should not: hand-made frames over real connections.

use std::sync::Arc;

use futures::StreamExt;
use proto::peer::peer_client::PeerClient;
use proto::peer::{
    ControlFrame, ControlRequest, Hello, LogFrame, LogRequest, SnapshotEnd, SnapshotFrame,
    SnapshotStart, control_frame, log_frame, snapshot_frame, snapshot_reply,
};
use store::command::SystemCommand;
use store::engine::memory::MemoryEngine;
use store::{Command, Entry, Machine, Payload, Policy, Position};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use types::{NodeId, NodeState};

use crate::harness::{Cluster, PATIENCE, WALLETS, order, until};

/// Where the parts of the frozen start of a snapshot are, and the place in the log that it names.
const VOTE_TERM: usize = 1;
const MEMBERSHIP: usize = 1 + 17 + 25 + 25 + 4;
const LAST: Position = Position { term: 5, leader: 2, index: 9 };

/// The way from one machine to another, and the greeting that opens it.
fn way(cluster: &Cluster, from: usize, to: usize) -> (PeerClient<Channel>, Hello) {
    let id = cluster.id(to);
    let node = cluster.node(from);
    (PeerClient::new(node.channel(id).unwrap()), node.hello(id).unwrap())
}

/// A message as it stands in the frozen formats.
fn frozen(name: &str) -> Vec<u8> {
    let formats = include_str!("../formats/v001_peer.hex");
    let named = |line: &'static str| line.strip_prefix(name)?.strip_prefix(' ');
    let hex = formats.lines().find_map(named).unwrap();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The frames of a state that a membership and some values led to.
fn frames(membership: &[u8], last: Position, values: &[u32]) -> Vec<Vec<u8>> {
    let mut machine = Machine::open(Arc::new(MemoryEngine::new()), WALLETS).unwrap();
    let mut payloads: Vec<_> = values
        .iter()
        .map(|value| {
            let policy = Policy { tombstones: *value, ..Policy::default() };
            let act = Box::new(SystemCommand::SetPolicy(policy));
            Payload::Command(Command::System(order().act(0), act).encode().unwrap())
        })
        .collect();
    payloads.push(Payload::Membership(membership.to_vec()));
    let first = last.index + 1 - payloads.len() as u64;
    let entries: Vec<_> = (first..)
        .zip(payloads)
        .map(|(index, payload)| Entry { position: Position { index, ..last }, payload })
        .collect();
    machine.apply(&entries).unwrap();
    let mut source = machine.snapshot().unwrap();
    std::iter::from_fn(|| source.next_frame().unwrap()).collect()
}

/// Sends a snapshot and returns why it was refused.
async fn refused(cluster: &Cluster, start: Vec<u8>, frames: &[Vec<u8>]) -> String {
    let (mut client, hello) = way(cluster, 1, 0);
    let start = SnapshotStart { group: WALLETS.0, meta: start.into() };
    let mut all = vec![snapshot_frame::Frame::Hello(hello), snapshot_frame::Frame::Start(start)];
    all.extend(frames.iter().map(|frame| snapshot_frame::Frame::Data(frame.clone().into())));
    all.push(snapshot_frame::Frame::End(SnapshotEnd {}));
    let all = all.into_iter().map(|frame| SnapshotFrame { frame: Some(frame) });
    let mut replies =
        client.snapshot(futures::stream::iter(all.collect::<Vec<_>>())).await.unwrap().into_inner();
    let greeting = replies.message().await.unwrap().unwrap().reply;
    assert!(matches!(greeting, Some(snapshot_reply::Reply::Hello(_))), "{greeting:?}");
    match replies.message().await.unwrap().unwrap().reply {
        Some(snapshot_reply::Reply::Error(reason)) => reason,
        other => panic!("expected a refusal: {other:?}"),
    }
}

/// A snapshot that is damaged, or is not what it is said to be, is answered with the reason and leaves
/// the receiver as it was.
#[tokio::test(flavor = "multi_thread")]
async fn bad_snapshots_are_refused() {
    let mut cluster = Cluster::three().await;
    let honest = frozen("snapshot_start");
    let membership = honest[MEMBERSHIP..].to_vec();
    let (one, other) =
        (frames(&membership, LAST, &[101, 102]), frames(&membership, LAST, &[101, 103]));

    let mixed = [&one[..1], &other[1..]].concat();
    let reason = refused(&cluster, honest.clone(), &mixed).await;
    assert!(reason.contains("do not have the digest"), "{reason}");

    let reason = refused(&cluster, honest.clone(), &one[..one.len() - 1]).await;
    assert!(reason.contains("ended before its last frame"), "{reason}");

    let mut damaged = one.clone();
    damaged[1][20] ^= 1;
    let reason = refused(&cluster, honest.clone(), &damaged).await;
    assert!(reason.contains("frame 1 is no frame"), "{reason}");

    let elsewhere = frames(&membership, Position { index: 8, ..LAST }, &[101]);
    let reason = refused(&cluster, honest.clone(), &elsewhere).await;
    assert!(reason.contains("not the one that its sender announced"), "{reason}");

    let unreadable = frames(&membership[1..], LAST, &[101]);
    let reason = refused(&cluster, honest.clone(), &unreadable).await;
    assert!(reason.contains("decode membership"), "{reason}");

    let mut older = honest.clone();
    older[VOTE_TERM..VOTE_TERM + 8].copy_from_slice(&(LAST.term - 1).to_be_bytes());
    let reason = refused(&cluster, older, &one).await;
    assert!(reason.contains("a later leader than its sender"), "{reason}");

    cluster.set(WALLETS, 77).await;
    for at in 0..3 {
        assert_eq!(cluster.get(at, WALLETS).await, 77);
    }
    assert_eq!(cluster.machines[0].metric("holdfast_raft_snapshots_installed_total"), 0.0);
    cluster.agree().await;
    cluster.stop().await;
}

/// Attacks 6 and 7: whoever greets as somebody else, as a node of another cluster, or not at all is not
/// heard, whatever term it names; and neither is a message before the greeting.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_moves_the_term_without_a_greeting_that_holds() {
    let mut cluster = Cluster::three().await;
    let leader = cluster.leader(WALLETS).await;
    let term = cluster.machines[leader].metric("holdfast_raft_term");
    let (mut client, honest) = way(&cluster, (leader + 1) % 3, leader);
    let flipped = |bytes: &bytes::Bytes| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= 1;
        bytes::Bytes::from(bytes)
    };
    let greetings = [
        ("no greeting", None),
        ("another cluster", Some(Hello { cluster: flipped(&honest.cluster), ..honest.clone() })),
        ("no cluster", Some(Hello { cluster: Vec::new().into(), ..honest.clone() })),
        ("another directory", {
            let from_incarnation = flipped(&honest.from_incarnation);
            Some(Hello { from_incarnation, ..honest.clone() })
        }),
        ("another node's name", Some(Hello { from: honest.to, ..honest.clone() })),
        ("a node that is not there", Some(Hello { from: 99, ..honest.clone() })),
        ("for another node", Some(Hello { to: honest.from, ..honest.clone() })),
        ("for another directory", {
            let to_incarnation = flipped(&honest.to_incarnation);
            Some(Hello { to_incarnation, ..honest.clone() })
        }),
    ];
    let mut vote = frozen("vote_request");
    vote[VOTE_TERM..VOTE_TERM + 8].copy_from_slice(&(u64::MAX - 1).to_be_bytes());
    let mut append = frozen("append_request");
    append[VOTE_TERM..VOTE_TERM + 8].copy_from_slice(&(u64::MAX - 1).to_be_bytes());
    let mut start = frozen("snapshot_start");
    start[VOTE_TERM..VOTE_TERM + 8].copy_from_slice(&(u64::MAX - 1).to_be_bytes());
    for (what, greeting) in greetings {
        let requests = (1..=3).map(|kind| {
            let body = vote.clone().into();
            let request = ControlRequest { id: kind.into(), group: WALLETS.0, kind, body };
            control_frame::Frame::Request(request)
        });
        let greeted = greeting.clone().map(control_frame::Frame::Hello).into_iter();
        let frames = greeted.chain(requests).map(|frame| ControlFrame { frame: Some(frame) });
        let frames = futures::stream::iter(frames.collect::<Vec<_>>());
        let refused = client.control(frames).await.map(drop).unwrap_err();
        assert!(!refused.message().is_empty(), "{what}");

        let request = LogRequest { session: 1, group: WALLETS.0, body: append.clone().into() };
        let greeted = greeting.clone().map(log_frame::Frame::Hello).into_iter();
        let frames = greeted.chain([log_frame::Frame::Request(request)]);
        let frames = frames.map(|frame| LogFrame { frame: Some(frame) });
        let frames = futures::stream::iter(frames.collect::<Vec<_>>());
        assert!(client.log(frames).await.is_err(), "{what}");

        let begin = SnapshotStart { group: WALLETS.0, meta: start.clone().into() };
        let greeted = greeting.map(snapshot_frame::Frame::Hello).into_iter();
        let frames = greeted.chain([snapshot_frame::Frame::Start(begin)]);
        let frames = frames.map(|frame| SnapshotFrame { frame: Some(frame) });
        let frames = futures::stream::iter(frames.collect::<Vec<_>>());
        assert!(client.snapshot(frames).await.is_err(), "{what}");
    }
    cluster.set(WALLETS, 88).await;
    assert!(cluster.node(leader).is_leader(WALLETS));
    assert!(cluster.machines[leader].metric("holdfast_raft_term") - term < 1000.0);
    cluster.stop().await;
}

/// What a removed node says over connections that it still has is not heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_is_heard_no_more() {
    let mut cluster = Cluster::begun(&["a", "b", "c", "d"], &raft::Timing::default()).await;
    let (mut client, hello) = way(&cluster, 3, 0);
    let (control, asked) = mpsc::channel(4);
    let greeting = control_frame::Frame::Hello(hello.clone());
    control.send(ControlFrame { frame: Some(greeting) }).await.unwrap();
    let mut answers = client.control(ReceiverStream::new(asked)).await.unwrap().into_inner();
    let (log, sent) = mpsc::channel(4);
    log.send(LogFrame { frame: Some(log_frame::Frame::Hello(hello)) }).await.unwrap();
    let mut outcomes = client.log(ReceiverStream::new(sent)).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap();
    outcomes.message().await.unwrap().unwrap();

    // The state of a group, and an append to a group that nobody has.
    let status = || {
        let request = ControlRequest { id: 1, group: WALLETS.0, kind: 8, body: Vec::new().into() };
        ControlFrame { frame: Some(control_frame::Frame::Request(request)) }
    };
    let append = || {
        let request = LogRequest { session: 1, group: 99, body: frozen("append_request").into() };
        LogFrame { frame: Some(log_frame::Frame::Request(request)) }
    };
    control.send(status()).await.unwrap();
    log.send(append()).await.unwrap();
    assert!(answers.message().await.unwrap().is_some(), "a member is answered");
    assert!(outcomes.message().await.unwrap().is_some(), "a member is answered");

    cluster.node(0).remove(order(), NodeId(4), PATIENCE).await.unwrap();
    let removed = async || {
        cluster.node(0).node(NodeId(4)).is_some_and(|node| node.state == NodeState::Removed)
    };
    until("the removal is known", removed).await;
    // The streams may have ended already.
    let _ = control.send(status()).await;
    let _ = log.send(append()).await;
    assert!(!matches!(answers.message().await, Ok(Some(_))), "a removed node is not answered");
    assert!(!matches!(outcomes.message().await, Ok(Some(_))), "a removed node is not answered");
    cluster.stop().await;
}

/// A term is kept for ever by whoever believes it. A member that names one that no election led to, the
/// last of all or one far ahead, by any message, is refused, and the cluster goes on in its terms.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_does_not_use_up_the_terms() {
    let mut cluster = Cluster::three().await;
    cluster.set(WALLETS, 55).await;
    let leader = cluster.leader(WALLETS).await;
    for term in [u64::MAX, u64::MAX - 1, 1 << 61, 1 << 40] {
        let named = |name: &str, at: &[usize]| {
            let mut bytes = frozen(name);
            for at in at {
                bytes[*at..*at + 8].copy_from_slice(&term.to_be_bytes());
            }
            bytes::Bytes::from(bytes)
        };
        let logged = VOTE_TERM + 18;
        let requests = [
            (1, named("vote_request", &[VOTE_TERM])),
            (1, named("vote_request", &[VOTE_TERM, logged])),
            (1, named("vote_request", &[logged])),
            (2, named("vote_request", &[VOTE_TERM, logged])),
            (3, named("append_request", &[VOTE_TERM])),
            (5, named("transfer", &[VOTE_TERM])),
        ];
        for to in 0..3 {
            let (mut client, hello) = way(&cluster, (to + 1) % 3, to);
            let greeting = ControlFrame { frame: Some(control_frame::Frame::Hello(hello.clone())) };
            let asked = requests.clone().into_iter().zip(1..).map(|((kind, body), id)| {
                let request = ControlRequest { id, group: WALLETS.0, kind, body };
                ControlFrame { frame: Some(control_frame::Frame::Request(request)) }
            });
            let frames = [greeting].into_iter().chain(asked).collect::<Vec<_>>();
            let frames = futures::stream::iter(frames).chain(futures::stream::pending());
            let mut answers = client.control(frames).await.unwrap().into_inner();
            answers.message().await.unwrap().unwrap();
            for _ in &requests {
                let answer = answers.message().await.unwrap().unwrap().frame;
                let Some(control_frame::Frame::Response(answer)) = answer else {
                    panic!("{answer:?}")
                };
                assert!(!answer.error.is_empty(), "request {} with term {term}", answer.id);
            }

            let body = named("append_request", &[VOTE_TERM]);
            let request = LogRequest { session: 1, group: WALLETS.0, body };
            let frames = [log_frame::Frame::Hello(hello), log_frame::Frame::Request(request)];
            let frames = frames.map(|frame| LogFrame { frame: Some(frame) });
            let frames = futures::stream::iter(frames).chain(futures::stream::pending());
            let mut answers = client.log(frames).await.unwrap().into_inner();
            answers.message().await.unwrap().unwrap();
            let answer = answers.message().await.unwrap().and_then(|answer| answer.frame);
            assert!(matches!(answer, None | Some(log_frame::Frame::Close(_))), "{answer:?}");
        }
        let reason = refused(&cluster, named("snapshot_start", &[VOTE_TERM]).to_vec(), &[]).await;
        let said = ["ahead of term", "beyond all that there can be"];
        assert!(said.iter().any(|said| reason.contains(said)), "{reason}");
    }
    cluster.set(WALLETS, 56).await;
    assert!(cluster.node(leader).is_leader(WALLETS), "nothing has happened");
    for machine in &cluster.machines {
        assert!(machine.metric("holdfast_raft_term") < 1000.0);
    }
    cluster.stop().await;
}

/// A directory that is put back as it once was agrees with itself. The leader that was told more
/// remembers, and counts the node no more; the others go on without it.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_directory_is_found_out() {
    let mut cluster = Cluster::three().await;
    cluster.set(WALLETS, 100).await;
    cluster.agree().await;
    cluster.stop().await;
    let mut copies: Vec<_> = cluster.machines.iter().map(|machine| Some(machine.copy())).collect();
    for machine in &mut cluster.machines {
        machine.start().await.unwrap();
    }
    let leader = cluster.leader(WALLETS).await;
    let back = (leader + 1) % 3;
    cluster.set(WALLETS, 200).await;
    let id = cluster.id(back);
    until("the leader has heard that the node has it", async || {
        let status = cluster.node(leader).status().await;
        let group = status.groups.iter().find(|group| group.group == WALLETS).unwrap();
        group.replicas.iter().any(|replica| replica.node == id && replica.lag == Some(0))
    })
    .await;

    cluster.machines[back].stop(std::time::Duration::ZERO).await;
    cluster.machines[back].put_back(copies[back].take().unwrap());
    cluster.machines[back].start().await.unwrap();
    until("the leader notices", async || {
        cluster.machines[leader].metric("holdfast_peers_went_back_total") >= 1.0
    })
    .await;
    cluster.set(WALLETS, 300).await;
    assert_eq!(cluster.get(leader, WALLETS).await, 300);
    assert!(cluster.node(leader).is_leader(WALLETS), "nothing else has happened");
    let stale = cluster.node(back).replica(WALLETS).unwrap().policy().unwrap().tombstones;
    assert_eq!(stale, 100, "it is sent nothing");
    until("it is fenced", async || {
        let known = cluster.node(leader).node(id);
        known.is_some_and(|node| node.state == NodeState::Fenced)
    })
    .await;
    cluster.stop().await;
}
