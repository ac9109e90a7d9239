//! Codes: recovery from the code alone, fresh codes, the revoker.

use seal::{RevokerCode, SoftwareMember, sign_link};
use types::{Genesis, Link, LinkHash, LinkPayload, MemberSignature, SignedLink, Suite, WalletId};

use super::*;
use crate::{
    sync::{
        Violation,
        draft::{self, Chain, Sealed},
    },
    transport::fake::Kept,
};

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

/// A wallet that a stranger made up around the public half of a recovery code.
fn made_up(code: &SoftwareMember) -> Kept {
    let mut random: Random = Box::new(StdRng::seed_from_u64(70));
    let stranger = SoftwareMember::generate_device(&mut random);
    let members = vec![*stranger.member(), *code.member()];
    let genesis = Link {
        suite: Suite::P256,
        wallet: WalletId::ZERO,
        n: 0,
        prev: LinkHash::ZERO,
        signer: stranger.id(),
        payload: LinkPayload::Genesis(Genesis { region: 0, nonce: [7; 32], members }),
    };
    // The stranger signs for itself, and in the place of the code.
    let signed = sign_link(&mut random, &[&stranger, code], &genesis).unwrap();
    let mut signatures = signed.signatures().to_vec();
    signatures[1] = MemberSignature { member: code.id(), ..signatures[0] };
    let genesis = SignedLink::new(&genesis, signatures).unwrap();
    let mut chain = Chain::after(genesis).unwrap();
    chain.first_key(&stranger, &mut random).unwrap();
    let draft = draft::commit(None, chain, Sealed::default(), &stranger, 0, &mut random).unwrap();
    Kept::of_first(&draft.commit)
}

#[tokio::test]
async fn a_wallet_made_up_around_a_code_is_refused() {
    let (phone, code) = create(&Fake::default(), 1).await;
    let kept = made_up(&code.member_keys());
    let fake = Fake::default();
    fake.replace([(kept.membership.wallet(), kept)].into());
    let refused =
        Wallet::recover_in(Place::Memory, around(&fake, 2), &code, rejoin("new", Keep::None)).await;
    let refused = refused.err().unwrap();
    assert!(
        matches!(refused, ClientError::Integrity(Violation::LinkSignature { n: 0, .. })),
        "{refused}"
    );
    drop(phone);
}

#[tokio::test]
async fn the_revoker_puts_a_device_out_and_the_next_push_changes_the_key() {
    let fake = Fake::default();
    let mut shown = None;
    let announce = |codes: &Codes| {
        let copy = |text: seal::CodeText| text.as_str().to_owned();
        shown = Some((
            copy(codes.recovery.as_ref().unwrap().reveal()),
            copy(codes.revoker.as_ref().unwrap().reveal()),
        ));
    };
    let with_revoker = CreateOptions { revoker: true, ..options("phone") };
    let created = Wallet::create_in(Place::Memory, around(&fake, 1), with_revoker, announce).await;
    let (mut phone, (code, revoker)) = (created.unwrap(), shown.unwrap());
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = second(&fake, &RecoveryCode::parse(&code).unwrap(), 2).await;

    let revoker = RevokerCode::parse(&revoker).unwrap();
    let mut revoker = Revoker::open_in(around(&fake, 3), &revoker).await.unwrap();
    assert_eq!(revoker.wallet(), phone.id());
    let seen: Vec<_> = revoker.devices().iter().map(|device| device.kind.to_string()).collect();
    assert_eq!(seen, ["device", "recovery code", "revoker", "device"]);
    // The head moves on before the revocation arrives.
    tablet.put(record("licence", "two")).unwrap();
    tablet.push().await.unwrap();
    revoker.revoke(phone.device()).await.unwrap();
    let again = revoker.revoke(phone.device()).await.unwrap_err();
    assert!(matches!(again, ClientError::Refused(Refusal::NotActive(_))), "{again}");
    let code_id = revoker.devices()[1].id;
    let refused = revoker.revoke(code_id).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::Link(_))), "{refused}");

    assert!(phone.pull().await.is_err());
    tablet.pull().await.unwrap();
    assert_eq!(tablet.summary().unwrap().generation, 2);
    tablet.put(record("licence", "three")).unwrap();
    tablet.push().await.unwrap();
    assert_eq!(tablet.summary().unwrap().generation, 3, "rotated with the first change");
    assert_eq!(body(&tablet, "licence"), "three");
}
