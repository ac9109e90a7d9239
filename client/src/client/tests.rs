#![allow(clippy::unwrap_used)]

use crate::{
    Record, Unavailable,
    error::ClientError,
    transport::fake::{Fake, Fault},
    wallet::tests::create,
};

#[tokio::test]
async fn an_unknown_outcome_is_followed_by_the_same_request_only() {
    let fake = Fake::default();
    let (mut wallet, _) = create(&fake, 1).await;
    wallet.put(Record::new("opaque", "licence", *b"one")).unwrap();
    fake.fault([Fault::LoseAnswer, Fault::Lose, Fault::Hang]);
    wallet.push().await.unwrap();
    let pushed = &fake.pushed()[1..];
    let nodes: Vec<_> = pushed.iter().map(|(node, _)| *node).collect();
    assert_eq!(nodes, [0, 1, 2, 0], "every node is tried in turn");
    assert!(
        pushed.iter().all(|(_, head)| *head == pushed[0].1),
        "the same head, so the same request id"
    );
    assert_eq!(fake.kept(&wallet.id()).heads.len(), 2, "one effect");
}

#[tokio::test]
async fn a_hint_is_followed_and_remembered() {
    let fake = Fake::default();
    let (mut wallet, _) = create(&fake, 1).await;
    wallet.put(Record::new("opaque", "licence", *b"one")).unwrap();
    fake.fault([Fault::AskLeader(2)]);
    wallet.push().await.unwrap();
    let nodes: Vec<_> = fake.pushed()[1..].iter().map(|(node, _)| *node).collect();
    assert_eq!(nodes, [0, 2]);
    // The fake names node 1 as leader in every answer.
    wallet.put(Record::new("opaque", "licence", *b"two")).unwrap();
    wallet.push().await.unwrap();
    assert_eq!(fake.pushed().last().unwrap().0, 0);
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_and_says_what_may_have_happened() {
    let fake = Fake::default();
    let (mut wallet, _) = create(&fake, 1).await;
    wallet.put(Record::new("opaque", "licence", *b"one")).unwrap();
    fake.fault(std::iter::repeat_n(Fault::Lose, 500));
    let begun = std::time::Instant::now();
    let error = wallet.push().await.unwrap_err();
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    assert!(matches!(error, ClientError::Unavailable(Unavailable::Unknown { .. })), "{error}");

    fake.forget_faults();
    fake.fault(std::iter::repeat_n(Fault::AskLeader(1), 500));
    let error = wallet.push().await.unwrap_err();
    assert!(matches!(error, ClientError::Unavailable(Unavailable::NotDone { .. })), "{error}");
    fake.forget_faults();
    assert_eq!(wallet.push().await.unwrap().written, 1);
}

#[tokio::test]
async fn calls_may_be_spawned() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let fake = Fake::default();
    let (mut wallet, code) = create(&fake, 1).await;
    is_send(wallet.push()).await.unwrap();
    is_send(wallet.pull()).await.unwrap();
    is_send(wallet.session()).await.unwrap();
    is_send(wallet.replace_recovery_code(&code, |_| {})).await.unwrap();
}
