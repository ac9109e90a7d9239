//! What a link changes, kind by kind.

use std::fmt;

use crate::envelope::{Envelope, Purpose};
use crate::ids::MemberId;
use crate::layout::{FormatError, Problem, Reader, Writer, strictly_ascending};
use crate::member::{Member, MemberKind};
use crate::suite::Suite;
use crate::wrapped::WrappedSeal;

const WHAT: &str = "link";

/// The kinds of links. The numbers are the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LinkKind {
    /// The first link of a wallet.
    Genesis = 1,
    /// A new generation of the wallet key.
    Rotate = 2,
    /// A new member.
    Add = 3,
    /// A member less.
    Revoke = 4,
    /// A higher floor for suites.
    MinSuite = 5,
    /// The end of the wallet.
    Erase = 6,
}

impl LinkKind {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match reader.u8("link kind")? {
            1 => Self::Genesis,
            2 => Self::Rotate,
            3 => Self::Add,
            4 => Self::Revoke,
            5 => Self::MinSuite,
            6 => Self::Erase,
            other => return Err(reader.unknown("link kind", other.into(), Self::Erase as u32)),
        })
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Genesis => "genesis",
            Self::Rotate => "rotate",
            Self::Add => "add",
            Self::Revoke => "revoke",
            Self::MinSuite => "min-suite",
            Self::Erase => "erase",
        })
    }
}

/// What a link changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "links are few and short-lived; a box would serve no one"
)]
pub enum LinkPayload {
    /// Begins the wallet.
    Genesis(Genesis),
    /// Makes a new generation of the wallet key.
    Rotate(Rotate),
    /// Adds a member.
    Add(Add),
    /// Revokes a member.
    Revoke(Revoke),
    /// Raises the lowest suite that later objects may use.
    MinSuite(Suite),
    /// Ends the wallet.
    Erase,
}

/// `region u8 ‖ nonce 32 ‖ count u8 ‖ Members in free order`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The residency region, which begins the wallet's id.
    pub region: u8,
    /// Random, so that no two wallets have one id.
    pub nonce: [u8; 32],
    /// The first members, in the order chosen by the first device.
    pub members: Vec<Member>,
}

/// `gen u32 ‖ wk_commit 32 ‖ hist_len u16 ‖ hist ‖ count u8 ‖ Seals sorted by MemberId`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// The new generation: 1, then one more each time.
    pub generation: u32,
    /// What the new wallet key must match when it is opened.
    pub wk_commit: [u8; 32],
    /// The wallet key before, sealed under the new one: empty iff the generation is 1, else an envelope
    /// of purpose 2.
    pub history: Vec<u8>,
    /// The new wallet key, sealed to exactly the active members that have a sealing key.
    pub seals: Vec<WrappedSeal>,
}

/// `len u16 ‖ Member ‖ gen u32 ‖ Seal, or nothing for a revoker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// The new member.
    pub member: Member,
    /// The current generation.
    pub generation: u32,
    /// The wallet key of that generation, sealed to the new member; none for a revoker.
    pub seal: Option<WrappedSeal>,
}

/// `MemberId ‖ reason u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// An active member.
    pub member: MemberId,
    /// For people; no rule reads it.
    pub reason: u8,
}

impl LinkPayload {
    /// Which kind it is.
    pub const fn kind(&self) -> LinkKind {
        match self {
            Self::Genesis(_) => LinkKind::Genesis,
            Self::Rotate(_) => LinkKind::Rotate,
            Self::Add(_) => LinkKind::Add,
            Self::Revoke(_) => LinkKind::Revoke,
            Self::MinSuite(_) => LinkKind::MinSuite,
            Self::Erase => LinkKind::Erase,
        }
    }

    pub(super) fn read(kind: LinkKind, reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match kind {
            LinkKind::Genesis => Self::Genesis(Genesis::read(reader)?),
            LinkKind::Rotate => Self::Rotate(Rotate::read(reader)?),
            LinkKind::Add => Self::Add(Add::read(reader)?),
            LinkKind::Revoke => Self::Revoke(Revoke {
                member: MemberId::from_bytes(reader.fixed("revoked member")?),
                reason: reader.u8("reason")?,
            }),
            LinkKind::MinSuite => Self::MinSuite(reader.suite("lowest suite")?),
            LinkKind::Erase => Self::Erase,
        })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FormatError> {
        Ok(match self {
            Self::Genesis(genesis) => genesis.encode()?,
            Self::Rotate(rotate) => rotate.encode()?,
            Self::Add(add) => add.encode(),
            Self::Revoke(revoke) => {
                Writer::default().bytes(revoke.member).u8(revoke.reason).finish()
            }
            Self::MinSuite(suite) => Writer::default().u16(suite.get()).finish(),
            Self::Erase => Vec::new(),
        })
    }
}

impl Genesis {
    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let region = reader.u8("region")?;
        let nonce = reader.fixed("nonce")?;
        let count = reader.u8("number of members")?;
        let members = (0..count).map(|_| Member::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { region, nonce, members })
    }

    fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let writer = Writer::with_capacity(34 + self.members.len() * Member::LEN_MAX)
            .u8(self.region)
            .bytes(self.nonce)
            .u8(count("members", self.members.len())?);
        Ok(self
            .members
            .iter()
            .fold(writer, |writer, member| writer.bytes(member.encode()))
            .finish())
    }
}

impl Rotate {
    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let generation = reader.u32("generation")?;
        reader.require(generation != 0, "generation", "1 or more")?;
        let wk_commit = reader.fixed("commitment")?;
        let len = reader.u16("history length")?;
        let expected = if generation == 1 { 0 } else { Envelope::HISTORY_LEN };
        let allowed = "0 in generation 1, else 180";
        reader.require(usize::from(len) == expected, "history length", allowed)?;
        let history = reader.bytes("history", expected)?.to_vec();
        if generation != 1 {
            check_history(reader, &history, generation)?;
        }
        let count = reader.u8("number of seals")?;
        let seals: Vec<_> =
            (0..count).map(|_| WrappedSeal::read(reader)).collect::<Result<_, _>>()?;
        strictly_ascending(WHAT, "seals", seals.iter().map(|seal| seal.member))?;
        Ok(Self { generation, wk_commit, history, seals })
    }

    fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let len = u16::try_from(self.history.len()).map_err(|_| {
            FormatError::length("history", Envelope::HISTORY_LEN, self.history.len())
        })?;
        let writer =
            Writer::with_capacity(39 + self.history.len() + self.seals.len() * WrappedSeal::LEN)
                .u32(self.generation)
                .bytes(self.wk_commit)
                .u16(len)
                .bytes(&self.history)
                .u8(count("seals", self.seals.len())?);
        Ok(self.seals.iter().fold(writer, |writer, seal| seal.write(writer)).finish())
    }
}

/// The history of generation g is an envelope of purpose 2 under the key of g. Its wallet is the link's:
/// the membership compares them.
fn check_history(reader: &Reader<'_>, history: &[u8], generation: u32) -> Result<(), FormatError> {
    let header = Envelope::parse(history)?.header;
    reader.require(header.purpose == Purpose::History, "history", "an envelope of purpose 2")?;
    reader.require(
        header.generation == generation,
        "history",
        "of the generation that its link makes",
    )?;
    Ok(())
}

impl Add {
    fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let len = reader.u16("member length")?;
        let mut part = reader.part("member", usize::from(len))?;
        let member = Member::read(&mut part)?;
        part.finish()?;
        let generation = reader.u32("generation")?;
        reader.require(generation != 0, "generation", "1 or more")?;
        let seal = match member.kind() {
            MemberKind::Revoker => None,
            _ => Some(WrappedSeal::read(reader)?),
        };
        if let Some(seal) = &seal {
            reader.require(seal.member == member.id(), "seal", "to the member that is added")?;
        }
        Ok(Self { member, generation, seal })
    }

    fn encode(&self) -> Vec<u8> {
        let member = self.member.encode();
        let writer = Writer::with_capacity(6 + member.len() + WrappedSeal::LEN)
            .u16(member.len() as u16) // At most `Member::LEN_MAX`.
            .bytes(member)
            .u32(self.generation);
        match &self.seal {
            Some(seal) => seal.write(writer).finish(),
            None => writer.finish(),
        }
    }
}

fn count(field: &'static str, count: usize) -> Result<u8, FormatError> {
    u8::try_from(count)
        .map_err(|_| FormatError::new(WHAT, 0, Problem::TooMany { field, max: u8::MAX.into() }))
}
