//! Recovery: from a locator and a code to a session of every wallet they open.

use std::time::Duration;

use api::Rate;
use proto::v1::{ChallengeRequest, OpenReply, OpenRequest};
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::es256::SoftwareKey;
use seal::{MemberKeys, SoftwareMember};
use tonic::Status;
use types::{ChallengeUse, WalletId};

use crate::support::caller::{Held, answer, from_nothing};
use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::{code, detail};

fn key() -> SoftwareKey {
    SoftwareKey::generate(&mut StdRng::seed_from_u64(77))
}

async fn open(
    cluster: &Cluster,
    locator: &[u8],
    keys: &SoftwareMember,
) -> Result<OpenReply, Status> {
    let invitation = cluster.one().recovery().challenge(ChallengeRequest {}).await?.into_inner();
    let (challenge, signature) =
        answer(&invitation, ChallengeUse::Recovery, WalletId::ZERO, keys, &key());
    let locator = locator.to_vec().into();
    let request = OpenRequest { locator, challenge: challenge.into(), signature: signature.into() };
    Ok(cluster.one().recovery().open(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_opens_its_wallet_and_reads_it() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(60);
    cluster.one().create(&owner.begin()).await.unwrap();
    let code_keys = owner.code.member_keys();
    let locator = *code_keys.member().locator().unwrap();
    let opened = open(&cluster, locator.as_bytes(), &code_keys).await.unwrap();
    assert_eq!(opened.sessions.len(), 1);
    let session = opened.sessions.into_iter().next().unwrap();
    assert_eq!(session.wallet.as_ref(), owner.wallet().as_bytes());
    let held = Held { session, key: key() };
    let parts = cluster.one().pull(&cluster, &held, from_nothing(owner.wallet())).await.unwrap();
    assert!(parts.len() > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_hold_the_code_learns_nothing() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(61);
    cluster.one().create(&owner.begin()).await.unwrap();
    let (code_keys, guessed) = (owner.code.member_keys(), Owner::new(62).code.member_keys());
    let locator = *code_keys.member().locator().unwrap();
    let wrong_key = detail(&open(&cluster, locator.as_bytes(), &guessed).await.unwrap_err());
    let nowhere = detail(&open(&cluster, &[9; 16], &code_keys).await.unwrap_err());
    assert_eq!(wrong_key.code, "denied");
    assert_eq!(wrong_key, nowhere);
    assert_eq!(code(open(&cluster, &[9; 15], &code_keys).await), "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_code_opens_nothing_any_more() {
    let cluster = Cluster::single().await;
    let mut owner = Owner::new(63);
    cluster.one().create(&owner.begin()).await.unwrap();
    let (old, fresh) = (owner.code.member_keys(), Owner::new(64).code.member_keys());
    let replaced = owner.change(Change {
        signer: Some(&old),
        add: Some(&fresh),
        revoke: Some(old.id()),
        rotate: false,
        ..Change::default()
    });
    cluster.one().push(&replaced).await.unwrap();
    let (was, is) = (*old.member().locator().unwrap(), *fresh.member().locator().unwrap());
    assert_eq!(code(open(&cluster, was.as_bytes(), &old).await), "denied");
    assert_eq!(open(&cluster, is.as_bytes(), &fresh).await.unwrap().sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_limited_per_locator_and_in_total() {
    let slow = Duration::from_secs(3600);
    let cluster = Cluster::single_with(|policy| {
        policy.limits.recovery = Rate { burst: 4, every: slow };
        policy.limits.recovery_per_locator = Rate { burst: 2, every: slow };
    })
    .await;
    let mut owner = Owner::new(65);
    cluster.one().create(&owner.begin()).await.unwrap();
    let keys = owner.code.member_keys();
    for _ in 0..2 {
        assert_eq!(code(open(&cluster, &[1; 16], &keys).await), "denied");
    }
    let refused = detail(&open(&cluster, &[1; 16], &keys).await.unwrap_err());
    assert_eq!(refused.code, "busy");
    assert!(refused.retry_after_ms > 3_000_000, "{} ms", refused.retry_after_ms);
    assert_eq!(
        code(open(&cluster, &[2; 16], &keys).await),
        "denied",
        "another locator has its own tries"
    );
    assert_eq!(code(open(&cluster, &[3; 16], &keys).await), "busy", "but not beyond the total");
}
