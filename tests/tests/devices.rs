//! P2, P5: a revoked device is refused by every node, from the acknowledgement on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::{Class, ClientError, Record, Refusal};
use tests::Plan;

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
