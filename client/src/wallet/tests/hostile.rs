//! What a hostile cluster may try against a device: each attempt is refused, by its name, and leaves the
//! local copy as it was.

use types::{
    Add, Entry, FollowRefused, Head, Link, LinkPayload, LinkRefused, Suite, commit::RecordHeader,
};

use seal::{SoftwareMember, WalletKey, sign_head, sign_link};

use super::*;
use crate::{
    sync::{Violation, draft, keyring::Keyring},
    transport::fake::Shown,
};

/// A phone and a tablet of one wallet, the phone two changes behind.
async fn stage(fake: &Fake) -> (Wallet, Wallet) {
    let (mut phone, code) = create(fake, 1).await;
    phone.put(record("first", "one")).unwrap();
    phone.put(record("second", "one")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = second(fake, &code, 2).await;
    phone.pull().await.unwrap();
    tablet.put(record("first", "two")).unwrap();
    tablet.put(record("second", "two")).unwrap();
    tablet.push().await.unwrap();
    tablet.put(record("third", "one")).unwrap();
    tablet.push().await.unwrap();
    (phone, tablet)
}

/// What the phone says to a pull that was changed so.
async fn refused(tamper: impl FnMut(&mut Shown) + Send + 'static) -> Violation {
    refused_when(|_, _, _| tamper).await
}

/// As [`refused`], for changes that need to know the stage.
async fn refused_when<T: FnMut(&mut Shown) + Send + 'static>(
    attack: impl FnOnce(&Fake, &Wallet, &Wallet) -> T,
) -> Violation {
    let fake = Fake::default();
    let (mut phone, tablet) = stage(&fake).await;
    let before = (phone.summary().unwrap(), phone.list().unwrap());
    fake.tamper(attack(&fake, &phone, &tablet));
    let error = phone.pull().await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert_eq!((phone.summary().unwrap(), phone.list().unwrap()), before, "nothing was taken over");
    match error {
        ClientError::Integrity(violation) => violation,
        other => panic!("refused for another reason: {other}"),
    }
}

fn name_of(violation: &Violation) -> String {
    violation.to_string().split(':').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn rollback_is_refused() {
    let fake = Fake::default();
    let (mut phone, _tablet) = stage(&fake).await;
    let old = fake.wallets();
    phone.put(record("fourth", "one")).unwrap();
    phone.push().await.unwrap();
    fake.replace(old);
    let error = phone.pull().await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Integrity(Violation::Follow(FollowRefused::Rollback {
                found: 5,
                held: 6
            }))
        ),
        "{error}"
    );
}

#[tokio::test]
async fn two_histories_are_never_merged_again() {
    let fake = Fake::default();
    let (mut phone, mut tablet) = stage(&fake).await;
    phone.pull().await.unwrap();
    tablet.pull().await.unwrap();
    let fork = fake.copy();
    tablet.client = fork.client(4);
    tablet.session = None;
    for (wallet, changes) in [(&mut phone, 1), (&mut tablet, 3)] {
        for number in 0..changes {
            wallet.put(record("mine", &format!("{number} {changes}"))).unwrap();
            wallet.push().await.unwrap();
        }
    }
    fake.replace(fork.wallets());
    let error = phone.pull().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Integrity(Violation::Follow(FollowRefused::Fork))),
        "{error}"
    );
}

#[tokio::test]
async fn a_head_hash_left_out_is_a_fork() {
    let violation = refused(|shown| drop(shown.head_hashes.drain(..1))).await;
    assert_eq!(violation, Violation::Follow(FollowRefused::Fork));
}

#[tokio::test]
async fn another_wallet_is_refused() {
    let fake = Fake::default();
    let (mut phone, _) = create(&fake, 1).await;
    let (stranger, _) = create(&fake, 2).await;
    let theirs = fake.kept(&stranger.id());
    fake.tamper(move |shown| shown.head = *theirs.heads.last().unwrap());
    let error = phone.pull().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Integrity(Violation::Follow(FollowRefused::OtherWallet))),
        "{error}"
    );
}

#[tokio::test]
async fn swapped_withheld_and_repeated_bodies_are_refused() {
    let withheld = refused(|shown| drop(shown.envelopes.pop()));
    assert_eq!(name_of(&withheld.await), "altered entries", "a record is left out");

    let swapped = refused(|shown| {
        let entries = entries_of(shown);
        let mut all = entries.clone();
        (all[0].body_hash, all[1].body_hash) = (entries[1].body_hash, entries[0].body_hash);
        shown.entries = Some(all);
    });
    assert_eq!(name_of(&swapped.await), "altered entries", "two records are swapped");

    let twice = refused(|shown| shown.envelopes.push(shown.envelopes[0].clone()));
    assert_eq!(twice.await, Violation::Malformed("a record is given twice"));
}

/// The whole list of entries of what is shown, as far as its bodies go.
fn entries_of(shown: &Shown) -> Vec<Entry> {
    let mut entries: Vec<_> = shown
        .envelopes
        .iter()
        .map(|envelope| RecordHeader::parse(envelope).unwrap().entry())
        .collect();
    entries.sort_by_key(|entry| entry.id);
    entries
}

#[tokio::test]
async fn an_altered_body_is_refused() {
    let fake = Fake::default();
    let (mut phone, _tablet) = stage(&fake).await;
    fake.show_full();
    fake.tamper(|shown| *shown.envelopes[0].last_mut().unwrap() ^= 1);
    let error = phone.pull().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Integrity(Violation::Follow(FollowRefused::Body { .. }))),
        "{error}"
    );

    fake.tamper(|shown| drop(shown.envelopes.remove(0)));
    let error = phone.pull().await.unwrap_err();
    assert!(matches!(error, ClientError::Integrity(Violation::Withheld(_))), "{error}");

    fake.tamper(|_| {});
    phone.pull().await.unwrap();
    assert_eq!(body(&phone, "first"), "two", "the whole list serves as well as the changes");
}

#[tokio::test]
async fn a_forged_head_is_refused() {
    let violation = refused_when(|_, phone, _| {
        let mut rng = StdRng::seed_from_u64(50);
        let stranger = SoftwareMember::generate_device(&mut rng);
        let signer = phone.device();
        move |shown: &mut Shown| {
            // The content is the true one, the time is not, and neither is the signature.
            let head = Head { time_s: 1, signer: stranger.id(), ..*shown.head.head() };
            let forged = sign_head(&mut StdRng::seed_from_u64(51), &stranger, &head).unwrap();
            let head = Head { signer, ..head };
            let signature = types::MemberSignature { member: signer, ..*forged.signature() };
            shown.head = types::SignedHead::new(&head, signature).unwrap();
            *shown.head_hashes.last_mut().unwrap() = shown.head.hash();
        }
    });
    assert_eq!(name_of(&violation.await), "forged head");
}

#[tokio::test]
async fn inserted_and_forged_links_are_refused() {
    // A device that nobody of the wallet added.
    let forged = refused_when(|fake, phone, _| {
        let kept = fake.kept(&phone.id());
        let mut rng = StdRng::seed_from_u64(60);
        let (intruder, key) =
            (SoftwareMember::generate_device(&mut rng), WalletKey::generate(&mut rng, phone.id()));
        let seal = Some(key.seal_to(&mut rng, intruder.member()).unwrap());
        let add =
            Add { member: *intruder.member(), generation: kept.membership.generation(), seal };
        let link = Link {
            suite: Suite::P256,
            wallet: phone.id(),
            n: kept.membership.links(),
            prev: kept.membership.last_link(),
            signer: intruder.id(),
            payload: LinkPayload::Add(add),
        };
        let link = sign_link(&mut rng, &[&intruder], &link).unwrap();
        move |shown: &mut Shown| shown.links.push(link.clone())
    });
    let forged = forged.await;
    assert!(
        matches!(
            forged,
            Violation::Follow(FollowRefused::Link { why: LinkRefused::SignerInactive, .. })
        ),
        "{forged}"
    );
    assert_eq!(name_of(&forged), "forged membership");

    // The same in the name of a member, whose signature it has not.
    let forged = refused_when(|fake, phone, tablet| {
        let kept = fake.kept(&phone.id());
        let mut rng = StdRng::seed_from_u64(61);
        let (intruder, key) =
            (SoftwareMember::generate_device(&mut rng), WalletKey::generate(&mut rng, phone.id()));
        let seal = Some(key.seal_to(&mut rng, intruder.member()).unwrap());
        let add =
            Add { member: *intruder.member(), generation: kept.membership.generation(), seal };
        let link = Link {
            suite: Suite::P256,
            wallet: phone.id(),
            n: kept.membership.links(),
            prev: kept.membership.last_link(),
            signer: tablet.device(),
            payload: LinkPayload::Add(add),
        };
        let by = |member| types::MemberSignature { member, signature: [1; 64] };
        let link =
            types::SignedLink::new(&link, vec![by(tablet.device()), by(intruder.id())]).unwrap();
        // With a head over it, as far as somebody without keys can make one.
        move |shown: &mut Shown| {
            let head = Head {
                links: kept.membership.links() + 1,
                link: link.hash(),
                ..*shown.head.head()
            };
            shown.head = types::SignedHead::new(&head, *shown.head.signature()).unwrap();
            *shown.head_hashes.last_mut().unwrap() = shown.head.hash();
            shown.links.push(link.clone());
        }
    });
    let forged = forged.await;
    assert!(matches!(forged, Violation::LinkSignature { .. }), "{forged}");
}

#[tokio::test]
async fn a_link_left_out_is_refused() {
    let fake = Fake::default();
    let (_phone, code) = create(&fake, 1).await;
    fake.tamper(|shown| drop(shown.links.pop()));
    let refused =
        Wallet::recover_in(Place::Memory, around(&fake, 2), &code, rejoin("new", Keep::None)).await;
    let refused = refused.err().unwrap();
    assert!(
        matches!(refused, ClientError::Integrity(Violation::Follow(FollowRefused::Links))),
        "{refused}"
    );
}

#[tokio::test]
async fn a_stale_wallet_key_is_refused() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    let mut tablet = second(&fake, &code, 2).await;
    phone.pull().await.unwrap();
    // A device that signs, but seals under the key before the last: what a server that helps a revoked
    // device would need.
    let links = tablet.local.links().unwrap();
    let keyring = Keyring::open(&tablet.member, tablet.id(), &links, 1).unwrap();
    tablet.put(record("secret", "sealed for the revoked too")).unwrap();
    let known = tablet.known.clone().unwrap();
    let changes = draft::Changes::batch(&tablet.local.works().unwrap(), &known.entries).unwrap();
    let chain = draft::Chain::of(&known);
    let sealed = changes.seal(keyring.get(1).unwrap(), &mut tablet.random).unwrap();
    let draft =
        draft::commit(Some(&known), chain, sealed, &tablet.member, 0, &mut tablet.random).unwrap();
    fake.force(&draft.commit);
    let error = phone.pull().await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Integrity(Violation::Follow(FollowRefused::BodyGeneration { .. }))
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_record_that_went_back_is_refused() {
    let fake = Fake::default();
    let (mut phone, code) = create(&fake, 1).await;
    phone.put(record("licence", "one")).unwrap();
    phone.push().await.unwrap();
    phone.put(record("licence", "two")).unwrap();
    phone.push().await.unwrap();
    let mut tablet = second(&fake, &code, 2).await;
    phone.pull().await.unwrap();
    // A head that a careless device signed over an old version.
    let mut known = tablet.known.clone().unwrap();
    let id = tablet.list().unwrap()[0].id;
    known.entries = known.entries.with([], &[id]);
    tablet.put(record("licence", "three")).unwrap();
    let works = tablet.local.works().unwrap();
    let changes = draft::Changes::batch(&works, &known.entries).unwrap();
    let key = tablet.wallet_key().unwrap();
    let sealed = changes.seal(&key, &mut tablet.random).unwrap();
    let chain = draft::Chain::of(&known);
    let draft =
        draft::commit(Some(&known), chain, sealed, &tablet.member, 0, &mut tablet.random).unwrap();
    fake.force(&draft.commit);
    let error = phone.pull().await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Integrity(Violation::Follow(FollowRefused::RecordRollback { .. }))
        ),
        "{error}"
    );
}

#[tokio::test]
async fn words_of_the_server_are_made_harmless() {
    assert_eq!(crate::retry::printable("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
    assert_eq!(crate::retry::printable(&"x".repeat(10_000)).len(), 300);
}

#[tokio::test]
async fn the_hash_of_the_present_head_need_not_be_repeated() {
    let fake = Fake::default();
    let (mut phone, _tablet) = stage(&fake).await;
    fake.tamper(|shown| assert!(shown.head_hashes.pop().is_some()));
    phone.pull().await.unwrap();
    phone.local.known().unwrap().expect("the local copy is whole, and is opened again");
}
