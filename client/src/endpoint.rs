//! The nodes a client talks to, and which of them to ask first.
//!
//! A wallet's requests are answered fastest by the leader of its group. Every answer may name that
//! leader; the cache keeps it per slot, because all wallets of a slot share a group. A hint is
//! followed only to an endpoint that the caller configured: a server cannot send clients elsewhere.

use std::{
    fmt,
    sync::atomic::{AtomicU16, AtomicUsize, Ordering},
};

use types::ids::{Slot, WalletId};

use crate::error::Usage;

/// The address of one node, `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads `https://HOST:PORT`, where HOST is a name, an IPv4 address or a bracketed IPv6 address.
    ///
    /// # Errors
    /// [`Usage::Endpoint`] with what is wrong.
    pub fn parse(url: &str) -> Result<Self, Usage> {
        let refuse = |problem| Usage::Endpoint { url: url.chars().take(200).collect(), problem };
        let rest = url
            .trim()
            .strip_prefix("https://")
            .ok_or_else(|| refuse("it does not begin with https://"))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) =
            authority.rsplit_once(':').ok_or_else(|| refuse("the port is missing"))?;
        let port = port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or_else(|| refuse("the port is not a number from 1 to 65535"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if rustls_pki_types::ServerName::try_from(bare).is_err() {
            return Err(refuse("the host is neither a name nor an address"));
        }
        Ok(Self { host: bare.to_owned(), port })
    }

    /// The name or address that the node's certificate has to bear.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as in a URL.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

/// Position of an endpoint in the configured list.
pub(crate) type NodeIndex = usize;

/// Which node to ask first, for each slot and in general.
pub(crate) struct Leaders {
    endpoints: Vec<Endpoint>,
    /// Per slot: position of the leader plus one; 0 when it is not known.
    by_slot: Vec<AtomicU16>,
    /// The node that answered last.
    preferred: AtomicUsize,
}

impl Leaders {
    pub(crate) fn new(endpoints: Vec<Endpoint>) -> Self {
        let by_slot = (0..Slot::COUNT).map(|_| AtomicU16::new(0)).collect();
        Self { endpoints, by_slot, preferred: AtomicUsize::new(0) }
    }

    /// How many nodes there are to try.
    pub(crate) fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// The node to ask first about a wallet, or about anything.
    pub(crate) fn first(&self, wallet: Option<&WalletId>) -> NodeIndex {
        let known = wallet.map_or(0, |wallet| self.slot(wallet).load(Ordering::Relaxed));
        match known {
            0 => self.preferred.load(Ordering::Relaxed) % self.endpoints.len(),
            leader => usize::from(leader) - 1,
        }
    }

    /// The configured endpoint that a hint names, if it names one.
    pub(crate) fn find(&self, hint: &str) -> Option<NodeIndex> {
        let hint = Endpoint::parse(hint).ok()?;
        self.endpoints.iter().position(|endpoint| *endpoint == hint)
    }

    /// Remembers that `node` answered, and the leader that it named for the wallet's group.
    pub(crate) fn answered(&self, node: NodeIndex, wallet: Option<&WalletId>, leader: &str) {
        self.preferred.store(node, Ordering::Relaxed);
        if let (Some(wallet), Some(leader)) = (wallet, self.find(leader)) {
            self.slot(wallet).store(u16::try_from(leader + 1).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Forgets the leader of a wallet's group, and gives the node to ask after `node` failed.
    pub(crate) fn failed(&self, node: NodeIndex, wallet: Option<&WalletId>) -> NodeIndex {
        if let Some(wallet) = wallet {
            self.slot(wallet).store(0, Ordering::Relaxed);
        }
        let next = (node + 1) % self.endpoints.len();
        self.preferred.store(next, Ordering::Relaxed);
        next
    }

    fn slot(&self, wallet: &WalletId) -> &AtomicU16 {
        &self.by_slot[usize::from(Slot::of(wallet).get())]
    }
}

#[cfg(test)]
mod tests;
