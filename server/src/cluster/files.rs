//! The files of a cluster: one directory for the operator, one for each machine.
//!
//! ```text
//! DIR/ca.pem  ca.key                    the authority; the key belongs offline once all is set up
//! DIR/operator.pem  operator.key        what `holdfast admin` shows
//! DIR/operator-NAME.pem, .key           the same for each further operator
//! DIR/NAME/config.toml                  what `holdfast node --config` reads
//! DIR/NAME/ca.pem  node.pem  node.key   who the node is, and whom it believes
//! DIR/NAME/epoch.key                    the same on every node
//! DIR/NAME/registration.token           where wallets need one; the same on every node
//! DIR/NAME/data/                        made by the node
//! ```
//!
//! Directories are 0700, files with a secret 0600. Nothing that exists is overwritten.

use super::{
    authority::{Authority, AuthorityError},
    plan::{NodePlan, Overrides},
};
use rand::Rng;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use toml::{Table, Value};
use types::Secret;

/// Why the files of a cluster were not written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The directory is there already.
    #[error("{} exists; name a directory that does not, so that no cluster is overwritten", .0.display())]
    Exists(PathBuf),
    /// The disk refused.
    #[error("{} cannot be written: {source}", file.display())]
    Unwritable {
        /// The file or directory.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Where one node's files are.
#[derive(Clone, Debug)]
pub struct NodeFiles {
    /// Its directory, absolute.
    pub dir: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
}

/// What all nodes share.
pub struct Shared<'a> {
    /// The cluster's name, which is the trust domain of its certificates.
    pub cluster: &'a str,
    /// The epoch key, as it goes to its file.
    pub epoch_key: &'a Secret,
    /// The registration token; none opens registration to everyone.
    pub registration_token: Option<&'a str>,
    /// Settings that differ from the defaults on all nodes.
    pub overrides: &'a Overrides,
}

/// What a node listens on and is called by.
pub struct Addresses {
    /// `listen.public`
    pub public: String,
    /// `listen.peer`
    pub peer: String,
    /// `advertise.public`
    pub advertise_public: String,
    /// `advertise.peer`
    pub advertise_peer: String,
    /// `seeds`: the peer addresses of the others.
    pub seeds: Vec<String>,
}

/// Makes the directory of a cluster, which must not exist yet, and writes authority and operator.
///
/// # Errors
/// The directory exists or cannot be written.
pub fn write_authority(dir: &Path, authority: &Authority) -> Result<(), FilesError> {
    make_dir(dir)?;
    write_public(&dir.join("ca.pem"), authority.certificate())?;
    write_secret(&dir.join("ca.key"), authority.key().as_bytes())?;
    let operator = authority.operator("admin")?;
    write_public(&dir.join("operator.pem"), &operator.certificate)?;
    write_secret(&dir.join("operator.key"), operator.key.as_bytes())
}

/// Writes everything that one node needs into `DIR/NAME`.
///
/// # Errors
/// The directory exists or cannot be written.
pub fn write_node(
    dir: &Path,
    authority: &Authority,
    shared: &Shared<'_>,
    node: &NodePlan,
    addresses: &Addresses,
) -> Result<NodeFiles, FilesError> {
    let home = dir.join(&node.name);
    make_dir(&home)?;
    let credential = authority.node(&node.name, &node.dc, &names_of(&node.host))?;
    write_public(&home.join("ca.pem"), authority.certificate())?;
    write_public(&home.join("node.pem"), &credential.certificate)?;
    write_secret(&home.join("node.key"), credential.key.as_bytes())?;
    write_secret(&home.join("epoch.key"), shared.epoch_key.expose())?;
    if let Some(token) = shared.registration_token {
        write_secret(&home.join("registration.token"), format!("{token}\n").as_bytes())?;
    }
    let config = home.join("config.toml");
    write_public(&config, &configuration(shared, node, addresses))?;
    Ok(NodeFiles { dir: home, config })
}

/// The names that a node's certificate has for its host.
pub(super) fn names_of(host: &str) -> Vec<String> {
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback());
    let local = loopback.then(|| "localhost".to_owned());
    std::iter::once(host.to_owned()).chain(local).collect()
}

fn configuration(shared: &Shared<'_>, node: &NodePlan, addresses: &Addresses) -> String {
    let mode = if shared.registration_token.is_some() { "token" } else { "open" };
    let mut settings = Table::new();
    for (key, value) in [
        ("data_dir", "data"),
        ("listen.public", &addresses.public),
        ("listen.peer", &addresses.peer),
        ("advertise.public", &addresses.advertise_public),
        ("advertise.peer", &addresses.advertise_peer),
        ("tls.ca", "ca.pem"),
        ("tls.cert", "node.pem"),
        ("tls.key", "node.key"),
        ("epoch_key.file", "epoch.key"),
        ("registration.mode", mode),
        ("registration.token_file", "registration.token"),
    ] {
        set(&mut settings, key, Value::String(value.to_owned()));
    }
    let seeds = addresses.seeds.iter().cloned().map(Value::String).collect();
    set(&mut settings, "seeds", Value::Array(seeds));
    for (key, value) in shared.overrides.iter().chain(&node.overrides) {
        set(&mut settings, key, value.clone());
    }
    format!(
        "# Node {} of cluster {}, data centre {}.\n\
         # Paths start at this file's directory. Every setting that is not here is at its default;\n\
         # deploy/config.example.toml explains them all.\n\n{settings}",
        node.name, shared.cluster, node.dc,
    )
}

/// Puts a value at a dotted key.
fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// 32 random bytes in hex: long enough that nobody guesses it, and one word for a person to copy.
pub fn new_token() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// Makes a directory that only its owner can enter.
///
/// # Errors
/// It exists, or the disk refuses.
pub fn make_dir(dir: &Path) -> Result<(), FilesError> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)
            .map_err(|source| FilesError::Unwritable { file: parent.into(), source })?;
    }
    DirBuilder::new().mode(0o700).create(dir).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FilesError::Exists(dir.into()),
        _ => FilesError::Unwritable { file: dir.into(), source },
    })
}

pub(super) fn write_public(file: &Path, text: &str) -> Result<(), FilesError> {
    write(file, text.as_bytes(), 0o644)
}

/// Writes a new file that only its owner can read.
///
/// # Errors
/// The file exists, or the disk refuses.
pub fn write_secret(file: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    write(file, bytes, 0o600)
}

fn write(file: &Path, bytes: &[u8], mode: u32) -> Result<(), FilesError> {
    let wrap = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => FilesError::Exists(file.into()),
        _ => FilesError::Unwritable { file: file.into(), source },
    };
    let mut out =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(wrap)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(wrap)
}
