//! P1, P3, P9: the loss of a leader loses nothing, repeats nothing, and needs nobody.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::Record;
use tests::{Plan, crowd::Crowd, lab::GROUP};

/// The leader is killed while 8 clients push. Every acknowledged push is there, each once, and all
/// replicas are equal.
#[tokio::test(flavor = "multi_thread")]
async fn leader_killed_while_eight_clients_push() {
    let mut lab = Plan::of(3).start().await;
    let crowd = Crowd::start(&lab, 8, 500).await;
    crowd.progress(100).await;

    let leader = lab.leader(GROUP).await;
    lab.cluster.kill(leader).unwrap();
    crowd.progress(200).await;
    let pushed = crowd.finish().await;

    for client in &pushed {
        client.verify(&lab).await;
    }
    lab.restart(leader).await;
    lab.equal().await;
}

/// Three leaders are killed one after the other, each back before the next. Every client gets
/// through all of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_client_gets_through_three_leader_changes() {
    let mut lab = Plan::of(3).start().await;
    let crowd = Crowd::start(&lab, 4, 500).await;
    for _ in 0..3 {
        crowd.progress(40).await;
        let leader = lab.leader(GROUP).await;
        lab.cluster.kill(leader).unwrap();
        crowd.progress(40).await;
        lab.restart(leader).await;
    }
    for client in &crowd.finish().await {
        assert!(client.records.len() >= 3, "a client that got through");
        client.verify(&lab).await;
    }
    lab.equal().await;
}

/// Two devices of one wallet push at once, again and again. Both get in, and see each other.
#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_push_at_once_both_get_in() {
    let lab = Plan::of(3).start().await;
    let (mut phone, code) = lab.wallet("phone").await;
    let mut tablet = lab.device(&code, "tablet").await;

    for round in 0..5 {
        phone.put(Record::new("opaque", format!("phone {round}"), "from the phone")).unwrap();
        tablet.put(Record::new("opaque", format!("tablet {round}"), "from the tablet")).unwrap();
        let (one, other) = tokio::join!(phone.push(), tablet.push());
        one.unwrap();
        other.unwrap();
    }
    phone.pull().await.unwrap();
    tablet.pull().await.unwrap();
    for round in 0..5 {
        for wallet in [&phone, &tablet] {
            assert_eq!(
                wallet.get(&format!("phone {round}")).unwrap().body.as_slice(),
                b"from the phone"
            );
            assert_eq!(
                wallet.get(&format!("tablet {round}")).unwrap().body.as_slice(),
                b"from the tablet"
            );
        }
    }
    assert_eq!(phone.summary().unwrap().seq, tablet.summary().unwrap().seq);
}

/// Two devices change one record at once. One value stands, the other is kept whole beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_clash_of_two_devices_keeps_both_values() {
    let lab = Plan::of(1).start().await;
    let (mut phone, code) = lab.wallet("phone").await;
    phone.put(Record::new("opaque", "licence", "first")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = lab.device(&code, "tablet").await;

    phone.pull().await.unwrap();
    phone.put(Record::new("opaque", "licence", "by the phone")).unwrap();
    tablet.put(Record::new("opaque", "licence", "by the tablet")).unwrap();
    phone.push().await.unwrap();
    tablet.push().await.unwrap();
    phone.pull().await.unwrap();

    for wallet in [&phone, &tablet] {
        let record = wallet.get("licence").unwrap();
        assert_eq!(record.body.as_slice(), b"by the phone", "the value at the head stays");
        assert_eq!(record.conflicts.len(), 1, "the other is kept");
    }
}
