//! One trace goes through everything that a request goes through: the client, the node it asks, the leader,
//! the leader's log and state. It reaches a real OTLP collector, and only traces that somebody wants do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use proto::trace::TARGET;
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use server::cluster::admin::operator_tls;
use tests::{
    Plan,
    collector::{Arrived, Collector},
    lab::{GROUP, PATIENCE, create, until},
};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

/// What an application that embeds the client does: its spans go where it wants.
fn trace_this_process(endpoint: &str) -> SdkTracerProvider {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("application"));
    let only_spans =
        tracing_subscriber::filter::Targets::new().with_target(TARGET, tracing::Level::INFO);
    use tracing_subscriber::Layer;
    tracing_subscriber::registry().with(layer.with_filter(only_spans)).init();
    provider
}

/// The one span of this kind.
fn one<'a>(
    spans: &'a [Arrived],
    instance: &str,
    name: &str,
    system: &str,
    parent: &str,
) -> Option<&'a Arrived> {
    spans.iter().find(|span| {
        span.instance == instance
            && span.name == name
            && span.attributes.get("rpc.system").map_or("", String::as_str) == system
            && span.parent == parent
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_client_through_a_follower_to_the_leaders_log() {
    let collector = Collector::start().await;
    // Nodes record nothing of their own accord: only what a caller wants.
    let lab = Plan::of(3)
        .setting("telemetry.endpoint", collector.endpoint())
        .setting("telemetry.sample_ratio", 0.0)
        .setting("log.format", "json")
        .setting("log.filter", "debug")
        .start()
        .await;
    let leader = lab.leader(GROUP).await;
    let follower = (leader + 1) % 3;
    let name = |node: usize| lab.cluster.nodes()[node].plan.name.clone();
    // A client without a trace leaves none.
    lab.wallet("untraced").await;

    let application = trace_this_process(&collector.endpoint());
    let span = tracing::info_span!(target: TARGET, "application");
    let trace = span.context().span().span_context().trace_id().to_string();
    let root = span.context().span().span_context().span_id().to_string();
    // The client knows the follower only.
    let settings = lab.settings_at(&[lab.cluster.endpoints()[follower].clone()]);
    drop(create(settings, "phone").instrument(span).await);

    let (via, at) = (name(follower), name(leader));
    let provider = application.clone();
    tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap().unwrap();
    until("the whole way of the request has arrived", PATIENCE, async || {
        let spans: Vec<Arrived> =
            collector.spans().into_iter().filter(|span| span.trace == trace).collect();
        let attempt = one(&spans, "", "Wallets/Create", "grpc", &root)?;
        let asked = one(&spans, &via, "Wallets/Create", "grpc", &attempt.id)?;
        let forwarded = one(&spans, &via, "Wallets/Create", "peer", &asked.id)?;
        let served = one(&spans, &at, "Wallets/Create", "peer", &forwarded.id)?;
        let proposed = one(&spans, &at, "raft.propose", "", &served.id)?;
        one(&spans, &at, "raft.append", "", &proposed.id)?;
        one(&spans, &at, "raft.apply", "", &proposed.id)?;
        assert_eq!(asked.attributes["code"], "ok");
        assert_eq!(proposed.attributes["group"], GROUP.to_string());
        Some(())
    })
    .await;

    // The log of a node names the trace in what it says about the request.
    let log = lab.log(follower);
    assert!(log.contains(&format!("\"trace.id\":\"{trace}\"")), "no line of {via} names {trace}");

    // HTTP/JSON goes on with a caller's trace as well, also where it is refused.
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let tls = operator_tls(&lab.cluster.operator()).unwrap();
    let mut plain = (*tls).clone();
    plain.alpn_protocols = vec![b"http/1.1".to_vec()];
    let address = lab.cluster.endpoints()[follower].strip_prefix("https://").unwrap().to_owned();
    let status = tokio::task::spawn_blocking(move || {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(plain), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&address).unwrap());
        write!(
            stream,
            "GET /v1/admin/status HTTP/1.1\r\nhost: {address}\r\ntraceparent: {parent}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    })
    .await
    .unwrap();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    until("the request by HTTP has arrived", PATIENCE, async || {
        let spans = collector.spans();
        let span = one(&spans, &via, "Admin/Status", "http", "00f067aa0ba902b7")?;
        assert_eq!(span.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
        Some(())
    })
    .await;

    let wanted = [trace.as_str(), "4bf92f3577b34da6a3ce929d0e0e4736"];
    let unwanted: Vec<Arrived> = collector
        .spans()
        .into_iter()
        .filter(|span| !wanted.contains(&span.trace.as_str()))
        .collect();
    assert!(unwanted.is_empty(), "nobody wanted {unwanted:?}");
}
