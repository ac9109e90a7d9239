//! Settings to [`Config`]: each value on its own, then the relations between them.

use super::{
    Advertise, Config, Disk, EpochKey, Identity, Limits, Listen, Log, Raft, Registration, TlsFiles,
    check_mode,
};
use crate::settings::{
    ConfigError, EpochKeySource, Place, RegistrationMode, Setting, Settings, Source,
};
use std::{
    net::SocketAddr,
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    time::Duration,
};
use tracing_subscriber::EnvFilter;

/// One day: no wait or deadline of a node is meant to be longer.
const MS_MAX: u64 = 86_400_000;

pub(super) fn check(source: &Source) -> Result<Config, ConfigError> {
    let at = Checker { source };
    let settings = &source.settings;
    let listen = at.listen(settings)?;
    let tls = TlsFiles {
        ca: at.existing("tls.ca", &settings.tls.ca)?,
        cert: at.existing("tls.cert", &settings.tls.cert)?,
        key: at.secret("tls.key", &settings.tls.key)?,
    };
    let identity = Identity::of_certificate_file(&tls.cert).map_err(|error| {
        at.wrong("tls.cert", &settings.tls.cert, error.to_string(), identity_allowed())
    })?;
    Ok(Config {
        file: source.file.clone(),
        identity,
        role: *settings.role.get_ref(),
        data_dir: at.absolute(&settings.data_dir),
        advertise: at.advertise(settings, &listen)?,
        listen,
        tls,
        epoch_key: at.epoch_key(settings)?,
        registration: at.registration(settings)?,
        raft: at.raft(settings)?,
        limits: at.limits(settings)?,
        disk: at.disk(settings)?,
        log: at.log(settings)?,
        drain_timeout: at.ms("drain.timeout_ms", &settings.drain.timeout_ms, 1..=MS_MAX)?,
    })
}

fn identity_allowed() -> String {
    "a certificate as `holdfast cluster new` makes it: one URI spiffe://CLUSTER/node/NAME and the \
     data centre as OU"
        .into()
}

struct Checker<'a> {
    source: &'a Source,
}

impl Checker<'_> {
    fn wrong<T>(
        &self,
        key: &'static str,
        setting: &Setting<T>,
        problem: impl Into<String>,
        allowed: impl Into<String>,
    ) -> ConfigError {
        self.wrong_at(key, setting.span(), problem, allowed)
    }

    fn wrong_at(
        &self,
        key: &'static str,
        at: Range<usize>,
        problem: impl Into<String>,
        allowed: impl Into<String>,
    ) -> ConfigError {
        let place = Place::new(&self.source.file, &self.source.text, at);
        ConfigError::Wrong { place, key, problem: problem.into(), allowed: allowed.into() }
    }

    /// Paths start where the file is, so that a cluster's directory can be moved as a whole.
    fn absolute(&self, path: &Setting<PathBuf>) -> PathBuf {
        let base = self.source.file.parent().unwrap_or(Path::new("/"));
        base.join(path.get_ref())
    }

    fn existing(&self, key: &'static str, path: &Setting<PathBuf>) -> Result<PathBuf, ConfigError> {
        let file = self.absolute(path);
        match std::fs::metadata(&file) {
            Ok(found) if found.is_file() => Ok(file),
            Ok(_) => Err(self.wrong(
                key,
                path,
                format!("names {}, which is not a file", file.display()),
                "the path of a file",
            )),
            Err(error) => Err(self.wrong(
                key,
                path,
                format!("names {}, which cannot be read: {error}", file.display()),
                "the path of a file that this user can read",
            )),
        }
    }

    fn secret(&self, key: &'static str, path: &Setting<PathBuf>) -> Result<PathBuf, ConfigError> {
        let file = self.existing(key, path)?;
        check_mode(&file)
            .map_err(|error| self.wrong(key, path, format!("is refused: {error}"), "mode 0600"))?;
        Ok(file)
    }

    fn number(
        &self,
        key: &'static str,
        setting: &Setting<u64>,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let value = *setting.get_ref();
        if allowed.contains(&value) {
            return Ok(value);
        }
        let bounds = format!("a whole number from {} to {}", allowed.start(), allowed.end());
        Err(self.wrong(key, setting, format!("is {value}"), bounds))
    }

    fn ms(
        &self,
        key: &'static str,
        setting: &Setting<u64>,
        allowed: RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        self.number(key, setting, allowed).map(Duration::from_millis)
    }

    fn count(
        &self,
        key: &'static str,
        setting: &Setting<u64>,
        allowed: RangeInclusive<u64>,
    ) -> Result<usize, ConfigError> {
        let value = self.number(key, setting, allowed)?;
        usize::try_from(value)
            .map_err(|_| self.wrong(key, setting, format!("is {value}"), "a smaller number"))
    }

    fn address(
        &self,
        key: &'static str,
        setting: &Setting<String>,
    ) -> Result<SocketAddr, ConfigError> {
        let text = setting.get_ref();
        let address: SocketAddr = text.parse().map_err(|_| {
            let allowed = "an IP address and a port, as \"127.0.0.1:7600\" or \"[::]:7600\"";
            self.wrong(key, setting, format!("is {text:?}"), allowed)
        })?;
        if address.port() == 0 {
            let allowed = "a port from 1 to 65535: clients and other nodes must find it again";
            return Err(self.wrong(key, setting, "has port 0", allowed));
        }
        Ok(address)
    }

    fn listen(&self, settings: &Settings) -> Result<Listen, ConfigError> {
        let written = &settings.listen;
        let public = self.address("listen.public", &written.public)?;
        let peer = self.address("listen.peer", &written.peer)?;
        if peer == public {
            let problem = format!("is {peer}, which is listen.public too");
            return Err(self.wrong("listen.peer", &written.peer, problem, "another port"));
        }
        let metrics = match written.metrics.get_ref().as_str() {
            "" => None,
            _ => Some(self.address("listen.metrics", &written.metrics)?),
        };
        Ok(Listen { public, peer, metrics, reflection: *written.reflection.get_ref() })
    }

    fn advertise(&self, settings: &Settings, listen: &Listen) -> Result<Advertise, ConfigError> {
        let written = &settings.advertise;
        let public = match written.public.get_ref().as_str() {
            "" => {
                self.reachable("advertise.public", &settings.listen.public, listen.public)?;
                format!("https://{}", listen.public)
            }
            text => {
                let host = text.strip_prefix("https://").unwrap_or_default();
                self.host_and_port("advertise.public", &written.public, host, "https://HOST:PORT")?;
                text.to_owned()
            }
        };
        let peer = match written.peer.get_ref().as_str() {
            "" => {
                self.reachable("advertise.peer", &settings.listen.peer, listen.peer)?;
                listen.peer.to_string()
            }
            text => {
                self.host_and_port("advertise.peer", &written.peer, text, "HOST:PORT")?;
                text.to_owned()
            }
        };
        Ok(Advertise { public, peer })
    }

    /// Listening on every address says nothing about how to be reached.
    fn reachable(
        &self,
        key: &'static str,
        listen: &Setting<String>,
        address: SocketAddr,
    ) -> Result<(), ConfigError> {
        if !address.ip().is_unspecified() {
            return Ok(());
        }
        let problem = format!("is empty while the node listens on every address ({address})");
        Err(self.wrong(key, listen, problem, "the name and port that others reach this node by"))
    }

    fn host_and_port(
        &self,
        key: &'static str,
        setting: &Setting<String>,
        text: &str,
        form: &'static str,
    ) -> Result<(), ConfigError> {
        let plain = |host: &str| {
            let bytes = host.trim_start_matches('[').trim_end_matches(']').bytes();
            !host.is_empty()
                && bytes.into_iter().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
        };
        match text.rsplit_once(':') {
            Some((host, port))
                if plain(host) && port.parse::<u16>().is_ok_and(|port| port != 0) =>
            {
                Ok(())
            }
            _ => Err(self.wrong(key, setting, format!("is {:?}", setting.get_ref()), form)),
        }
    }

    fn epoch_key(&self, settings: &Settings) -> Result<EpochKey, ConfigError> {
        let file = self.secret("epoch_key.file", &settings.epoch_key.file)?;
        Ok(match settings.epoch_key.source.get_ref() {
            EpochKeySource::File => EpochKey::File(file),
            EpochKeySource::Passphrase => EpochKey::Passphrase(file),
        })
    }

    fn registration(&self, settings: &Settings) -> Result<Registration, ConfigError> {
        Ok(match settings.registration.mode.get_ref() {
            RegistrationMode::Open => Registration::Open,
            RegistrationMode::Token => Registration::Token(
                self.secret("registration.token_file", &settings.registration.token_file)?,
            ),
        })
    }

    fn raft(&self, settings: &Settings) -> Result<Raft, ConfigError> {
        let written = &settings.raft;
        let heartbeat = self.ms("raft.heartbeat_ms", &written.heartbeat_ms, 10..=10_000)?;
        let election_min =
            self.ms("raft.election_min_ms", &written.election_min_ms, 30..=60_000)?;
        let election_max =
            self.ms("raft.election_max_ms", &written.election_max_ms, 30..=60_000)?;
        // Two lost heartbeats must not start an election.
        if election_min < heartbeat * 3 {
            let problem = format!("is {}", election_min.as_millis());
            let allowed = format!(
                "at least three times raft.heartbeat_ms, {} or more",
                (heartbeat * 3).as_millis()
            );
            return Err(self.wrong(
                "raft.election_min_ms",
                &written.election_min_ms,
                problem,
                allowed,
            ));
        }
        if election_max <= election_min {
            let problem = format!("is {}", election_max.as_millis());
            let allowed =
                format!("more than raft.election_min_ms, which is {}", election_min.as_millis());
            return Err(self.wrong(
                "raft.election_max_ms",
                &written.election_max_ms,
                problem,
                allowed,
            ));
        }
        Ok(Raft {
            heartbeat,
            election_min,
            election_max,
            snapshot_entries: self.number(
                "raft.snapshot_entries",
                &written.snapshot_entries,
                100..=10_000_000,
            )?,
        })
    }

    fn limits(&self, settings: &Settings) -> Result<Limits, ConfigError> {
        let written = &settings.limits;
        Ok(Limits {
            connections: self.count("limits.connections", &written.connections, 1..=1_000_000)?,
            requests: self.count("limits.requests", &written.requests, 1..=100_000)?,
            pulls: self.count("limits.pulls", &written.pulls, 1..=100_000)?,
            watches: self.count("limits.watches", &written.watches, 0..=1_000_000)?,
            request: self.ms("limits.request_ms", &written.request_ms, 100..=MS_MAX)?,
        })
    }

    fn disk(&self, settings: &Settings) -> Result<Disk, ConfigError> {
        let written = &settings.disk;
        let mib = self.number("disk.reserve_mib", &written.reserve_mib, 0..=1 << 30)?;
        let percent = self.number("disk.reserve_percent", &written.reserve_percent, 0..=50)?;
        Ok(Disk { reserve_bytes: mib << 20, reserve_percent: percent as u8 })
    }

    fn log(&self, settings: &Settings) -> Result<Log, ConfigError> {
        let filter = settings.log.filter.get_ref();
        EnvFilter::try_new(filter).map_err(|error| {
            let allowed = "levels by module, as \"info\" or \"info,raft=debug\"";
            self.wrong(
                "log.filter",
                &settings.log.filter,
                format!("is {filter:?}: {error}"),
                allowed,
            )
        })?;
        Ok(Log { format: *settings.log.format.get_ref(), filter: filter.clone() })
    }
}
