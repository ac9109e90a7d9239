//! A group that is carried away comes back in another cluster, whole, and closed until then.

use std::sync::LazyLock;

use http_body_util::BodyExt;
use proto::admin::restore_request::Step;
use proto::admin::{
    ExportRequest, JournalRequest, NoteBackupRequest, RestoreBegin, RestoreFacts, RestoreFinish,
    RestoreReply, RestoreRequest, RestoreRows, StatusRequest,
};
use seal::MemberKeys;
use store::StateDigest;
use store::digest::PairHash;
use store::keys::Key;
use tonic::Status;
use types::{GroupId, RecordId};

use crate::support::caller::{as_operator, from_nothing};
use crate::support::cluster::Cluster;
use crate::support::owner::{Change, Owner};
use crate::support::{code, until};

static BACKUP: LazyLock<Vec<u8>> = LazyLock::new(|| vec![7; 32]);

/// What a backup has of a group.
struct Carried {
    rows: Vec<u8>,
    count: u64,
    digest: StateDigest,
}

async fn export(cluster: &Cluster, group: GroupId) -> Carried {
    let request = as_operator(ExportRequest { group: group.0 });
    let mut frames = cluster.one().admin().export(request).await.unwrap().into_inner();
    let mut carried = Carried { rows: Vec::new(), count: 0, digest: StateDigest::default() };
    while let Some(frame) = frames.message().await.unwrap() {
        let frame = frame.frame;
        // Magic, format, kind; number; length; payload; checksum: see `store::snapshot::format`.
        if frame[5] != 2 {
            continue;
        }
        let mut rest = &frame[18..frame.len() - 4];
        while !rest.is_empty() {
            let (key, after) = rest[1..].split_at(rest[0].into());
            let length = u32::from_be_bytes(after[..4].try_into().unwrap()) as usize;
            let (row, next) = rest.split_at(1 + key.len() + 4 + length);
            let whole = [&[0; 12][..], key].concat();
            if Key::decode(&whole).unwrap().1.is_restored() {
                carried.digest.add(PairHash::of(key, &after[4..4 + length]));
                carried.rows.extend_from_slice(row);
                carried.count += 1;
            }
            rest = next;
        }
    }
    carried
}

async fn step(cluster: &Cluster, group: u32, step: Step) -> Result<RestoreReply, Status> {
    let request =
        RestoreRequest { group, request_id: Vec::new(), backup: BACKUP.clone(), step: Some(step) };
    Ok(cluster.one().admin().restore(as_operator(request)).await?.into_inner())
}

fn begin() -> Step {
    Step::Begin(RestoreBegin {})
}

fn rows(carried: &Carried) -> Step {
    Step::Rows(RestoreRows { first: 0, rows: carried.rows.clone() })
}

fn finish(carried: &Carried) -> Step {
    let digest = carried.digest.to_bytes().to_vec();
    Step::Finish(RestoreFinish { rows: carried.count, digest })
}

async fn journal(cluster: &Cluster, group: GroupId, from: u64) -> (Vec<Vec<u8>>, u64) {
    let request = as_operator(JournalRequest { group: group.0, from });
    let reply = cluster.one().admin().journal(request).await.unwrap().into_inner();
    assert_eq!(reply.cluster.len(), 16);
    assert!(!reply.more);
    (reply.facts, reply.next)
}

/// A cluster with a wallet of one record, and its group.
async fn lived_in(owner: &mut Owner) -> (Cluster, GroupId, RecordId) {
    let cluster = Cluster::single().await;
    cluster.one().create(&owner.begin()).await.unwrap();
    let id = owner.record();
    cluster.one().push(&owner.put(id, b"sealed and carried")).await.unwrap();
    let group = cluster.one().node.group_of(&owner.wallet()).unwrap();
    (cluster, group, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_comes_back_whole_and_is_closed_until_then() {
    let mut owner = Owner::new(71);
    let (source, group, _) = lived_in(&mut owner).await;
    let carried = export(&source, group).await;
    let session = source.one().open(owner.wallet(), &owner.phone, 1).await.unwrap();
    let before = source.one().pull(&source, &session, from_nothing(owner.wallet())).await.unwrap();

    let target = Cluster::single().await;
    assert_eq!(target.one().node.group_of(&owner.wallet()), Some(group));
    assert!(!step(&target, group.0, begin()).await.unwrap().finished);
    assert_eq!(step(&target, group.0, rows(&carried)).await.unwrap().rows, carried.count);

    // Half of a backup is shown to nobody, and nobody writes into it.
    let refused = target.one().open(owner.wallet(), &owner.phone, 2).await;
    assert_eq!(code(refused), "restoring");
    let mut stranger = Owner::new(72);
    let other = loop {
        let commit = stranger.begin();
        if target.one().node.group_of(&stranger.wallet()) == Some(group) {
            break commit;
        }
    };
    assert_eq!(code(target.one().create(&other).await), "restoring");
    let again = as_operator(ExportRequest { group: group.0 });
    assert_eq!(code(target.one().admin().export(again).await), "restoring");

    assert!(step(&target, group.0, finish(&carried)).await.unwrap().finished);
    let session = target.one().open(owner.wallet(), &owner.phone, 3).await.unwrap();
    let after = target.one().pull(&target, &session, from_nothing(owner.wallet())).await.unwrap();
    assert_eq!(after, before);
    let id = owner.record();
    target.one().push(&owner.put(id, b"and it goes on")).await.unwrap();
    target.one().create(&other).await.unwrap();
    assert_eq!(code(step(&source, group.0, begin()).await), "not_empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_revoked_after_the_backup_stays_out() {
    let mut owner = Owner::new(73);
    let (source, group, _) = lived_in(&mut owner).await;
    let tablet = owner.device();
    let added = owner.change(Change { add: Some(&tablet), ..Change::default() });
    source.one().push(&added).await.unwrap();
    let carried = export(&source, group).await;
    let (_, place) = journal(&source, group, 0).await;
    let revoke = Change { revoke: Some(tablet.id()), rotate: true, ..Change::default() };
    let revoke = owner.change(revoke);
    source.one().push(&revoke).await.unwrap();
    let (told, _) = journal(&source, group, place).await;
    assert_eq!(told.len(), 1);

    let target = Cluster::single().await;
    step(&target, group.0, begin()).await.unwrap();
    step(&target, group.0, rows(&carried)).await.unwrap();
    step(&target, group.0, Step::Facts(RestoreFacts { facts: told })).await.unwrap();
    step(&target, group.0, finish(&carried)).await.unwrap();

    let refused = target.one().open(owner.wallet(), &tablet, 1).await;
    assert_eq!(code(refused), "member_inactive");
    let session = target.one().open(owner.wallet(), &owner.phone, 2).await.unwrap();
    target.one().pull(&target, &session, from_nothing(owner.wallet())).await.unwrap();
    // The push that had been acknowledged is sent again, and all is as it was.
    target.one().push(&revoke).await.unwrap();
    let id = owner.record();
    target.one().push(&owner.put(id, b"under the new key")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_are_none_are_refused() {
    let mut owner = Owner::new(74);
    let (source, group, _) = lived_in(&mut owner).await;
    let carried = export(&source, group).await;
    let target = Cluster::single().await;
    let refused = |group, asked| {
        let target = &target;
        async move { code(step(target, group, asked).await) }
    };
    assert_eq!(refused(group.0, rows(&carried)).await, "not_restoring");
    assert_eq!(refused(0, begin()).await, "wrong_group");
    assert_eq!(refused(99, begin()).await, "no_such_group");
    let no_fact = Step::Facts(RestoreFacts { facts: vec![vec![1, 2, 3]] });
    assert_eq!(refused(group.0, no_fact).await, "malformed");
    let digest = Step::Finish(RestoreFinish { rows: 1, digest: vec![1] });
    assert_eq!(refused(group.0, digest).await, "malformed");
    let none = RestoreRequest { group: group.0, backup: BACKUP.clone(), ..Default::default() };
    let none = target.one().admin().restore(as_operator(none)).await;
    assert_eq!(code(none), "malformed");
    step(&target, group.0, begin()).await.unwrap();
    assert_eq!(refused(group.0, finish(&carried)).await, "restore_differs");
    let gap = Step::Rows(RestoreRows { first: 5, rows: carried.rows.clone() });
    assert_eq!(refused(group.0, gap).await, "restore_gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_backups_stand_in_status_and_metrics() {
    let cluster = Cluster::single().await;
    for (verified, time_ms) in [(false, 5_000), (true, 7_500), (true, 6_000)] {
        let note =
            NoteBackupRequest { request_id: vec![], backup: BACKUP.clone(), verified, time_ms };
        cluster.one().admin().note_backup(as_operator(note)).await.unwrap();
    }
    let status = cluster.one().admin().status(as_operator(StatusRequest { local: true })).await;
    let status = status.unwrap().into_inner();
    assert_eq!(status.backup_taken.unwrap().time_ms, 5_000);
    assert_eq!(status.backup_verified.unwrap().time_ms, 7_500, "an older note changes nothing");
    until("the metrics show both", || async {
        let request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let routes = cluster.one().service.metrics_routes();
        let answer = tower::ServiceExt::oneshot(routes, request).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.contains("holdfast_backup_taken_timestamp_seconds 5.0")
            && text.contains("holdfast_backup_verified_timestamp_seconds 7.5")
    })
    .await;
}
