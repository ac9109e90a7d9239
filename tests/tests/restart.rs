//! P1, P2: what was acknowledged survives the death of every process, and nothing stale is shown.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use client::{Keep, Record};
use server::cluster::Signal;
use std::time::{Duration, Instant};
use tests::{
    Plan,
    lab::{GROUP, PATIENCE},
};

/// All nodes are killed at one moment, right after an acknowledgement, again and again. The first
/// read afterwards shows what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_killed_after_an_acknowledgement_show_nothing_stale() {
    let mut lab = Plan::of(3).start().await;
    let (mut phone, code) = lab.wallet("phone").await;
    for round in 0..3 {
        let body = format!("value {round}");
        phone.put(Record::new("opaque", "changing", body.clone())).unwrap();
        phone.push().await.unwrap();
        lab.cluster.kill_all().unwrap();
        for node in 0..3 {
            lab.cluster.start_node(node).unwrap();
        }
        // Reads at once: whichever node answers first.
        let reader = tests::lab::until("a node serves", PATIENCE, async || {
            let options = client::RecoverOptions {
                device_name: format!("reader {round}"),
                protection: client::Protection::FileMode,
                keep: Keep::All,
                wallet: None,
            };
            match client::Wallet::recover(client::Place::Memory, lab.settings(), &code, options)
                .await
            {
                Ok((wallet, _)) => Some(wallet),
                Err(error) => {
                    assert_eq!(error.class(), client::Class::Unavailable, "{error}");
                    None
                }
            }
        })
        .await;
        assert_eq!(reader.get("changing").unwrap().body.as_slice(), body.as_bytes());
        phone.pull().await.unwrap();
    }
    lab.equal().await;
}

/// SIGTERM to a leader hands its groups over, ends it with 0, and the others go on at once.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_hands_over_and_ends_with_zero() {
    let mut lab = Plan::of(3).start().await;
    let (mut phone, _) = lab.wallet("phone").await;
    let leader = lab.leader(GROUP).await;

    let status = lab.cluster.stop_node(leader, Duration::from_secs(20)).await.unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", lab.log(leader));

    let begun = Instant::now();
    phone.put(Record::new("opaque", "after", "the drain")).unwrap();
    phone.push().await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "no election was waited for: {:?}",
        begun.elapsed()
    );
    lab.restart(leader).await;
    lab.equal().await;
}

/// A leader whose followers have stopped answering cannot hand over, and drains for as long as it may.
/// A second SIGTERM ends it at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_ends_a_drain() {
    let mut lab = Plan::of(3).setting("drain.timeout_ms", 600_000).start().await;
    let leader = lab.leader(GROUP).await;
    for node in (0..3).filter(|node| *node != leader) {
        lab.cluster.node(node).unwrap().process().unwrap().signal(Signal::STOP).unwrap();
    }
    let terminate = |lab: &mut tests::Lab| {
        lab.cluster.node(leader).unwrap().process().unwrap().signal(Signal::TERM).unwrap();
    };
    terminate(&mut lab);
    let said = "a second signal ends this process at once";
    tests::lab::until("it drains", PATIENCE, async || lab.log(leader).contains(said).then_some(()))
        .await;
    terminate(&mut lab);
    let begun = Instant::now();
    let ended = tests::lab::until("it ends", PATIENCE, async || {
        lab.cluster.node(leader).unwrap().process().unwrap().exited().unwrap()
    })
    .await;
    assert_eq!(ended.code(), Some(128 + 15), "{}", lab.log(leader));
    assert!(begun.elapsed() < Duration::from_secs(5), "at once: {:?}", begun.elapsed());
}
