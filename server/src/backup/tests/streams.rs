//! Journal streams under attack.

use store::backup::{GroupReach, Reach, Segment, SignedKind, file_hash};

use super::*;
use crate::backup::journal::{reach_file, segment_file};

const GROUP: GroupId = GroupId(2);

impl World {
    /// A stream of segments that end at these places, with a reach from `created_ms`.
    fn stream(&self, ends: &[u64], created_ms: u64) -> GroupReach {
        let none = GroupReach { group: GROUP, next: 0, last: [0; 32] };
        let tail = self.append(none, ends, created_ms);
        self.reach(tail, created_ms);
        tail
    }

    fn append(&self, mut tail: GroupReach, ends: &[u64], created_ms: u64) -> GroupReach {
        for &next in ends {
            let (from, before) = (tail.next, tail.last);
            let facts = Vec::new();
            let segment =
                Segment { cluster: CLUSTER, group: GROUP, from, next, before, created_ms, facts };
            let signed = self.signer.sign(SignedKind::Segment, &segment.encode()).unwrap();
            tail = GroupReach { group: GROUP, next, last: file_hash(&signed) };
            self.put(&segment_file(CLUSTER, GROUP, from, next), &signed);
        }
        tail
    }

    fn reach(&self, tail: GroupReach, created_ms: u64) {
        let reach = Reach { cluster: CLUSTER, created_ms, groups: vec![tail] };
        let signed = self.signer.sign(SignedKind::Reach, &reach.encode()).unwrap();
        self.put(&reach_file(CLUSTER), &signed);
    }

    fn put(&self, file: &str, bytes: &[u8]) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    async fn read(&self, manifest: &Manifest) -> Result<JournalReach, BackupError> {
        let source = JournalSource::in_archive(self.archive.clone());
        Ok(source.read(&self.trust, manifest, &silent).await?.reach)
    }
}

fn too_short(error: BackupError) -> String {
    match error {
        BackupError::Refused(refusal @ Refusal::JournalTooShort { .. }) => refusal.to_string(),
        other => panic!("not too short: {other:?}"),
    }
}

async fn world() -> (World, Manifest, u64) {
    let mut world = World::new();
    let name = world.take().await;
    let mut manifest = world.believe(Some(&name)).await.unwrap().manifest;
    manifest.groups[2].summary.journal_next = 5;
    let later = manifest.created_ms + 1;
    (world, manifest, later)
}

#[tokio::test]
async fn a_stream_that_does_not_go_beyond_the_backup_is_no_stream() {
    let (world, manifest, later) = world().await;
    assert!(too_short(world.read(&manifest).await.unwrap_err()).contains("holds no stream"));
    world.stream(&[3, 4], later);
    too_short(world.read(&manifest).await.unwrap_err());
    world.stream(&[3, 4, 9], manifest.created_ms - 1);
    assert!(too_short(world.read(&manifest).await.unwrap_err()).contains("before the backup"));
    world.stream(&[3, 4, 9], later);
    assert_eq!(world.read(&manifest).await.unwrap().reaches_ms, later);
}

#[tokio::test]
async fn a_stream_with_a_segment_missing_changed_or_cut_off_is_refused() {
    let (world, manifest, later) = world().await;
    world.stream(&[3, 6, 8, 9], later);
    world.read(&manifest).await.unwrap();
    for (from, next) in [(3, 6), (6, 8), (8, 9)] {
        let file = segment_file(CLUSTER, GROUP, from, next);
        let whole = fs::read(world.path(&file)).unwrap();
        fs::remove_file(world.path(&file)).unwrap();
        damaged(world.read(&manifest).await.expect_err("missing"));
        for at in (0..whole.len()).step_by(29) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(world.path(&file), bytes).unwrap();
            assert_eq!(damaged(world.read(&manifest).await.expect_err("flipped")).0, file);
            fs::write(world.path(&file), &whole[..at]).unwrap();
            assert_eq!(damaged(world.read(&manifest).await.expect_err("cut")).0, file);
        }
        fs::write(world.path(&file), &whole).unwrap();
    }
    // What the backup has already may be gone.
    fs::remove_file(world.path(&segment_file(CLUSTER, GROUP, 0, 3))).unwrap();
    world.read(&manifest).await.unwrap();

    let reach = fs::read(world.path(&reach_file(CLUSTER))).unwrap();
    for at in (0..reach.len()).step_by(29) {
        let mut bytes = reach.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(world.path(&reach_file(CLUSTER)), bytes).unwrap();
        damaged(world.read(&manifest).await.expect_err("flipped"));
    }
}

#[tokio::test]
async fn segments_of_two_streams_do_not_make_one() {
    let (world, manifest, later) = world().await;
    world.stream(&[3, 6, 9], later);
    let file = segment_file(CLUSTER, GROUP, 3, 6);
    let other = fs::read(world.path(&file)).unwrap();
    world.stream(&[3, 6, 9], later + 1);
    fs::write(world.path(&file), other).unwrap();
    let (named, said) = damaged(world.read(&manifest).await.unwrap_err());
    assert!(said.contains("does not follow"), "{named}: {said}");
}

/// A follower that died between a segment and its reach has kept more than it says.
#[tokio::test]
async fn segments_beyond_the_reach_are_taken() {
    let (world, manifest, later) = world().await;
    let told = world.stream(&[3, 6], later);
    world.append(told, &[9], later);
    world.read(&manifest).await.unwrap();
}
