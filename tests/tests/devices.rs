//! P2, P5: a revoked device is refused by every node, from the acknowledgement on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::{Class, ClientError, Record, Refusal, Wallet};
use server::cluster::Signal;
use std::time::Duration;
use tests::{Lab, Plan, lab::GROUP};

fn is_refused(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(Refusal::NotActive(_)))
        || error.refusal_code() == Some("member_inactive")
}

/// Whichever node a revoked device asks, leader or follower, it is refused: pulls and pushes.
#[tokio::test(flavor = "multi_thread")]
async fn every_node_refuses_a_revoked_device() {
    let lab = Plan::of(3).start().await;
    let (mut phone, code) = lab.wallet("phone").await;
    let mut tablet = lab.device(&code, "tablet").await;
    phone.pull().await.unwrap();
    tablet.put(Record::new("opaque", "late", "never sent")).unwrap();

    phone.revoke(tablet.device()).await.unwrap();

    for endpoint in lab.cluster.endpoints() {
        tablet.reconnect(lab.settings_at(std::slice::from_ref(&endpoint))).unwrap();
        let pull = tablet.pull().await.unwrap_err();
        assert!(is_refused(&pull), "pull at {endpoint}: {pull}");
        assert_eq!(pull.class(), Class::Refused);
        let push = tablet.push().await.unwrap_err();
        assert!(is_refused(&push), "push at {endpoint}: {push}");
    }
    phone.pull().await.unwrap();
    assert!(phone.get("late").is_err(), "nothing of a revoked device got in");
}

/// A device that knows this node only, with a session that is open there.
async fn device_of(lab: &Lab, code: &seal::RecoveryCode, name: &str, node: usize) -> Wallet {
    let mut tablet = lab.device(code, name).await;
    let own = lab.cluster.endpoints()[node].clone();
    tablet.reconnect(lab.settings_at(&[own])).unwrap();
    tablet.pull().await.unwrap();
    tablet.put(Record::new("opaque", "late", "never sent")).unwrap();
    tablet
}

/// A follower that stands still misses the revocation. The revoked device asks it first, over a session
/// that was open before, with a request that lies there when it goes on. It shows nothing: not to a read
/// of everything, and not to a weaker one once the second that this may lag is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_that_stood_still_refuses_a_revoked_device() {
    let mut lab = Plan::of(3).start().await;
    let (mut phone, code) = lab.wallet("phone").await;
    for (round, weak) in [false, true, false, true].into_iter().enumerate() {
        let behind = (lab.leader(GROUP).await + 1 + round % 2) % 3;
        let mut tablet = device_of(&lab, &code, &format!("tablet {round}"), behind).await;
        let tablet_id = tablet.device();
        let signal = |lab: &mut Lab, signal| {
            lab.cluster.node(behind).unwrap().process().unwrap().signal(signal).unwrap();
        };
        let mut others = lab.cluster.endpoints();
        others.remove(behind);
        phone.reconnect(lab.settings_at(&others)).unwrap();
        phone.pull().await.unwrap();

        signal(&mut lab, Signal::STOP);
        phone.revoke(tablet_id).await.unwrap();
        for number in 0..10 {
            phone.put(Record::new("opaque", "changing", format!("{round} {number}"))).unwrap();
            phone.push().await.unwrap();
        }
        if weak {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let asked = tokio::spawn(async move {
            let pull = if weak { tablet.pull_at_least().await } else { tablet.pull().await };
            (tablet, pull)
        });
        // Long enough for the request to lie in the node's socket.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!asked.is_finished(), "nobody answers for it");
        signal(&mut lab, Signal::CONT);
        let (mut tablet, pull) = asked.await.unwrap();
        let error = pull.unwrap_err();
        assert!(is_refused(&error), "round {round}, weak {weak}, pull: {error}");
        let error = tablet.push().await.unwrap_err();
        assert!(is_refused(&error), "round {round}, weak {weak}, push: {error}");
    }
    phone.pull().await.unwrap();
    assert!(phone.get("late").is_err(), "nothing of a revoked device got in");
}

/// A watch that is open when its device is revoked ends with the refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_device_is_revoked() {
    let lab = Plan::of(3).start().await;
    let (mut phone, code) = lab.wallet("phone").await;
    let mut tablet = lab.device(&code, "tablet").await;
    let tablet_id = tablet.device();
    let (seen, mut changes) = tokio::sync::mpsc::unbounded_channel();
    let watching = tokio::spawn(async move {
        tablet
            .watch(|report| {
                let _ = seen.send(report.seq);
                std::ops::ControlFlow::Continue(())
            })
            .await
    });
    phone.pull().await.unwrap();
    phone.put(Record::new("opaque", "news", "something")).unwrap();
    let seq = phone.push().await.unwrap().seq;
    while changes.recv().await.unwrap() < seq {}

    phone.revoke(tablet_id).await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), watching);
    let error = ended.await.expect("the watch ends").unwrap().unwrap_err();
    assert!(is_refused(&error), "{error}");
}
