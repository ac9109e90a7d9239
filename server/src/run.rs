//! One node, from a checked configuration to its end. Build order: engine, node, keyring, service,
//! listeners; the other way round at the end.

mod error;
mod files;

pub use error::{Ending, RunError};

use crate::{
    config::{Config, Registration, read_secret},
    drain, epoch_key,
    metrics::ProgramMetrics,
    renewal,
    supervisor::Supervisor,
    tls,
};
use api::{Clock, Parts, Policy, Service};
use raft::registry::Registry;
use raft::{
    Node, NodeConfig,
    listener::{self, Limits},
};
use std::{
    fs::DirBuilder, io, net::SocketAddr, os::unix::fs::DirBuilderExt, sync::Arc, time::Duration,
};
use store::engine::rocks::Memory;
use store::formats::Levels;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Runs a node until a signal ends it.
///
/// # Errors
/// It did not start, or could not go on. [`RunError::ending`] says what to do about it.
pub async fn run(config: Config) -> Result<(), RunError> {
    run_with(config, Levels::OF_THIS_RELEASE).await
}

/// Runs a node of a program that knows these formats until a signal ends it.
///
/// # Errors
/// As [`run`].
pub async fn run_with(config: Config, levels: Levels) -> Result<(), RunError> {
    let leave = drain::on_signals().map_err(RunError::Signals)?;
    let supervisor = Arc::new(Supervisor::of_environment());
    let certificates = tls::load(&config)?;
    let keyring = Arc::new(epoch_key::keyring(&config.epoch_key)?);
    let policy = policy(&config)?;
    let opened = open(&config).await?;
    let mut registry = Registry::default();
    let peer_tls = certificates.peer.clone();
    let node = Node::start(node_config(&config, levels), opened, peer_tls, &mut registry).await?;
    // Not before: whoever calls a node that is still starting is refused at once and asks another
    // one, and does not wait on a port that is open and silent. Nodes that start together call each
    // other first of all.
    let ports = match Ports::bind(&config).await {
        Ok(ports) => ports,
        Err(error) => {
            node.shutdown(Duration::ZERO).await;
            return Err(error);
        }
    };
    let program = ProgramMetrics::register(&mut registry);
    let service = Service::new(Parts {
        node: node.clone(),
        keyring,
        keys: Arc::new(epoch_key::Source::new(&config.epoch_key)),
        trust_domain: config.identity.cluster.clone(),
        policy,
        clock: Clock::system(),
        registry,
    });

    let (closed, ended) = (CancellationToken::new(), CancellationToken::new());
    let mut listeners = JoinSet::new();
    let limits = files::within(config.limits.public);
    let routes = service.public_routes();
    renewal::attend(certificates.clone(), config.tls.clone(), program, ended.clone())
        .map_err(RunError::Signals)?;
    listeners.spawn(listener::serve_with(
        ports.public,
        certificates.public,
        routes,
        closed.clone(),
        limits,
    ));
    let routes = raft::peer_routes(&node).merge(service.peer_routes());
    let tls = certificates.peer.server();
    listeners.spawn(listener::serve_with(ports.peer, tls, routes, ended.clone(), Limits::PEER));
    if let Some(metrics) = ports.metrics {
        let (routes, ended) = (service.metrics_routes(), ended.clone());
        let served = axum::serve(metrics, routes);
        listeners.spawn(async move {
            served.with_graceful_shutdown(async move { ended.cancelled().await }).await
        });
    }
    let attending = tokio::spawn({
        let (service, ended) = (service.clone(), ended.clone());
        async move { service.attend(ended).await }
    });
    let watching = tokio::spawn({
        let (supervisor, node, ended) = (supervisor.clone(), node.clone(), ended.clone());
        async move { supervisor.watch(|| node.failed().is_none(), ended).await }
    });
    supervisor.ready();
    info!(
        node = config.identity.name, dc = config.identity.dc, cluster = config.identity.cluster,
        public = %config.listen.public, peer = %config.listen.peer, "serving"
    );

    let outcome = tokio::select! {
        () = leave.cancelled() => Ok(()),
        end = node.fatal() => Err(end.into()),
        Some(ended) = listeners.join_next() => Err(RunError::listener(ended)),
    };
    // A node that cannot go on has nothing to hand over with.
    let hand_over = if outcome.is_ok() { config.drain_timeout } else { Duration::ZERO };
    // The public port first stops taking connections, so that new requests go to other nodes while
    // those under way end; peers are needed until the last leadership has moved.
    supervisor.stopping();
    service.leave();
    closed.cancel();
    node.shutdown(hand_over).await;
    ended.cancel();
    while listeners.join_next().await.is_some() {}
    // They end with `ended`; were one to fail instead, there is nothing left to attend to.
    let _ = (attending.await, watching.await);
    info!(node = config.identity.name, "ended");
    outcome
}

/// The open ports of a node.
struct Ports {
    public: TcpListener,
    peer: TcpListener,
    metrics: Option<TcpListener>,
}

impl Ports {
    async fn bind(config: &Config) -> Result<Ports, RunError> {
        let listen = &config.listen;
        Ok(Ports {
            public: bind(listen.public).await?,
            peer: bind(listen.peer).await?,
            metrics: match listen.metrics {
                Some(address) => Some(bind(address).await?),
                None => None,
            },
        })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, source })
}

/// Opens the database, off the runtime: replaying a log takes a while, and so does a repair.
async fn open(config: &Config) -> Result<raft::Opened, RunError> {
    let dir = config.data_dir.clone();
    let made = DirBuilder::new().mode(0o700).recursive(true).create(&dir);
    made.map_err(|source| RunError::Directory { dir: dir.clone(), source })?;
    let memory =
        Memory { block_cache: config.memory.block_cache, write_buffer: config.memory.write_buffer };
    let opened = tokio::task::spawn_blocking(move || raft::open(&dir, memory)).await;
    Ok(opened.map_err(|error| RunError::Directory {
        dir: config.data_dir.clone(),
        source: io::Error::other(error),
    })??)
}

fn node_config(config: &Config, levels: Levels) -> NodeConfig {
    NodeConfig {
        levels,
        name: config.identity.name.clone(),
        dc: config.identity.dc.clone(),
        role: config.role,
        peer: config.advertise.peer.clone(),
        endpoint: config.advertise.public.clone(),
        directory: config.data_dir.clone(),
        seeds: config.seeds.clone(),
        timing: config.timing.clone(),
        proposal_bytes: config.limits.proposal_bytes,
        upkeep: config.upkeep,
    }
}

fn policy(config: &Config) -> Result<Policy, RunError> {
    let registration = match &config.registration {
        Registration::Open => api::Registration::Open,
        Registration::Token(file) => {
            let secret = read_secret(file)?;
            let text = std::str::from_utf8(secret.expose())
                .map_err(|_| RunError::NoTokens { file: file.clone() })?;
            let tokens = text.lines().map(str::trim).filter(|line| !line.is_empty());
            if tokens.clone().next().is_none() {
                return Err(RunError::NoTokens { file: file.clone() });
            }
            api::Registration::tokens(tokens)
        }
    };
    Ok(Policy {
        registration,
        limits: config.limits.requests,
        reflection: config.listen.reflection,
    })
}
