//! What a node says of itself: which program it is, and how long its certificates hold. And the whole of
//! what a node shows, for whoever describes it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{family::Family, gauge::Gauge};
use raft::registry::Promise::SelfHealing;
use raft::registry::{About, Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CertificateLabel {
    certificate: &'static str,
}

/// The numbers of the program around a node.
#[derive(Clone)]
pub(crate) struct ProgramMetrics {
    expiry: Family<CertificateLabel, Gauge>,
}

/// When certificates end, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The authority's.
    pub ca_s: i64,
    /// The node's own.
    pub node_s: i64,
}

impl ProgramMetrics {
    /// Registers everything.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let build = registry.show(
            About::new("build_info", "1, with the version of this program").by(&["version"]),
            Family::<VersionLabel, Gauge>::default(),
        );
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        ProgramMetrics {
            expiry: registry.show(
                About::new(
                    "certificate_expiry_timestamp",
                    "When the certificate in use ends, in seconds since 1970",
                )
                .by(&["certificate"])
                .in_unit(Unit::Seconds)
                .shows(&[SelfHealing])
                .alert("less than 14 days ahead: renew it"),
                Family::default(),
            ),
        }
    }

    /// Certificates are in use from now on.
    pub(crate) fn certificates(&self, expiry: Expiry) {
        for (certificate, ends_s) in [("ca", expiry.ca_s), ("node", expiry.node_s)] {
            self.expiry.get_or_create(&CertificateLabel { certificate }).set(ends_s);
        }
    }
}

/// Everything that a node shows, at zero.
pub fn all() -> Registry {
    let mut registry = Registry::default();
    raft::show_metrics(&mut registry);
    api::Metrics::register(&mut registry);
    ProgramMetrics::register(&mut registry);
    registry
}
