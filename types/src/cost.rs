//! What Argon2id costs (RFC 9106): compiled-in floor and ceiling, so that nobody can weaken a
//! passphrase, or a server stall a client, by naming other parameters.

use crate::layout::{FormatError, Reader, Writer};

/// Parameters of Argon2id, within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
}

impl Argon2Cost {
    /// Least and most memory, in KiB: 64 MiB to 1 GiB.
    pub const MEMORY_KIB: std::ops::RangeInclusive<u32> = 65_536..=1 << 20;
    /// Least and most passes over the memory.
    pub const PASSES: std::ops::RangeInclusive<u32> = 3..=16;
    /// Lanes: always this many.
    pub const LANES: u32 = 4;
    /// The least that is allowed, and the default.
    pub const FLOOR: Self =
        Self { memory_kib: *Self::MEMORY_KIB.start(), passes: *Self::PASSES.start() };

    /// These parameters, if they are within bounds.
    pub fn new(memory_kib: u32, passes: u32) -> Option<Self> {
        (Self::MEMORY_KIB.contains(&memory_kib) && Self::PASSES.contains(&passes))
            .then_some(Self { memory_kib, passes })
    }

    /// Memory, in KiB.
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub const fn passes(&self) -> u32 {
        self.passes
    }

    /// Reads `memory KiB u32 ‖ t u32 ‖ p u32`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, FormatError> {
        let memory_kib = reader.u32("Argon2id memory")?;
        reader.require(
            Self::MEMORY_KIB.contains(&memory_kib),
            "Argon2id memory",
            "65536 to 1048576 KiB",
        )?;
        let passes = reader.u32("Argon2id passes")?;
        reader.require(Self::PASSES.contains(&passes), "Argon2id passes", "3 to 16")?;
        let lanes = reader.u32("Argon2id lanes")?;
        reader.require(lanes == Self::LANES, "Argon2id lanes", "4")?;
        Ok(Self { memory_kib, passes })
    }

    pub(crate) fn write(&self, writer: Writer) -> Writer {
        writer.u32(self.memory_kib).u32(self.passes).u32(Self::LANES)
    }
}

/// What stands in front of an envelope whose key comes from a passphrase: `salt 16 ‖ memory KiB u32 ‖ t u32 ‖ p u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseFront {
    /// Argon2id's salt, random.
    pub salt: [u8; 16],
    /// Argon2id's other parameters.
    pub cost: Argon2Cost,
}

impl PassphraseFront {
    /// Length in bytes.
    pub const LEN: usize = 28;
    const WHAT: &'static str = "passphrase parameters";

    /// Splits bytes into the front and the envelope behind it.
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), FormatError> {
        let mut reader = Reader::new(Self::WHAT, bytes);
        let front = Self { salt: reader.fixed("salt")?, cost: Argon2Cost::read(&mut reader)? };
        Ok((front, reader.rest()))
    }

    /// The layout.
    pub fn encode(&self) -> Vec<u8> {
        self.cost.write(Writer::with_capacity(Self::LEN).bytes(self.salt)).finish()
    }
}

#[cfg(test)]
mod tests;
