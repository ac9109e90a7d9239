//! Every bound in one place: what parsers refuse for ever, and the defaults of limits that are policy.
//!
//! A policy's value lives in the state of its group and is changed by command; the default stands here.

use crate::envelope::Envelope;
use crate::link::Link;
use crate::padding::PADDED_MIN;
use crate::wrapped::WrappedSeal;

/// Most bytes of a record's content, padding included (256 KiB).
pub const RECORD_MAX: usize = 256 << 10;
/// Most bytes of data in a record: what is left beside its length.
pub const RECORD_DATA_MAX: usize = RECORD_MAX - 4;
/// Most bytes of a sealed record.
pub const RECORD_ENVELOPE_MAX: usize = RECORD_MAX + Envelope::OVERHEAD;

/// Most bytes of links, signatures and envelopes in a push that is not healing (4 MiB).
pub const PUSH_MAX: usize = 4 << 20;
/// Most records, written and removed together, in a push that is not healing.
pub const PUSH_RECORDS_MAX: usize = 1024;
/// Most links in a push that is not healing: enough to revoke and replace every member at once.
pub const PUSH_LINKS_MAX: usize = 1024;
/// Most heads between the stored one and that of a healing commit.
pub const BETWEEN_MAX: usize = 65_536;

/// Most active members that have a sealing key: a rotation counts its seals in one byte.
pub const SEAL_MEMBERS_MAX: usize = 255;
/// Most bytes of one link: a rotation of a wallet with the most members, or a genesis of as many.
pub const LINK_MAX: usize =
    Link::FIXED_LEN + 34 + SEAL_MEMBERS_MAX * crate::member::Member::LEN_MAX;
/// Most wallets that one locator leads to; the oldest stay.
pub const WALLETS_PER_LOCATOR: usize = 8;

/// Default: most bytes of sealed records in a wallet (64 MiB).
pub const WALLET_BYTES: u64 = 64 << 20;
/// Default: most records in a wallet.
pub const WALLET_RECORDS: u32 = 10_000;
/// Default: most links of a wallet. Members are kept for ever, so that none comes back; this bounds them.
pub const WALLET_LINKS: u32 = 10_000;
/// Default: most removed ids remembered for pulls; an older cursor gets the full list of entries.
pub const TOMBSTONES: u32 = 10_000;
/// Default: most receipts of acts other than pushes; an older retry is answered `TooOld`.
pub const RECEIPTS: u32 = 10_000;

const _: () = {
    assert!(PADDED_MIN <= RECORD_MAX && RECORD_MAX.is_power_of_two());
    assert!(RECORD_ENVELOPE_MAX < PUSH_MAX, "every record fits a push");
    assert!(PUSH_MAX as u64 <= WALLET_BYTES, "a full push fits an empty wallet");
    assert!(PUSH_RECORDS_MAX as u32 <= WALLET_RECORDS);
    assert!(LINK_MAX < PUSH_MAX, "every link fits a push");
    assert!(
        Link::FIXED_LEN + 39 + Envelope::HISTORY_LEN + SEAL_MEMBERS_MAX * WrappedSeal::LEN
            <= LINK_MAX
    );
    assert!(
        PUSH_LINKS_MAX > 2 * SEAL_MEMBERS_MAX + 1,
        "all members can be revoked and replaced in one push"
    );
    assert!(PUSH_LINKS_MAX as u32 <= WALLET_LINKS);
};
