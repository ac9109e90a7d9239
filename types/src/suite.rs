//! Suites: which algorithms an object was signed and sealed with.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A suite that this version knows. The number stands in every signed and sealed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Suite(u16);

impl Suite {
    /// ES256, DHKEM(P-256, HKDF-SHA256) / HKDF-SHA256 / AES-256-GCM.
    pub const P256: Self = Self(1);
    /// The highest known. Anything above asks for an update.
    pub const LATEST: Self = Self::P256;

    /// The suite of this number, if it is known.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 1 && number <= Self::LATEST.0 { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Suite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer)?;
        Self::new(number)
            .ok_or_else(|| serde::de::Error::custom("a suite that this version does not know"))
    }
}
