//! Backups of a group: its export, cut into chunks and read back, is the group.

use store::backup::{
    BackupRefused, GroupBackup, GroupCheck, GroupExport, GroupReach, Manifest, Reach, Segment,
    SignedFile, SignedKind, chunk,
};
use store::keys::Key;
use store::{Command, Policy, Reply, StateDigest};
use types::ids::{ClusterId, GroupId};

use crate::support::act;
use crate::support::replica::{GROUP, Replica};
use crate::support::wallet::{Draft, Edit, device, record};

/// A replica with one wallet of `records` records, some of them large.
fn filled(records: usize) -> Replica {
    let mut replica = Replica::in_memory(GROUP);
    replica.apply(&act::bootstrap(Policy::default()));
    let phone = device("phone");
    let mut draft = Draft::in_group(vec![phone]);
    for n in 0..records {
        let body = vec![n as u8; 1 + (n * 37_003) % 200_000];
        let (push, next) = draft.push(&phone, &[Edit::Write(record(&n.to_string()), body)], 1_000);
        let reply = replica.apply(&Command::Push(Box::new(push)));
        assert!(matches!(reply, Reply::Pushed { .. }), "{reply:?}");
        draft = next;
    }
    replica
}

fn frames(replica: &mut Replica) -> Vec<Vec<u8>> {
    let mut source = replica.machine().snapshot().unwrap();
    std::iter::from_fn(|| source.next_frame().unwrap()).collect()
}

/// A group as it goes into an archive.
fn exported(
    group: GroupId,
    frames: &[Vec<u8>],
) -> Result<(Vec<Vec<u8>>, GroupBackup), BackupRefused> {
    let mut export = GroupExport::of(group);
    let mut chunks = Vec::new();
    for frame in frames {
        chunks.extend(export.frame(frame)?.into_iter().map(|chunk| chunk.bytes));
    }
    let (last, backup, cluster) = export.finish()?;
    chunks.extend(last.map(|chunk| chunk.bytes));
    assert!(cluster.is_some());
    Ok((chunks, backup))
}

fn read_back(backup: &GroupBackup, chunks: &[Vec<u8>]) -> Result<u64, BackupRefused> {
    let mut check = GroupCheck::of(backup);
    let mut restored = 0;
    for chunk in chunks {
        let rows = check.chunk(chunk)?;
        restored += rows.iter().filter(|(key, _)| key.is_restored()).count() as u64;
    }
    check.finish()?;
    Ok(restored)
}

#[test]
fn an_exported_group_is_read_back_whole() {
    let mut replica = filled(40);
    let (chunks, backup) = exported(GROUP, &frames(&mut replica)).unwrap();
    assert!(chunks.len() > 3, "{}", chunks.len());
    assert_eq!(backup.meta.digest, replica.digest());
    let summary = &backup.summary;
    assert_eq!((summary.wallets, summary.leaves), (1, 41));
    assert_ne!(summary.heads, StateDigest::default());
    let reader = replica.reader();
    assert_eq!(Some(summary.audit_root), reader.audit_root(41).unwrap());
    assert_eq!(read_back(&backup, &chunks).unwrap(), summary.restored_rows);
    assert!(summary.restored_rows < summary.rows);
}

#[test]
fn an_export_that_is_cut_or_out_of_order_is_refused() {
    let frames = frames(&mut filled(5));
    assert!(exported(GROUP, &frames).is_ok());
    for cut in 0..frames.len() {
        assert!(exported(GROUP, &frames[..cut]).is_err(), "{cut} frames");
        let mut without = frames.clone();
        without.remove(cut);
        assert!(exported(GROUP, &without).is_err(), "without frame {cut}");
    }
    assert!(exported(GroupId(3), &frames).is_err(), "another group's");
}

#[test]
fn a_group_with_a_chunk_changed_missing_twice_or_of_another_group_is_refused() {
    let (chunks, backup) = exported(GROUP, &frames(&mut filled(40))).unwrap();
    for place in 0..chunks.len() {
        for at in [0, 4, 5, chunks[place].len() / 2, chunks[place].len() - 1] {
            let mut changed = chunks.clone();
            changed[place][at] ^= 1;
            assert!(matches!(read_back(&backup, &changed), Err(BackupRefused::Hash)));
        }
        let mut less = chunks.clone();
        less.remove(place);
        assert!(read_back(&backup, &less).is_err());
        let mut twice = chunks.clone();
        twice.insert(place, chunks[place].clone());
        assert!(read_back(&backup, &twice).is_err());
    }
    let (other, _) = exported(GROUP, &frames(&mut filled(41))).unwrap();
    assert!(read_back(&backup, &other).is_err());
    assert!(read_back(&backup, &chunks).is_ok());
}

/// A manifest that names the right chunks in the wrong order, or says something else of them, is caught
/// by the rows themselves.
#[test]
fn a_manifest_that_lies_about_its_rows_is_caught() {
    let (chunks, backup) = exported(GROUP, &frames(&mut filled(40))).unwrap();
    let mut swapped = backup.clone();
    swapped.chunks.swap(0, 1);
    let mut order = chunks.clone();
    order.swap(0, 1);
    assert!(matches!(read_back(&swapped, &order), Err(BackupRefused::Order)));
    let lies: [fn(&mut GroupBackup); 6] = [
        |backup| backup.summary.wallets += 1,
        |backup| backup.summary.heads = StateDigest::default(),
        |backup| backup.summary.audit_root = types::tree::empty_hash(),
        |backup| backup.summary.restored = StateDigest::default(),
        |backup| backup.summary.journal_next += 1,
        |backup| backup.meta.digest = StateDigest::default(),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let mut lying = backup.clone();
        lie(&mut lying);
        let refused = read_back(&lying, &chunks);
        assert!(matches!(refused, Err(BackupRefused::Differs)), "lie {number}: {refused:?}");
    }
}

/// Everything that a backup writes, for the frozen file.
pub(crate) fn files(groups: [&mut Replica; 2]) -> Vec<(String, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut backups = Vec::new();
    let mut public = Replica::in_memory(GroupId(1));
    public.apply(&act::bootstrap(Policy::default()));
    let [system, wallets] = groups;
    for (group, replica) in [(0, system), (1, &mut public), (2, wallets)] {
        let (chunks, backup) = exported(GroupId(group), &frames(replica)).unwrap();
        let name = format!("chunk_of_group_{group}");
        lines.extend(chunks.into_iter().map(|chunk| (name.clone(), chunk)));
        backups.push(backup);
    }
    let cluster = ClusterId::from_bytes([7; 16]);
    let manifest = Manifest {
        cluster,
        created_ms: 1_700_000_000_000,
        before: [8; 32],
        release: "0.1.0".into(),
        wallet_groups: 1,
        groups: backups,
    };
    let segment = Segment {
        cluster,
        group: GROUP,
        from: 3,
        next: 5,
        before: [9; 32],
        created_ms: 1_700_000_000_001,
        facts: vec![b"one fact".to_vec(), b"another".to_vec()],
    };
    let signed = |kind, content: &[u8]| {
        let covered = SignedFile::to_cover(kind, content, &[b"certificate", b"authority  "]);
        [covered.unwrap(), vec![6; 64]].concat()
    };
    let at = GroupReach { group: GROUP, next: 5, last: [4; 32] };
    let reach = Reach { cluster, created_ms: 1_700_000_000_002, groups: vec![at] }.encode();
    let (manifest, segment) = (manifest.encode(), segment.encode());
    lines.push(("signed_manifest".into(), signed(SignedKind::Manifest, &manifest)));
    lines.push(("signed_segment".into(), signed(SignedKind::Segment, &segment)));
    lines.push(("signed_reach".into(), signed(SignedKind::Reach, &reach)));
    lines
}

/// What was frozen is read as what it says.
pub(crate) fn read_frozen(lines: &[(String, Vec<u8>)]) {
    let line = |name: &str| &lines.iter().find(|(of, _)| of == name).unwrap().1;
    let file = SignedFile::parse(SignedKind::Manifest, line("signed_manifest")).unwrap();
    let manifest = Manifest::parse(file.content).unwrap();
    assert_eq!(manifest.groups.len(), 3);
    for (group, backup) in manifest.groups.iter().enumerate() {
        let name = format!("chunk_of_group_{group}");
        let chunks: Vec<_> =
            lines.iter().filter(|(of, _)| *of == name).map(|(_, bytes)| bytes.clone()).collect();
        assert!(chunks.iter().all(|chunk| chunk::read(chunk).is_ok()));
        read_back(backup, &chunks).unwrap();
    }
    let file = SignedFile::parse(SignedKind::Segment, line("signed_segment")).unwrap();
    let segment = Segment::parse(file.content).unwrap();
    assert_eq!((segment.from, segment.next, segment.facts.len()), (3, 5, 2));
    let file = SignedFile::parse(SignedKind::Reach, line("signed_reach")).unwrap();
    let reach = Reach::parse(file.content).unwrap();
    assert_eq!((reach.groups.len(), reach.groups[0].next), (1, 5));
}

#[test]
fn rows_that_a_restore_leaves_behind_are_the_clusters_own() {
    let backup = filled(1);
    let reader = backup.reader();
    assert!(reader.cluster().unwrap().is_some());
    assert!(
        !Key::Cluster.is_restored() && !Key::Slots.is_restored() && !Key::Applied.is_restored()
    );
    assert!(Key::Standing.is_restored() && Key::AuditLeaf(0).is_restored());
}
