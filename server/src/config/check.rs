//! Settings to [`Config`]: each value on its own, then the relations between them.

use super::{
    Advertise, Config, EpochKey, Listen, Log, Memory, Registration, Telemetry, TlsFiles, check_mode,
};
use crate::settings::{
    ConfigError, EpochKeySource, Place, RegistrationMode, RoleSetting, Setting, Settings, Source,
};
use raft::{ConnectionIdentity, IdentityKind, Timing, TimingError, Upkeep};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    net::SocketAddr,
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    time::Duration,
};
use tracing_subscriber::EnvFilter;
use types::Role;

/// One day: no wait or deadline of a node is meant to be longer.
pub(super) const MS_MAX: u64 = 86_400_000;

pub(super) fn check(source: &Source) -> Result<Config, ConfigError> {
    let at = Checker { source };
    let settings = &source.settings;
    let listen = at.listen(settings)?;
    let tls = TlsFiles {
        ca: at.existing("tls.ca", &settings.tls.ca)?,
        cert: at.existing("tls.cert", &settings.tls.cert)?,
        key: at.secret("tls.key", &settings.tls.key)?,
    };
    let identity = at.identity(&settings.tls.cert, &tls.cert)?;
    let drain_timeout = at.ms("drain.timeout_ms", &settings.drain.timeout_ms, 1..=MS_MAX)?;
    Ok(Config {
        file: source.file.clone(),
        identity,
        role: match settings.role.get_ref() {
            RoleSetting::Data => Role::Data,
            RoleSetting::Witness => Role::Witness,
        },
        data_dir: at.absolute(&settings.data_dir),
        seeds: at.seeds(settings)?,
        advertise: at.advertise(settings, &listen)?,
        listen,
        tls,
        epoch_key: at.epoch_key(settings)?,
        registration: at.registration(settings)?,
        timing: at.timing(settings)?,
        memory: at.memory(settings)?,
        upkeep: at.upkeep(settings)?,
        limits: at.limits(&settings.limits, drain_timeout)?,
        log: at.log(settings)?,
        telemetry: at.telemetry(settings)?,
        drain_timeout,
    })
}

pub(super) struct Checker<'a> {
    source: &'a Source,
}

impl Checker<'_> {
    pub(super) fn wrong<T>(
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

    pub(super) fn number(
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

    pub(super) fn ms(
        &self,
        key: &'static str,
        setting: &Setting<u64>,
        allowed: RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        self.number(key, setting, allowed).map(Duration::from_millis)
    }

    pub(super) fn count(
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

    fn seeds(&self, settings: &Settings) -> Result<Vec<String>, ConfigError> {
        let seeds = settings.seeds.get_ref();
        for seed in seeds {
            self.host_and_port("seeds", &settings.seeds, seed, "a list of \"HOST:PORT\"")?;
        }
        Ok(seeds.clone())
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

    fn host_and_port<T: std::fmt::Debug>(
        &self,
        key: &'static str,
        setting: &Setting<T>,
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

    fn timing(&self, settings: &Settings) -> Result<Timing, ConfigError> {
        let written = &settings.raft;
        let ms = |setting: &Setting<u64>| Duration::from_millis(*setting.get_ref());
        let (heartbeat, election_min) = (&written.heartbeat_ms, &written.election_min_ms);
        let (election_max, entries) = (&written.election_max_ms, &written.snapshot_entries);
        Timing::new(ms(heartbeat), ms(election_min), ms(election_max), *entries.get_ref()).map_err(
            |error| {
                let (key, setting) = match error {
                    TimingError::Heartbeat { .. } => ("raft.heartbeat_ms", heartbeat),
                    TimingError::ElectionTooShort { .. } => ("raft.election_min_ms", election_min),
                    TimingError::TooLong { .. } => ("raft.election_max_ms", election_max),
                    TimingError::NoSpread { .. } => ("raft.election_max_ms", election_max),
                    TimingError::SnapshotEvery { .. } => ("raft.snapshot_entries", entries),
                };
                self.wrong(key, setting, format!("is {setting}"), error.to_string())
            },
        )
    }

    fn identity(
        &self,
        setting: &Setting<PathBuf>,
        file: &Path,
    ) -> Result<ConnectionIdentity, ConfigError> {
        let allowed = "a certificate as `holdfast cluster new` makes it: one URI \
                       spiffe://CLUSTER/node/NAME and the data centre as OU";
        let wrong = |problem: String| self.wrong("tls.cert", setting, problem, allowed);
        let certificate = CertificateDer::from_pem_file(file).map_err(|_| {
            wrong(format!("names {}, which holds no certificate in PEM", file.display()))
        })?;
        let identity = ConnectionIdentity::of(&certificate)
            .map_err(|error| wrong(format!("names {}: {error}", file.display())))?;
        match identity.kind {
            IdentityKind::Node if !identity.dc.is_empty() => Ok(identity),
            IdentityKind::Node => {
                Err(wrong(format!("names {}, which names no data centre", file.display())))
            }
            IdentityKind::Operator => {
                Err(wrong(format!("names {}, an operator's", file.display())))
            }
        }
    }

    fn memory(&self, settings: &Settings) -> Result<Memory, ConfigError> {
        let written = &settings.memory;
        let mib = |key, setting| Ok::<_, ConfigError>(self.count(key, setting, 4..=1 << 20)? << 20);
        Ok(Memory {
            block_cache: mib("memory.block_cache_mib", &written.block_cache_mib)?,
            write_buffer: mib("memory.write_buffer_mib", &written.write_buffer_mib)?,
        })
    }

    fn upkeep(&self, settings: &Settings) -> Result<Upkeep, ConfigError> {
        let (disk, repair) = (&settings.disk, &settings.repair);
        let seconds = |key, setting| {
            Ok::<_, ConfigError>(Duration::from_secs(self.number(key, setting, 0..=31_536_000)?))
        };
        Ok(Upkeep {
            digest_entries: self.number(
                "repair.digest_entries",
                &repair.digest_entries,
                10..=10_000_000,
            )?,
            scrub_every: seconds("repair.scrub_s", &repair.scrub_s)?,
            replace_after: seconds("repair.replace_after_s", &repair.replace_after_s)?,
            reserve_bytes: self.number("disk.reserve_mib", &disk.reserve_mib, 0..=1 << 30)? << 20,
            reserve_percent: self.number("disk.reserve_percent", &disk.reserve_percent, 0..=90)?,
        })
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

    fn telemetry(&self, settings: &Settings) -> Result<Option<Telemetry>, ConfigError> {
        let written = &settings.telemetry;
        let (endpoint, ca) = (written.endpoint.get_ref(), written.ca.get_ref());
        let sample_ratio = *written.sample_ratio.get_ref();
        if !(0.0..=1.0).contains(&sample_ratio) {
            let problem = format!("is {sample_ratio}");
            let allowed = "a number from 0.0 to 1.0";
            return Err(self.wrong(
                "telemetry.sample_ratio",
                &written.sample_ratio,
                problem,
                allowed,
            ));
        }
        let secure = endpoint.starts_with("https://");
        if secure == ca.is_empty() {
            let allowed = "the authority of an https:// collector, and \"\" for any other";
            let problem = format!("is {ca:?} while telemetry.endpoint is {endpoint:?}");
            return Err(self.wrong("telemetry.ca", &written.ca, problem, allowed));
        }
        if endpoint.is_empty() {
            return Ok(None);
        }
        let form = "http://HOST:PORT or https://HOST:PORT";
        let host = endpoint.strip_prefix(if secure { "https://" } else { "http://" });
        self.host_and_port(
            "telemetry.endpoint",
            &written.endpoint,
            host.unwrap_or_default(),
            form,
        )?;
        let ca = match secure {
            true => {
                let file = Setting::new(written.ca.span(), PathBuf::from(ca));
                Some(self.existing("telemetry.ca", &file)?)
            }
            false => None,
        };
        Ok(Some(Telemetry { endpoint: endpoint.clone(), ca, sample_ratio }))
    }
}
