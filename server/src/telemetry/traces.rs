//! Spans on their way to a collector: OTLP over gRPC, in batches, from a thread of their own.
//!
//! Promises: no request waits for a collector; what does not fit into the queue is dropped, and the log says so;
//! what is left at the end is sent before the process ends, for as long as [`LAST`] at most.

use std::{io::Error, sync::Arc, time::Duration};

use http::Uri;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider, Tracer},
};
use proto::trace::TARGET;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version};
use tonic::transport::{Channel, Endpoint};
use tracing::Subscriber;
use tracing_opentelemetry::{OpenTelemetryLayer, layer};
use tracing_subscriber::registry::LookupSpan;

use crate::{
    cluster::admin::handshake,
    config::Telemetry,
    tls::{CertificateError, certificates},
};

/// How long the collector may take to answer for one batch.
const EXPORT: Duration = Duration::from_secs(10);
/// How long the last batch may take.
const LAST: Duration = Duration::from_secs(2);

/// The way to the collector.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The authority of the collector.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The way cannot be built.
    #[error("spans cannot be sent to {endpoint}: {problem}")]
    Unfit {
        /// Where to.
        endpoint: String,
        /// Why not.
        problem: String,
    },
}

impl Traces {
    /// In the name of a node. Nothing is connected before the first batch. Has to be called within the
    /// runtime.
    ///
    /// # Errors
    /// The authority's file is none, or what was checked does not fit after all.
    pub(super) fn start(
        telemetry: &Telemetry,
        node: &str,
        dc: &str,
    ) -> Result<Traces, TracesError> {
        let unfit = |problem: String| {
            let endpoint = telemetry.endpoint.clone();
            TracesError::Unfit { endpoint, problem }
        };
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_channel(channel(telemetry)?)
            .with_timeout(EXPORT)
            .build()
            .map_err(|error| unfit(error.to_string()))?;
        let resource = Resource::builder_empty()
            .with_service_name("holdfast")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", node.to_owned()),
                KeyValue::new("holdfast.dc", dc.to_owned()),
            ])
            .build();
        // Whoever asked decides for its trace; of those that begin here a share is recorded.
        let ratio = Sampler::TraceIdRatioBased(telemetry.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(resource)
            .build();
        Ok(Traces { provider })
    }

    /// What takes the spans of this process.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // Nothing beyond what a span itself says: no source lines, no threads.
        layer()
            .with_tracer(self.provider.tracer(TARGET))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left. Blocks.
    pub(super) fn end(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn channel(telemetry: &Telemetry) -> Result<Channel, TracesError> {
    let unfit = |problem: String| {
        let endpoint = telemetry.endpoint.clone();
        TracesError::Unfit { endpoint, problem }
    };
    let uri: Uri = telemetry.endpoint.parse().map_err(|_| unfit("it is no address".into()))?;
    let endpoint = Endpoint::from(uri).timeout(EXPORT).connect_timeout(EXPORT);
    let Some(ca) = &telemetry.ca else { return Ok(endpoint.connect_lazy()) };
    let mut roots = RootCertStore::empty();
    for root in certificates(ca)? {
        roots.add(root).map_err(|error| unfit(error.to_string()))?;
    }
    let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| unfit(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = Arc::new(tls);
    let connector = tower::service_fn(move |uri: Uri| {
        let shaken = handshake(uri, tls.clone());
        async move { shaken.await.map_err(Error::other) }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}
