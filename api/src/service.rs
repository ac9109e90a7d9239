//! One node's service: built from its parts, given out as routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::middleware::from_fn_with_state;
use proto::admin::admin_server::AdminServer as AdminRoutes;
use proto::peer::forward_server::ForwardServer as ForwardRoutes;
use proto::v1::devices_server::DevicesServer as DevicesRoutes;
use proto::v1::recovery_server::RecoveryServer as RecoveryRoutes;
use proto::v1::wallets_server::WalletsServer as WalletsRoutes;
use raft::Node;
use raft::registry::Registry;
use seal::ServerKeyring;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder as Reflection;

use crate::clock::Clock;
use crate::door::Door;
use crate::forward::{ForwardServer, Forwarder};
use crate::grpc::{
    AdminServer, DevicesServer, MESSAGE_MAX, RecoveryServer, SMALL_MESSAGE_MAX, WalletsServer,
};
use crate::keys::KeySource;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::shed::Permits;
use crate::vault::Vault;
use crate::{Inner, Shared, duties, forward, http};

/// What a service is made of.
pub struct Parts {
    /// The node.
    pub node: Node,
    /// Its epoch keys; may be locked.
    pub keyring: Arc<ServerKeyring>,
    /// Where they come from when it is unlocked.
    pub keys: Arc<dyn KeySource>,
    /// The cluster's name in certificates: `spiffe://<trust domain>/…`.
    pub trust_domain: String,
    /// What the operator decided.
    pub policy: Policy,
    /// The time.
    pub clock: Clock,
    /// Where the node has registered its metrics. The service adds its own, and shows all.
    pub registry: Registry,
}

/// A node's service.
#[derive(Clone)]
pub struct Service {
    inner: Shared,
    registry: Arc<Registry>,
    health: HealthReporter,
    reflection: bool,
}

impl Service {
    /// Builds it. Serve its routes, and let [`Service::attend`] run beside them.
    pub fn new(parts: Parts) -> Self {
        let Parts { node, keyring, keys, trust_domain, policy, clock, mut registry } = parts;
        let metrics = Metrics::register(&mut registry);
        let (limits, reflection) = (policy.limits, policy.reflection);
        let inner = Inner {
            forwarder: Forwarder::new(node.clone(), metrics.clone()),
            vault: Arc::new(Vault::new(node, keyring, policy, clock, metrics.clone())),
            permits: Arc::new(Permits::new(&limits)),
            limits,
            metrics,
            keys,
            trust_domain,
            leaving: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
            registry: Arc::new(registry),
            health: HealthReporter::new(),
            reflection,
        }
    }

    /// The use cases, for whoever is in the same process.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.inner.vault
    }

    /// What the public port serves: gRPC and HTTP/JSON behind the door, health, reflection, and plain
    /// HTTP probes.
    pub fn public_routes(&self) -> Router {
        let inner = || self.inner.clone();
        let wallets = WalletsRoutes::new(WalletsServer::new(inner()))
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        let devices = DevicesRoutes::new(DevicesServer::new(inner()))
            .max_decoding_message_size(SMALL_MESSAGE_MAX);
        let recovery = RecoveryRoutes::new(RecoveryServer::new(inner()))
            .max_decoding_message_size(SMALL_MESSAGE_MAX);
        let admin = AdminRoutes::new(AdminServer::new(inner()))
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        let health = HealthServer::new(HealthService::from_health_reporter(self.health.clone()))
            .max_decoding_message_size(SMALL_MESSAGE_MAX);
        let mut routes = Routes::new(wallets)
            .add_service(devices)
            .add_service(recovery)
            .add_service(admin)
            .add_service(health);
        if self.reflection {
            routes = with_reflection(routes);
        }
        let door = Arc::new(Door::new(&self.inner));
        let methods = routes.prepare().into_axum_router();
        let json = http::routes(&door, &methods).unwrap_or_else(|error| {
            tracing::error!(%error, "the schema that was built in cannot be offered as JSON");
            Router::new()
        });
        let grpc = methods.layer(from_fn_with_state(door, Door::pass));
        grpc.merge(json).merge(http::probes::public(inner(), self.registry.clone()))
    }

    /// What the peer port serves besides `raft`'s own routes: requests that other nodes pass on.
    pub fn peer_routes(&self) -> Router {
        let forward = ForwardRoutes::new(ForwardServer::new(self.inner.clone()))
            .max_decoding_message_size(MESSAGE_MAX + SMALL_MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        // No fallback of its own, so that it can be merged with other routes.
        Routes::from(Router::new())
            .add_service(forward)
            .into_axum_router()
            .layer(from_fn_with_state(self.inner.clone(), forward::counted))
    }

    /// What a listener serves that only those reach who may see metrics: no TLS, no certificate.
    pub fn metrics_routes(&self) -> Router {
        http::probes::plain(self.inner.clone(), self.registry.clone())
    }

    /// Looks after the node until `until`: a locked leader gives way, and health is kept up to date.
    pub async fn attend(&self, until: CancellationToken) {
        duties::attend(self.inner.clone(), self.health.clone(), until).await;
    }

    /// The node is about to leave: from now on it says that it is not ready. Requests are still served.
    pub fn leave(&self) {
        self.inner.leaving.store(true, Ordering::Relaxed);
    }
}

/// Reflection of the public services, in both of its versions.
fn with_reflection(routes: Routes) -> Routes {
    let shown = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(proto::PUBLIC_DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (shown().build_v1(), shown().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes
            .add_service(v1.max_decoding_message_size(SMALL_MESSAGE_MAX))
            .add_service(v1alpha.max_decoding_message_size(SMALL_MESSAGE_MAX)),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "the schema that was built in cannot be reflected");
            routes
        }
    }
}
