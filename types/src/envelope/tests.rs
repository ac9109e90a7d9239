//! Envelopes: one encoding each, and every purpose held to its rules.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::{envelope, history, record, strict};
use crate::hash::tagged;
use crate::layout::Problem;

const WALLET: WalletId = WalletId::from_bytes([1; 32]);
const ID: RecordId = RecordId::from_bytes([2; 16]);

/// A header that is right for its purpose.
fn header(purpose: Purpose) -> EnvelopeHeader {
    let suite = Suite::P256;
    let right =
        EnvelopeHeader { suite, purpose, wallet: WALLET, id: ID, version: 3, generation: 4 };
    match purpose {
        Purpose::History => EnvelopeHeader { id: RecordId::ZERO, version: 0, ..right },
        Purpose::Outer => EnvelopeHeader { generation: 0, ..right },
        Purpose::DeviceKeys | Purpose::EpochKey => {
            EnvelopeHeader { wallet: WalletId::ZERO, ..right }
        }
        _ => right,
    }
}

fn content_len(purpose: Purpose) -> usize {
    if purpose.is_padded() { 1024 } else { 32 }
}

fn refusal(header: EnvelopeHeader) -> Problem {
    let bytes = envelope(header, content_len(header.purpose), 0);
    Envelope::parse(&bytes).unwrap_err().problem
}

#[test]
fn sizes_are_frozen() {
    assert_eq!(EnvelopeHeader::LEN, header(Purpose::Record).encode().len());
    assert_eq!((EnvelopeHeader::LEN, Envelope::OVERHEAD, Envelope::HISTORY_LEN), (68, 148, 180));
    assert_eq!(history(WALLET, 2).len(), 180);
    let padded = crate::padding::padded_size(2044).unwrap();
    assert_eq!(envelope(header(Purpose::Record), padded, 0).len(), 2196);
}

#[test]
fn every_purpose_is_strict() {
    for purpose in Purpose::ALL {
        let bytes = envelope(header(purpose), content_len(purpose), 7);
        // What an unpadded content's length should be, only whoever opens it can say.
        if purpose.is_padded() || purpose == Purpose::History {
            strict(&bytes, |bytes| Envelope::parse(bytes).map(|_| bytes.to_vec()), Vec::clone);
        }
        let parsed = Envelope::parse(&bytes).unwrap();
        assert_eq!(parsed.header, header(purpose));
        assert_eq!(parsed.header_bytes, header(purpose).encode());
        assert_eq!(parsed.content_len(), content_len(purpose));
        assert_eq!(
            [parsed.header_bytes, parsed.salt, parsed.commit, parsed.ciphertext].concat(),
            bytes
        );
        assert_eq!(parsed.body_hash().as_bytes(), &tagged("holdfast/1 body", &[&bytes]));
        for len in 0..Envelope::OVERHEAD {
            assert!(Envelope::parse(&bytes[..len]).is_err(), "{purpose} cut to {len} bytes");
        }
    }
}

#[test]
fn an_unknown_purpose_asks_for_an_update_and_zero_is_refused() {
    let with = |purpose| {
        let mut bytes = record(WALLET, ID, 1, 1);
        bytes[7] = purpose;
        Envelope::parse(&bytes).unwrap_err().problem
    };
    assert_eq!(with(0), Problem::Zero { field: "purpose" });
    assert_eq!(with(9), Problem::Update { field: "purpose", found: 9, known: 8 });
}

#[test]
fn every_purpose_names_what_it_must_and_nothing_else() {
    for (purpose, field) in [(Purpose::Record, "version"), (Purpose::Export, "version")] {
        let problem = refusal(EnvelopeHeader { version: 0, ..header(purpose) });
        assert!(matches!(problem, Problem::Value { field: found, .. } if found == field));
    }
    for (wrong, field) in [
        (EnvelopeHeader { generation: 0, ..header(Purpose::Record) }, "generation"),
        (EnvelopeHeader { generation: 0, ..header(Purpose::History) }, "generation"),
        (EnvelopeHeader { generation: 1, ..header(Purpose::History) }, "generation"),
        (EnvelopeHeader { generation: 1, ..header(Purpose::Outer) }, "generation"),
        (EnvelopeHeader { version: 1, ..header(Purpose::History) }, "version"),
        (EnvelopeHeader { id: ID, ..header(Purpose::History) }, "id"),
        (EnvelopeHeader { wallet: WALLET, ..header(Purpose::DeviceKeys) }, "wallet"),
        (EnvelopeHeader { wallet: WalletId::ZERO, ..header(Purpose::Outer) }, "wallet"),
        (EnvelopeHeader { wallet: WalletId::ZERO, ..header(Purpose::DataKey) }, "wallet"),
    ] {
        let problem = refusal(wrong);
        assert!(
            matches!(problem, Problem::Value { field: found, .. } if found == field),
            "{wrong:?}: {problem}"
        );
    }
}

#[test]
fn padded_content_has_one_of_nine_lengths() {
    for purpose in [Purpose::Record, Purpose::Local, Purpose::Export] {
        for len in [0, 512, 1023, 1025, 1536, 3 * 1024, 256 * 1024 + 1, 512 * 1024] {
            let bytes = envelope(header(purpose), len, 0);
            let problem = Envelope::parse(&bytes).unwrap_err().problem;
            assert!(
                matches!(problem, Problem::Value { field: "ciphertext", .. }),
                "{len}: {problem}"
            );
        }
        for power in 0..9 {
            assert!(Envelope::parse(&envelope(header(purpose), 1024 << power, 0)).is_ok());
        }
    }
    for len in [31, 33, 0] {
        assert!(Envelope::parse(&envelope(header(Purpose::History), len, 0)).is_err());
    }
}

proptest! {
    /// No bytes make the parser panic.
    #[test]
    fn any_bytes_are_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Envelope::parse(&tail);
        let _ = Envelope::parse(&[b"HFev\x01\x00\x01".as_slice(), &tail].concat());
    }
}
