//! A collector of traces: an OTLP server over gRPC that keeps what it is sent.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// A span as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The node it is from; empty if it is from elsewhere.
    pub instance: String,
    /// Its name.
    pub name: String,
    /// In hex.
    pub trace: String,
    /// In hex.
    pub id: String,
    /// In hex; empty for the first of a trace.
    pub parent: String,
    /// What it tells besides, as text.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Default)]
struct Kept {
    requests: Mutex<Vec<ExportTraceServiceRequest>>,
}

/// The collector. It ends when this is dropped.
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Kept>,
    serving: JoinHandle<()>,
}

struct Taker(Arc<Kept>);

#[tonic::async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Listens on a free port of this machine.
    pub async fn start() -> Collector {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let kept = Arc::new(Kept::default());
        let service = TraceServiceServer::new(Taker(kept.clone()));
        let served = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move { served.await.expect("the collector serves") });
        Collector { address, kept, serving }
    }

    /// Where nodes send to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that arrived, as its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let requests = self.kept.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().flat_map(Message::encode_to_vec).collect()
    }

    /// Every span that arrived.
    pub fn spans(&self) -> Vec<Arrived> {
        let requests = self.kept.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans = Vec::new();
        for of_one in requests.iter().flat_map(|request| &request.resource_spans) {
            let resource = of_one.resource.as_ref().map_or(&[][..], |from| &from.attributes);
            let instance = texts(resource).remove("service.instance.id").unwrap_or_default();
            for span in of_one.scope_spans.iter().flat_map(|scope| &scope.spans) {
                spans.push(Arrived {
                    instance: instance.clone(),
                    name: span.name.clone(),
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    attributes: texts(&span.attributes),
                });
            }
        }
        spans
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text =
        |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
    attributes.iter().map(|one| (one.key.clone(), text(&one.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
