#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crate::registry::Registry;
use store::engine::memory::MemoryEngine;
use store::{Entry, Machine, Payload, Position};
use types::GroupId;

use super::*;
use crate::metrics::NodeMetrics;

const PATIENCE: Duration = Duration::from_secs(30);

fn source() -> Box<SnapshotSource> {
    let mut machine = Machine::open(Arc::new(MemoryEngine::new()), GroupId(2)).unwrap();
    let position = Position { term: 1, leader: 1, index: 1 };
    machine.apply(&[Entry { position, payload: Payload::Blank }]).unwrap();
    Box::new(machine.snapshot().unwrap())
}

fn metrics() -> PeerMetrics {
    NodeMetrics::register(&mut Registry::default()).peers
}

fn body() -> SnapshotReply {
    SnapshotReply { reply: Some(snapshot_reply::Reply::Body(Default::default())) }
}

/// The time to install begins when all is sent, however long that took.
#[tokio::test]
async fn a_long_transfer_is_not_a_late_one() {
    let (out, mut frames) = mpsc::channel(1);
    let install = Duration::from_millis(500);
    let metrics = metrics();
    let sender = Sender { out, metrics: &metrics, stall: PATIENCE, install };
    let (answers, replies) = mpsc::channel(1);
    let peer = async {
        tokio::time::sleep(2 * install).await;
        let mut taken = 0;
        while let Some(SnapshotFrame { frame: Some(frame) }) = frames.recv().await {
            taken += 1;
            if matches!(frame, snapshot_frame::Frame::End(_)) {
                break;
            }
        }
        answers.send(Ok(body())).await.unwrap();
        taken
    };
    let mut replies = ReceiverStream::new(replies);
    let (reply, taken) = tokio::join!(sender.transfer(source(), &mut replies), peer);
    assert!(matches!(reply, Ok(snapshot_reply::Reply::Body(_))), "{reply:?}");
    assert!(taken >= 3, "{taken} frames do not fill the link: nothing had to wait");
}

#[tokio::test]
async fn a_transfer_that_does_not_move_ends() {
    let (out, _frames) = mpsc::channel(1);
    let (_answers, replies) = mpsc::channel(1);
    let metrics = metrics();
    let stall = Duration::from_millis(50);
    let sender = Sender { out, metrics: &metrics, stall, install: PATIENCE };
    let failed = sender.transfer(source(), &mut ReceiverStream::new(replies)).await.unwrap_err();
    assert!(failed.to_string().contains("takes no more frames"), "{failed}");
}

#[tokio::test]
async fn an_early_answer_ends_the_transfer() {
    let (out, _frames) = mpsc::channel(1);
    let (answers, replies) = mpsc::channel(1);
    let metrics = metrics();
    let sender = Sender { out, metrics: &metrics, stall: PATIENCE, install: PATIENCE };
    let refused = snapshot_reply::Reply::Error("not wanted".to_owned());
    answers.send(Ok(SnapshotReply { reply: Some(refused.clone()) })).await.unwrap();
    let reply = sender.transfer(source(), &mut ReceiverStream::new(replies)).await.unwrap();
    assert_eq!(reply, refused);
}

/// A view of the state is not held for as long as others take.
#[tokio::test]
async fn who_finds_no_place_gives_up() {
    let places = Semaphore::new(1);
    let taken = place(&places, PATIENCE).await.unwrap();
    let waited = place(&places, Duration::from_millis(50)).await.err().unwrap();
    assert!(waited.to_string().contains("other snapshots are on their way"), "{waited}");
    drop(taken);
    drop(place(&places, PATIENCE).await.unwrap());
}
