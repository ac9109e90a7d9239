//! Challenges: one encoding each, and every field held to its rule.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{key, strict};
use crate::layout::Problem;

fn challenge(usage: ChallengeUse) -> Challenge {
    Challenge {
        suite: Suite::P256,
        usage,
        cluster: ClusterId::from_bytes([1; 16]),
        wallet: if usage == ChallengeUse::Session {
            WalletId::from_bytes([2; 32])
        } else {
            WalletId::ZERO
        },
        member: MemberId::from_bytes([3; 16]),
        nonce: [4; 32],
        ephemeral: key(5),
        expires_s: 6,
    }
}

#[test]
fn the_layout_is_strict_and_its_size_frozen() {
    for usage in [ChallengeUse::Session, ChallengeUse::Recovery] {
        let bytes = challenge(usage).encode();
        assert_eq!((bytes.len(), Challenge::LEN), (177, 177));
        strict(&bytes, Challenge::parse, Challenge::encode);
        assert_eq!(Challenge::parse(&bytes), Ok(challenge(usage)));
    }
}

#[test]
fn a_wallet_is_named_by_devices_and_by_nobody_else() {
    let changed = |usage, at: usize, value| {
        let mut bytes = challenge(usage).encode();
        bytes[at] = value;
        Challenge::parse(&bytes).map_err(|error| error.problem)
    };
    for other in [ChallengeUse::Session, ChallengeUse::Recovery] {
        assert!(matches!(changed(other, 7, 0), Err(Problem::Value { field: "use", .. })));
        assert!(matches!(changed(other, 7, 3), Err(Problem::Value { field: "use", .. })));
        let swapped = 3 - other as u8;
        assert!(matches!(changed(other, 7, swapped), Err(Problem::Value { field: "wallet", .. })));
        assert_eq!(changed(other, 0, b'x'), Err(Problem::Magic));
        assert_eq!(
            changed(other, 4, 2),
            Err(Problem::Update { field: "format", found: 2, known: 1 })
        );
        assert_eq!(
            changed(other, 6, 3),
            Err(Problem::Update { field: "suite", found: 3, known: 1 })
        );
        assert!(matches!(changed(other, 104, 2), Err(Problem::Value { field: "public key", .. })));
    }
}
