//! From endpoints and a CA to a ready [`Client`].

use std::{fs, path::Path, sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};

use crate::{
    client::Client,
    endpoint::{Endpoint, Leaders},
    error::{ClientError, Usage},
    random,
    tls::Trust,
    transport::{Transport, grpc::Grpc},
};

/// How long to wait for what. Every call ends within `overall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For a TCP and TLS handshake.
    pub connect: Duration,
    /// For one answer of one node, and between two frames of a stream.
    pub attempt: Duration,
    /// For a call with all its attempts.
    pub overall: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(5),
            overall: Duration::from_secs(30),
        }
    }
}

/// Collects what a [`Client`] needs.
#[derive(Clone, Debug, Default)]
pub struct ClientBuilder {
    endpoints: Vec<String>,
    ca_pem: Vec<u8>,
    deadlines: Deadlines,
}

impl ClientBuilder {
    /// Adds a node to talk to, `https://HOST:PORT`. More than one lets the client go on when one is down.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoints.push(url.into());
        self
    }

    /// Adds several nodes.
    #[must_use]
    pub fn endpoints<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.endpoints.extend(urls.into_iter().map(Into::into));
        self
    }

    /// The certificates of the cluster's authority, in PEM. No other authority is trusted.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = pem.into();
        self
    }

    /// As [`ClientBuilder::ca_pem`], from a file.
    ///
    /// # Errors
    /// [`Usage::Authority`] if it cannot be read.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let pem = fs::read(path).map_err(|_| Usage::Authority("cannot be read"))?;
        Ok(self.ca_pem(pem))
    }

    /// Replaces the default deadlines.
    #[must_use]
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Checks everything. Connects to nobody yet.
    ///
    /// # Errors
    /// [`Usage`] if there is no endpoint, or one of them or the CA cannot be used.
    pub fn build(self) -> Result<Client, ClientError> {
        if self.endpoints.is_empty() {
            return Err(Usage::NoEndpoint.into());
        }
        let endpoints =
            self.endpoints.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>()?;
        let trust = Trust::from_pem(&self.ca_pem)?;
        let transport = Grpc::new(&endpoints, &trust, self.deadlines)?;
        let jitter = StdRng::from_rng(&mut random::system());
        Ok(Self::assemble(endpoints, Arc::new(transport), self.deadlines, jitter))
    }

    /// A client over any transport, with waits that follow from `jitter`.
    pub(crate) fn assemble(
        endpoints: Vec<Endpoint>,
        transport: Arc<dyn Transport>,
        deadlines: Deadlines,
        jitter: StdRng,
    ) -> Client {
        Client::new(transport, Leaders::new(endpoints), deadlines, jitter)
    }
}
