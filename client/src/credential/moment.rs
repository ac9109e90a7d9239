//! Points in time as credentials give them: whole seconds, shown as RFC 3339.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST: i64 = 253_402_300_799;

/// Seconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The moment of a Unix time; `None` outside the years that RFC 3339 can write.
    pub fn from_unix_s(seconds: i64) -> Option<Self> {
        const FIRST: i64 = -62_135_596_800;
        (FIRST..=LAST).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since 1970.
    pub const fn unix_s(self) -> i64 {
        self.0
    }

    /// The moment of an RFC 3339 date and time; fractions of a second are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|time| Self::from_unix_s(time.unix_timestamp()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok());
        f.write_str(&text.ok_or(fmt::Error)?)
    }
}
