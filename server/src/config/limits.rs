//! The bounds on callers: settings to what the listener, the door and replication are told.

use super::{
    Limits,
    check::{Checker, MS_MAX},
};
use crate::settings::{ConfigError, LimitSettings, Setting};
use api::Rate;
use raft::listener;
use std::time::Duration;

/// How many times its rate a limit on recoveries lets through at once.
const RECOVERY_BURST: u32 = 5;
/// The same of refusals.
const REFUSAL_BURST: u32 = 10;
/// The least memory for the requests of clients, in MiB: the largest, a push by HTTP, takes 42, and pushes
/// may take fourteen sixteenths.
const REQUESTS_MIN_MIB: u64 = (api::Limits::REQUEST_BYTES_MIN >> 20) as u64;
/// The least memory for what goes on from there, in MiB: a push is a message of up to 6.25, held twice where it
/// was passed on, and of commands that wait one group may take half.
const MIN_MIB: u64 = 32;

impl Checker<'_> {
    pub(super) fn limits(
        &self,
        written: &LimitSettings,
        drain: Duration,
    ) -> Result<Limits, ConfigError> {
        Ok(Limits {
            public: self.connections(written, drain)?,
            requests: self.requests(written)?,
            proposal_bytes: self.mib("limits.proposals_mib", &written.proposals_mib, MIN_MIB)?,
        })
    }

    fn connections(
        &self,
        written: &LimitSettings,
        drain: Duration,
    ) -> Result<listener::Limits, ConfigError> {
        let per_address = &written.connections_per_address;
        let streams =
            self.rate("limits.requests_per_connection", &written.requests_per_connection)?;
        Ok(listener::Limits {
            connections: self.places("limits.connections", &written.connections)?,
            connections_per_address: self.places("limits.connections_per_address", per_address)?,
            streams,
            handshake: self.ms("limits.handshake_ms", &written.handshake_ms, 100..=MS_MAX)?,
            stall: self.ms("limits.stall_ms", &written.stall_ms, 100..=MS_MAX)?,
            drain,
            ..listener::Limits::PUBLIC
        })
    }

    fn requests(&self, written: &LimitSettings) -> Result<api::Limits, ConfigError> {
        let refusals = self.rate("limits.refusals_per_second", &written.refusals_per_second)?;
        let recoveries =
            self.rate("limits.recoveries_per_second", &written.recoveries_per_second)?;
        let per_code = self.rate("limits.recoveries_per_code", &written.recoveries_per_code)?;
        let per_address = &written.requests_per_address;
        let per_wallet = &written.watches_per_wallet;
        Ok(api::Limits {
            requests: self.places("limits.requests", &written.requests)?,
            requests_per_address: self.places("limits.requests_per_address", per_address)?,
            request_bytes: self.mib(
                "limits.request_mib",
                &written.request_mib,
                REQUESTS_MIN_MIB,
            )?,
            refusals_per_address: Rate {
                burst: refusals.saturating_mul(REFUSAL_BURST),
                every: Duration::from_secs(1) / refusals,
            },
            deadline_max: self.ms("limits.request_ms", &written.request_ms, 100..=MS_MAX)?,
            forwarded: self.places("limits.forwarded", &written.forwarded)?,
            forwarded_bytes: self.mib("limits.forwarded_mib", &written.forwarded_mib, MIN_MIB)?,
            pushes_per_wallet: self
                .places("limits.pushes_per_wallet", &written.pushes_per_wallet)?,
            pulls: self.places("limits.pulls", &written.pulls)?,
            pulls_per_wallet: self.places("limits.pulls_per_wallet", &written.pulls_per_wallet)?,
            watches: self.count("limits.watches", &written.watches, 0..=1_000_000)?,
            watches_per_wallet: self.count(
                "limits.watches_per_wallet",
                per_wallet,
                0..=1_000_000,
            )?,
            reads_per_member: self.places("limits.reads_per_member", &written.reads_per_member)?,
            stream_bytes: self.mib("limits.stream_mib", &written.stream_mib, MIN_MIB)?,
            stall_max: self.ms("limits.stall_ms", &written.stall_ms, 100..=MS_MAX)?,
            admin_requests: self.places("limits.operators", &written.operators)?,
            recovery: Rate {
                burst: recoveries.saturating_mul(RECOVERY_BURST),
                every: Duration::from_secs(1) / recoveries,
            },
            recovery_per_locator: Rate {
                burst: RECOVERY_BURST,
                every: Duration::from_secs(60) / per_code,
            },
            ..api::Limits::default()
        })
    }

    fn places(&self, key: &'static str, setting: &Setting<u64>) -> Result<usize, ConfigError> {
        self.count(key, setting, 1..=1_000_000)
    }

    fn mib(
        &self,
        key: &'static str,
        setting: &Setting<u64>,
        least: u64,
    ) -> Result<usize, ConfigError> {
        Ok(self.count(key, setting, least..=1 << 20)? << 20)
    }

    fn rate(&self, key: &'static str, setting: &Setting<u64>) -> Result<u32, ConfigError> {
        let value = self.number(key, setting, 1..=1_000_000)?;
        u32::try_from(value)
            .map_err(|_| self.wrong(key, setting, format!("is {value}"), "a smaller number"))
    }
}
