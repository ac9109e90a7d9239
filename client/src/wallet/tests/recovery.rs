//! Recovery from the code alone, and fresh codes.

use super::*;
use crate::sync::Violation;

#[tokio::test]
async fn a_wallet_comes_back_from_its_code_alone_and_the_lost_device_is_out() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    for number in 0..5 {
        phone.put(record(&format!("record {number}"), &format!("body {number}"))).unwrap();
        phone.push().await.unwrap();
    }
    let found = fake.kept(&phone.id()).heads.last().unwrap().head().time_s;
    let recovered =
        Wallet::recover_in(Place::Memory, around(&fake, 2), &code, rejoin("new", Keep::None)).await;
    let (mut tablet, report) = recovered.unwrap();
    assert_eq!(report.wallet, phone.id());
    assert_eq!(
        (report.changes, report.head_time_s, report.freshness),
        (6, found, Freshness::Unproven)
    );
    assert_eq!(report.revoked, [phone.device()]);
    assert_eq!(report.devices[0].name.as_deref(), Some("phone"));
    for number in 0..5 {
        assert_eq!(body(&tablet, &format!("record {number}")), format!("body {number}"));
    }
    assert_eq!(fake.kept(&phone.id()).heads.len(), 7, "one commit");
    assert!(matches!(phone.push().await.map(|pushed| pushed.commits), Ok(0)));
    phone.put(record("late", "too late")).unwrap();
    assert!(phone.pull().await.is_err());
    tablet.put(record("more", "after recovery")).unwrap();
    tablet.push().await.unwrap();
}

#[tokio::test]
async fn a_fresh_code_replaces_the_old_one() {
    let fake = Fake::default();
    let (mut phone, old) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let mut fresh = None;
    let keep =
        |code: &RecoveryCode| fresh = Some(RecoveryCode::parse(code.reveal().as_str()).unwrap());
    phone.replace_recovery_code(&old, keep).await.unwrap();
    let fresh = fresh.unwrap();

    let refused =
        Wallet::recover_in(Place::Memory, around(&fake, 2), &old, rejoin("new", Keep::None)).await;
    assert!(matches!(refused.err().unwrap(), ClientError::Refused(Refusal::NoWalletForCode)));
    let tablet = second(&fake, &fresh, 3).await;
    assert_eq!(body(&tablet, "licence"), "one");
    let again =
        phone.replace_recovery_code(&old, |_| panic!("nothing to announce")).await.unwrap_err();
    assert!(matches!(again, ClientError::Refused(Refusal::NotActive(_))));
}

#[tokio::test]
async fn a_recovery_that_clashes_with_a_push_signs_again() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    // Between the pull and the commit of the recovery another device pushes.
    let between = std::sync::Arc::new(std::sync::Mutex::new(Some(fake.copy())));
    let (behind, id) = (fake.clone(), phone.id());
    phone.put(record("licence", "two")).unwrap();
    let mut moved = {
        let copy = between.lock().unwrap().take().unwrap();
        // The phone's next commit, made against a copy of the cluster.
        phone.client = copy.client(9);
        phone.push().await.unwrap();
        Some(copy.wallets().remove(&id).unwrap())
    };
    let moved = std::sync::Mutex::new(moved.take());
    fake.hook(move |when| {
        if when == "before"
            && let Some(kept) = moved.lock().unwrap().take()
        {
            let mut wallets = behind.wallets();
            wallets.insert(id, kept);
            behind.replace(wallets);
        }
    });
    let tablet = second(&fake, &code, 2).await;
    assert_eq!(body(&tablet, "licence"), "two");
    let heads: Vec<_> = fake.pushed().iter().map(|(_, head)| *head).collect();
    assert_ne!(heads[heads.len() - 1], heads[heads.len() - 2], "made anew after the clash");
}

#[tokio::test]
async fn a_wallet_that_the_code_never_signed_is_refused() {
    let fake = Fake::default();
    let (phone, code) = create(&fake, 1).await;
    let (stranger, _) = create(&fake, 5).await;
    // The cluster claims that the code opens the stranger's wallet.
    let mut wallets = fake.wallets();
    let theirs = wallets.remove(&stranger.id()).unwrap();
    fake.tamper(move |shown| {
        shown.head = *theirs.heads.last().unwrap();
        shown.links = theirs.links.clone();
        shown.head_hashes = theirs.heads.iter().map(|head| head.hash()).collect();
        shown.envelopes = theirs.bodies.values().map(|(_, body)| body.clone()).collect();
    });
    let refused =
        Wallet::recover_in(Place::Memory, around(&fake, 2), &code, rejoin("new", Keep::None)).await;
    let refused = refused.err().unwrap();
    assert!(matches!(refused, ClientError::Integrity(Violation::Follow(_))), "{refused}");
    assert_eq!(refused.exit_code(), 4);
    drop(phone);
}
