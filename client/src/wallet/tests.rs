#![allow(clippy::unwrap_used)]

use std::{ops::ControlFlow, path::Path};

use rand::{SeedableRng, rngs::StdRng};
use seal::RecoveryCode;

use super::*;
use crate::{
    error::Unavailable,
    profile::Settings,
    record::Record,
    sync::MergeReport,
    transport::fake::{Fake, Fault},
};

mod formats;
mod hostile;
mod kill;
mod recovery;

/// What a wallet needs from outside, over a fake cluster and with randomness from `seed`.
pub(super) fn around(fake: &Fake, seed: u64) -> Around {
    let settings =
        Settings { endpoints: vec!["https://node1:7000".to_owned()], ca_pem: String::new() };
    Around { settings, client: fake.client(seed), random: Box::new(StdRng::seed_from_u64(seed)) }
}

pub(super) fn options(name: &str) -> CreateOptions {
    CreateOptions::new(name, Protection::FileMode)
}

pub(super) fn rejoin(name: &str, keep: Keep) -> RecoverOptions {
    let (device_name, protection) = (name.to_owned(), Protection::FileMode);
    RecoverOptions { device_name, protection, keep, wallet: None }
}

/// A new wallet in memory, and its recovery code.
pub(crate) async fn create(fake: &Fake, seed: u64) -> (Wallet, RecoveryCode) {
    let mut shown = None;
    let announce = |codes: &Codes| {
        let text = codes.recovery.as_ref().unwrap().reveal();
        shown = Some(RecoveryCode::parse(text.as_str()).unwrap());
    };
    let wallet = Wallet::create_in(Place::Memory, around(fake, seed), options("phone"), announce)
        .await
        .unwrap();
    (wallet, shown.unwrap())
}

/// One more device of the wallet that `code` opens.
pub(super) async fn second(fake: &Fake, code: &RecoveryCode, seed: u64) -> Wallet {
    let joined =
        Wallet::recover_in(Place::Memory, around(fake, seed), code, rejoin("tablet", Keep::All))
            .await;
    joined.unwrap().0
}

pub(super) fn record(name: &str, body: &str) -> Record {
    Record::new("opaque", name, body.as_bytes().to_vec())
}

pub(super) fn body(wallet: &Wallet, name: &str) -> String {
    String::from_utf8(wallet.get(name).unwrap().body.to_vec()).unwrap()
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn what_one_device_pushes_another_pulls() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.put(record("photo", &"x".repeat(40_000))).unwrap();
    let pushed = phone.push().await.unwrap();
    assert_eq!((pushed.commits, pushed.written, pushed.seq), (1, 2, 2));

    let mut tablet = second(&fake, &code, 2).await;
    assert_eq!(body(&tablet, "licence"), "one");
    tablet.put(record("licence", "two")).unwrap();
    tablet.delete("photo").unwrap();
    tablet.push().await.unwrap();

    let pulled = phone.pull().await.unwrap();
    assert_eq!((pulled.changed, pulled.removed), (vec!["licence".to_owned()], 1));
    assert_eq!(body(&phone, "licence"), "two");
    assert!(phone.get("photo").is_err());
    assert!(phone.pull().await.unwrap().unchanged);
    assert_eq!(phone.push().await.unwrap().commits, 0, "there is nothing to push");
}

/// A push onto the head that is known, and no other: nothing is merged, and what was refused has not
/// happened and will not.
#[tokio::test]
async fn a_push_that_is_not_merged_is_refused_once_the_head_has_moved_on() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    let mut tablet = second(&fake, &code, 2).await;
    phone.pull().await.unwrap();
    phone.put(record("licence", "phone")).unwrap();
    tablet.put(record("licence", "tablet")).unwrap();
    let seq = phone.push_unmerged().await.unwrap().seq;
    assert_eq!(phone.summary().unwrap().seq, seq);
    let refused = tablet.push_unmerged().await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("conflict"), "{refused}");
    assert_eq!(tablet.summary().unwrap().changes, 1, "the change is still here");

    tablet.discard().unwrap();
    assert_eq!(tablet.summary().unwrap().changes, 0);
    tablet.pull().await.unwrap();
    assert_eq!(body(&tablet, "licence"), "phone");
    assert_eq!(tablet.summary().unwrap().head, phone.summary().unwrap().head);
    tablet.put(record("licence", "tablet again")).unwrap();
    assert_eq!(tablet.push_unmerged().await.unwrap().seq, seq + 1);
}

/// Giving changes up does not undo a push whose answer was lost.
#[tokio::test]
async fn a_push_in_doubt_that_is_given_up_may_have_happened() {
    let fake = Fake::default();
    let (mut phone, _) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    fake.fault((0..64).map(|_| Fault::LoseAnswer));
    let lost = phone.push_unmerged().await.unwrap_err();
    assert!(matches!(lost, ClientError::Unavailable(Unavailable::Unknown { .. })), "{lost}");
    phone.discard().unwrap();
    assert!(phone.get("licence").is_err(), "given up");
    fake.forget_faults();
    phone.pull().await.unwrap();
    assert_eq!(body(&phone, "licence"), "one", "it had happened");
}

#[tokio::test]
async fn two_devices_that_push_at_once_both_get_in_and_a_clash_keeps_both_values() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = second(&fake, &code, 2).await;

    phone.put(record("licence", "of the phone")).unwrap();
    phone.put(record("ticket", "phone's")).unwrap();
    tablet.put(record("licence", "of the tablet")).unwrap();
    tablet.put(record("ticket", "tablet's")).unwrap();
    tablet.put(record("badge", "only here")).unwrap();
    let (first, then) = tokio::join!(phone.push(), tablet.push());
    let (first, then) = (first.unwrap(), then.unwrap());
    let set_aside: Vec<_> = first.merged.set_aside.iter().chain(&then.merged.set_aside).collect();
    assert_eq!(set_aside, ["licence", "ticket"]);

    phone.pull().await.unwrap();
    tablet.pull().await.unwrap();
    for wallet in [&phone, &tablet] {
        for name in ["licence", "ticket"] {
            let merged = wallet.get(name).unwrap();
            let other = merged.conflicts[0].record().unwrap();
            assert_eq!(merged.conflicts.len(), 1);
            assert_ne!(merged.body, other.body, "both values are kept");
        }
        assert_eq!(body(wallet, "badge"), "only here");
        let listed = wallet.list().unwrap();
        assert_eq!(listed.iter().map(RecordInfo::conflicts).collect::<Vec<_>>(), [0, 1, 1]);
    }
    phone.settle("licence", Some(1)).unwrap();
    phone.push().await.unwrap();
    tablet.pull().await.unwrap();
    assert_eq!(tablet.get("licence").unwrap(), phone.get("licence").unwrap());
    assert!(tablet.get("licence").unwrap().conflicts.is_empty());
}

#[tokio::test]
async fn an_edit_outlives_a_deletion_that_did_not_know_it() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = second(&fake, &code, 2).await;
    phone.pull().await.unwrap();
    let old = phone.list().unwrap()[0].id;

    phone.delete("licence").unwrap();
    phone.push().await.unwrap();
    tablet.put(record("licence", "two")).unwrap();
    let report = tablet.push().await.unwrap();
    assert!(report.merged.survived.contains("licence"));
    phone.pull().await.unwrap();
    assert_eq!(body(&phone, "licence"), "two");
    assert_eq!(phone.list().unwrap()[0].id, old.again(1), "the id that every device derives");
}

#[tokio::test]
async fn a_record_deleted_and_written_again_before_the_push_keeps_its_place() {
    let fake = Fake::default();
    let (mut phone, _) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let before = phone.list().unwrap()[0].id;
    phone.delete("licence").unwrap();
    assert!(phone.get("licence").is_err());
    phone.put(record("licence", "two")).unwrap();
    phone.push().await.unwrap();
    assert_eq!(phone.list().unwrap()[0].id, before);
    phone.put(record("never", "pushed")).unwrap();
    phone.delete("never").unwrap();
    assert_eq!(phone.push().await.unwrap().commits, 0);
}

#[tokio::test]
async fn what_does_not_fit_one_push_goes_into_several() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    for number in 0..40 {
        phone.put(record(&format!("large {number:02}"), &"x".repeat(200_000))).unwrap();
    }
    let pushed = phone.push().await.unwrap();
    assert!(pushed.commits >= 3, "40 records of 256 KiB in {} commits of 4 MiB", pushed.commits);
    assert_eq!(pushed.written, 40);
    assert_eq!(second(&fake, &code, 2).await.list().unwrap().len(), 40);
}

#[tokio::test]
async fn a_revoked_device_gets_nothing_more() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    let mut tablet = second(&fake, &code, 2).await;
    tablet.revoke(phone.device()).await.unwrap();
    tablet.put(record("secret", "of the tablet")).unwrap();
    tablet.push().await.unwrap();
    assert_eq!(
        tablet.summary().unwrap().generation,
        3,
        "a new wallet key for each revocation and recovery"
    );

    let refused = phone.pull().await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Refused(Refusal::NotActive(id)) if id == phone.device())
    );
    assert_eq!(refused.exit_code(), 1);
    let devices = tablet.devices().unwrap();
    let seen: Vec<_> =
        devices.iter().map(|device| (device.name.as_deref(), device.active, device.this)).collect();
    assert_eq!(
        seen,
        [(Some("phone"), false, false), (None, true, false), (Some("tablet"), true, true)]
    );
    let itself = tablet.revoke(tablet.device()).await.unwrap_err();
    assert!(matches!(itself, ClientError::Usage(Usage::RevokesItself)));
    let code_id = devices[1].id;
    let refused = tablet.revoke(code_id).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(Refusal::Link(_))), "{refused}");
}

#[tokio::test]
async fn a_watch_brings_every_change_and_survives_broken_streams() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    let mut tablet = second(&fake, &code, 2).await;
    let mut seen = Vec::new();
    // Every stream of the fake ends after one pull: each further change comes by another stream.
    let watching = tablet.watch(|report| {
        seen.extend(report.changed.clone());
        assert!(!report.live, "each stream was asked for what it brought");
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let pushing = async {
        for name in ["first", "second", "third"] {
            phone.put(record(name, "one")).unwrap();
            phone.push().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (watched, ()) = tokio::join!(watching, pushing);
    watched.unwrap();
    assert_eq!(seen, ["first", "second", "third"]);
}

#[tokio::test]
async fn a_watch_of_a_revoked_device_ends_with_the_reason() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    let mut tablet = second(&fake, &code, 2).await;
    phone.pull().await.unwrap();
    tablet.revoke(phone.device()).await.unwrap();
    let ended = phone.watch(|_| ControlFlow::Continue(())).await.unwrap_err();
    assert!(matches!(ended, ClientError::Refused(Refusal::NotActive(_))), "{ended}");
}

#[tokio::test]
async fn a_refusal_ends_a_push_and_leaves_the_change_to_be_pushed_later() {
    let fake = Fake::default();
    let (mut phone, _) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    fake.fault([Fault::Refuse("quota_full")]);
    let refused = phone.push().await.unwrap_err();
    assert_eq!((refused.refusal_code(), refused.exit_code()), (Some("quota_full"), 1));
    assert_eq!(phone.summary().unwrap().changes, 1);
    assert_eq!(phone.push().await.unwrap().written, 1);
}

#[tokio::test]
async fn reserved_and_impossible_names_are_refused() {
    let (mut phone, _) = create(&Fake::default(), 1).await;
    for (name, body) in
        [("holdfast/device/x", 1), ("", 1), ("a\nb", 1), (&*"n".repeat(1025), 1), ("big", 262_100)]
    {
        let refused = phone.put(record(name, &"x".repeat(body))).unwrap_err();
        assert_eq!(refused.exit_code(), 2, "{name}");
    }
    assert!(phone.list().unwrap().is_empty(), "the device's own record is not the owner's");
}

#[tokio::test]
async fn a_sealed_profile_opens_by_its_passphrase_only() {
    let fake = Fake::default();
    let dir = tempfile::tempdir().unwrap();
    let profile = dir.path().join("profile");
    let place = || Place::Directory(profile.clone());
    let passphrase = || Secret::new(b"correct horse".to_vec());
    let sealed = CreateOptions::new("phone", Protection::Passphrase(passphrase()));
    let mut wallet = Wallet::create_in(place(), around(&fake, 1), sealed, |_| {}).await.unwrap();
    wallet.put(record("a name that must not leak", "a body that must not leak")).unwrap();
    wallet.push().await.unwrap();
    let again =
        Wallet::create_in(place(), around(&fake, 1), options("phone"), |_| {}).await.err().unwrap();
    assert!(matches!(again, ClientError::Profile(ProfileError::Busy(_))), "{again}");
    drop(wallet);

    let open = |passphrase: Option<&Secret>| {
        Wallet::open_in(Profile::existing(&profile).unwrap(), around(&fake, 2), passphrase)
    };
    let wrong = Secret::new(b"correct house".to_vec());
    assert!(matches!(open(Some(&wrong)), Err(ClientError::Refused(Refusal::WrongPassphrase))));
    assert!(matches!(open(None), Err(ClientError::Profile(ProfileError::PassphraseNeeded))));
    let wallet = open(Some(&passphrase())).unwrap();
    assert_eq!(body(&wallet, "a name that must not leak"), "a body that must not leak");
    drop(wallet);
    let taken = Wallet::create_in(
        place(),
        around(&fake, 3),
        CreateOptions::new("phone", Protection::Passphrase(passphrase())),
        |_| {},
    );
    assert!(matches!(taken.await.err().unwrap(), ClientError::Profile(ProfileError::Taken(_))));

    for entry in std::fs::read_dir(&profile).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(14)
                .any(|window| window == b"must not leak\"" || window == b" must not leak")
        );
    }
}
