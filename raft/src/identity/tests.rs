#![allow(clippy::unwrap_used)]

use types::{ClusterId, NodeId};

use super::{Identity, IdentityError, IdentityFile, Place};

#[test]
fn a_directory_is_drawn_once() {
    let directory = tempfile::tempdir().unwrap();
    let first = IdentityFile::new(directory.path()).open().unwrap();
    assert_eq!(first.place, None);
    assert_eq!(IdentityFile::new(directory.path()).open().unwrap(), first);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(IdentityFile::new(other.path()).open().unwrap().incarnation, first.incarnation);
}

#[test]
fn a_place_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = IdentityFile::new(directory.path());
    let fresh = file.open().unwrap();
    let place =
        Place { cluster: ClusterId::from_bytes([3; 16]), node: NodeId(7), wallet_groups: 4 };
    let settled = Identity { place: Some(place), ..fresh };
    file.settle(settled).unwrap();
    assert_eq!(IdentityFile::new(directory.path()).open().unwrap(), settled);
    assert_eq!(place.groups().map(|group| group.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_damaged_identity_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = IdentityFile::new(directory.path());
    file.open().unwrap();
    let path = directory.path().join(super::FILE);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(file.open(), Err(IdentityError::Damaged { .. })), "byte {at}");
        std::fs::write(&path, &whole[..at]).unwrap();
        assert!(matches!(file.open(), Err(IdentityError::Damaged { .. })), "cut to {at}");
    }
}

/// Marks without an identity: the directory was tampered with, and must not be drawn anew.
#[test]
fn a_lost_identity_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let file = IdentityFile::new(directory.path());
    file.open().unwrap();
    std::fs::remove_file(directory.path().join(super::FILE)).unwrap();
    file.open().unwrap();
    std::fs::remove_file(directory.path().join(super::FILE)).unwrap();
    std::fs::write(file.marks(), [0; 65]).unwrap();
    assert!(matches!(file.open(), Err(IdentityError::Damaged { .. })));
}

/// Its checksum holds, and what it says cannot be: believed, it would have marks of four billion groups made
/// room for at every start.
#[test]
fn an_identity_among_more_groups_than_there_can_be_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let file = IdentityFile::new(directory.path());
    let fresh = file.open().unwrap();
    let (cluster, node) = (ClusterId::from_bytes([3; 16]), NodeId(7));
    for wallet_groups in [0, 4097, u32::MAX] {
        let place = Some(Place { cluster, node, wallet_groups });
        let written = super::encode(&Identity { place, ..fresh });
        std::fs::write(directory.path().join(super::FILE), written).unwrap();
        assert!(matches!(file.open(), Err(IdentityError::Damaged { .. })), "{wallet_groups}");
        assert!(Place::checked(cluster, node, wallet_groups).is_err());
    }
    Place::checked(cluster, node, 4096).unwrap();
}
