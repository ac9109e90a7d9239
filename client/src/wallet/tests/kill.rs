//! A device killed at any point of a push goes on where it was: the same commit, one effect.

use std::sync::Mutex;

use super::*;

/// The profile directory and the cluster at one instant.
struct Moment {
    what: String,
    dir: tempfile::TempDir,
    fake: Fake,
}

/// Copies the profile and the cluster at every call of the cluster, before and after it is carried out.
fn film(fake: &Fake, profile: &Path) -> std::sync::Arc<Mutex<Vec<Moment>>> {
    let moments = std::sync::Arc::new(Mutex::new(Vec::new()));
    let (behind, film, profile) = (fake.clone(), moments.clone(), profile.to_owned());
    fake.hook(move |what| {
        let dir = tempfile::tempdir().unwrap();
        copy_dir(&profile, &dir.path().join("profile"));
        let mut film = film.lock().unwrap();
        let what = format!("{what} call {}", film.len());
        film.push(Moment { what, dir, fake: behind.copy() });
    });
    moments
}

fn reopen(moment: &Moment, seed: u64) -> Result<Wallet, ClientError> {
    let profile = Profile::existing(&moment.dir.path().join("profile")).unwrap();
    Wallet::open_in(profile, around(&moment.fake, seed), None)
}

#[tokio::test]
async fn a_kill_at_any_call_of_a_push_is_harmless() {
    let fake = Fake::default();
    let home = tempfile::tempdir().unwrap();
    let profile = home.path().join("profile");
    let place = Place::Directory(profile.clone());
    let mut wallet =
        Wallet::create_in(place, around(&fake, 1), options("phone"), |_| {}).await.unwrap();
    wallet.put(record("kept", "one")).unwrap();
    wallet.put(record("dropped", "one")).unwrap();
    wallet.push().await.unwrap();

    wallet.put(record("kept", "two")).unwrap();
    wallet.put(record("new", "one")).unwrap();
    wallet.delete("dropped").unwrap();
    let moments = film(&fake, &profile);
    fake.fault([Fault::Lose, Fault::LoseAnswer]);
    wallet.push().await.unwrap();
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    assert_eq!(moments.len(), 5, "two calls lost on the way there or back, one that was answered");

    for (at, moment) in moments.iter().enumerate() {
        let mut revived = reopen(moment, 100 + at as u64).unwrap();
        // Changes made after the restart, before the fate of the commit is known.
        revived.put(record("kept", "three")).unwrap();
        revived.put(record("dropped", "again")).unwrap();
        let pushed = revived.push().await.unwrap();
        assert_eq!(
            pushed.merged,
            MergeReport::default(),
            "{}: own changes are no clash",
            moment.what
        );
        let kept = moment.fake.kept(&revived.id());
        assert_eq!(kept.heads.len(), 4, "{}: the commit has one effect", moment.what);
        for (name, expected) in [("kept", "three"), ("new", "one"), ("dropped", "again")] {
            assert_eq!(body(&revived, name), expected, "{}", moment.what);
        }
        let sent: Vec<_> = moment.fake.pushed().iter().map(|(_, head)| *head).collect();
        assert_eq!(sent[0], kept.heads[2].hash(), "{}: the same bytes go first", moment.what);
        assert!(revived.list().unwrap().iter().all(|info| info.conflicts() == 0 && !info.changed));
    }
}

#[tokio::test]
async fn a_pull_settles_a_commit_whose_answer_was_lost() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = second(&fake, &code, 2).await;
    phone.pull().await.unwrap();

    phone.put(record("licence", "two")).unwrap();
    fake.fault(std::iter::repeat_n(Fault::LoseAnswer, 200));
    let unknown = phone.push().await.unwrap_err();
    assert!(matches!(unknown, ClientError::Unavailable(Unavailable::Unknown { .. })), "{unknown}");
    assert_eq!(unknown.exit_code(), 3);
    fake.forget_faults();
    // Another device builds on it before this one hears of it.
    tablet.pull().await.unwrap();
    tablet.put(record("licence", "three")).unwrap();
    tablet.push().await.unwrap();

    let pulled = phone.pull().await.unwrap();
    assert_eq!(pulled.merged, MergeReport::default(), "the tablet knew the value it replaced");
    assert_eq!(body(&phone, "licence"), "three");
    assert_eq!(phone.summary().unwrap().changes, 0);
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_finished_under_the_codes_that_were_shown() {
    let fake = Fake::default();
    let home = tempfile::tempdir().unwrap();
    let profile = home.path().join("profile");
    let moments = film(&fake, &profile);
    let mut shown = String::new();
    let announce =
        |codes: &Codes| shown = codes.recovery.as_ref().unwrap().reveal().as_str().to_owned();
    let place = Place::Directory(profile.clone());
    let wallet =
        Wallet::create_in(place, around(&fake, 1), options("phone"), announce).await.unwrap();
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    assert_eq!(moments.len(), 2);
    for moment in &moments {
        let unfinished = reopen(moment, 7).err().unwrap();
        assert!(matches!(unfinished, ClientError::Usage(Usage::Unfinished(_))), "{unfinished}");
        let place = Place::Directory(moment.dir.path().join("profile"));
        let again = |_: &Codes| panic!("the codes were announced before");
        let revived = Wallet::create_in(place, around(&moment.fake, 8), options("phone"), again)
            .await
            .unwrap();
        assert_eq!(revived.id(), wallet.id());
        let code = RecoveryCode::parse(&shown).unwrap();
        assert_eq!(second(&moment.fake, &code, 9).await.id(), wallet.id());
    }
}

#[tokio::test]
async fn a_recovery_that_was_cut_off_is_finished() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let profile = home.path().join("profile");
    let moments = film(&fake, &profile);
    let place = Place::Directory(profile.clone());
    let recovered =
        Wallet::recover_in(place, around(&fake, 2), &code, rejoin("new", Keep::None)).await;
    let device = recovered.unwrap().0.device();
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    assert_eq!(moments.len(), 2);
    for moment in &moments {
        assert!(matches!(reopen(moment, 7), Err(ClientError::Usage(Usage::Unfinished(_)))));
        let place = Place::Directory(moment.dir.path().join("profile"));
        let again =
            Wallet::recover_in(place, around(&moment.fake, 8), &code, rejoin("new", Keep::None))
                .await;
        let (revived, report) = again.unwrap();
        assert_eq!((revived.device(), report.changes), (device, 2), "{}", moment.what);
        assert_eq!(moment.fake.kept(&revived.id()).heads.len(), 3, "{}: one commit", moment.what);
        assert_eq!(body(&revived, "licence"), "one");
    }
}
