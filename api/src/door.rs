//! What every request passes before anything looks into it.
//!
//! Promises: a request is for a method that exists; there is room for it; it ends by its deadline; its
//! caller has shown what the method asks for; its answer is counted, and every refusal, also of the
//! machinery below, carries a detail with a stable code. One door for all methods: none can forget it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::CONTENT_TYPE;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use raft::ConnectionIdentity;
use raft::listener::{PeerAddress, whose};
use tokio::time::{Instant, timeout_at};
use tonic::{Code as Grpc, Status};
use tracing::{Instrument, Span};

use crate::auth::rate::{KeyedRate, Rate};
use crate::auth::{Operator, Sessions};
use crate::grpc::status::{detail_code, into_status};
use crate::methods::{Access, Class, Method};
use crate::metrics::Metrics;
use crate::policy::Limits;
use crate::shed::{Admission, Permits, Place};
use crate::trace::{Surface, incoming};
use crate::vault::{Code, Vault, VaultError};
use crate::{Inner, http};

pub(crate) mod parts;

/// A request that may go on, the place it has taken, and when it has to be answered.
pub(crate) type Admitted = (Place, Deadline, Request);

/// When a request has to be answered. An extension of every request that passed the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    began: Instant,
    answer: Instant,
    asked: Option<Duration>,
}

impl Deadline {
    /// When the answer is due.
    pub(crate) fn due(self) -> Instant {
        self.answer
    }

    /// What is left until the answer is due.
    pub(crate) fn left(self) -> Duration {
        self.answer.saturating_duration_since(Instant::now())
    }

    /// When a stream of answers has to be complete, at most `most` after it began.
    pub(crate) fn for_stream(self, most: Duration) -> Option<Instant> {
        Some(self.began + self.asked.unwrap_or(most).min(most))
    }

    /// When a stream without an end has to end, if its caller said so.
    pub(crate) fn for_watch(self) -> Option<Instant> {
        self.asked.map(|asked| self.began + asked)
    }
}

/// How a request asks, in the words of its surface.
pub(crate) struct Asked {
    /// Its verb, as a proof of possession must name it.
    pub(crate) verb: String,
    /// What it asks, as a proof of possession must name it.
    pub(crate) uri: String,
    /// How long its caller is ready to wait, if it says so.
    pub(crate) patience: Option<Duration>,
    /// How many bytes of memory one byte of its body takes in the end.
    pub(crate) times: usize,
}

/// A message is held as it came, as its parts, and once more if it is passed on.
const GRPC_TIMES: usize = 3;

impl Asked {
    /// By gRPC: the path of the method stands for the whole address.
    fn by_grpc(method: &Method, headers: &HeaderMap) -> Result<Self, VaultError> {
        let patience = asked_for(headers)?;
        Ok(Self {
            verb: "POST".to_owned(),
            uri: method.path.to_owned(),
            patience,
            times: GRPC_TIMES,
        })
    }
}

/// The door of one node.
pub(crate) struct Door {
    vault: Arc<Vault>,
    permits: Arc<Permits>,
    sessions: Sessions,
    refusals: KeyedRate<IpAddr>,
    trust_domain: String,
    limits: Limits,
    metrics: Metrics,
}

impl Door {
    /// In front of a node's use cases.
    pub(crate) fn new(inner: &Inner) -> Self {
        Self {
            vault: Arc::clone(&inner.vault),
            permits: Arc::clone(&inner.permits),
            sessions: Sessions::new(inner.limits.proofs),
            refusals: KeyedRate::new(ALL_REFUSALS, inner.limits.refusals_per_address),
            trust_domain: inner.trust_domain.clone(),
            limits: inner.limits,
            metrics: inner.metrics.clone(),
        }
    }

    /// Lets a gRPC request through, or answers it.
    pub(crate) async fn pass(
        State(door): State<Arc<Self>>,
        request: Request,
        next: Next,
    ) -> Response {
        if !is_grpc(request.headers()) {
            return http::nothing_there();
        }
        let (began, address) = (Instant::now(), address_of(&request));
        let method = Method::of(request.uri().path());
        let span = method
            .map_or_else(Span::none, |method| incoming(Surface::Grpc, method, request.headers()));
        let answering = async {
            match door.admit_grpc(method, request, began) {
                Ok((method, (place, deadline, request))) => {
                    let work = async {
                        let request = match method.class {
                            Class::Write => parts::of_commit(request).await?,
                            _ => request,
                        };
                        Ok::<_, Status>(next.run(request).await)
                    };
                    let answer = timeout_at(deadline.answer, work).await;
                    let answer = answer.map(|done| done.unwrap_or_else(Status::into_http));
                    let answer = answer.unwrap_or_else(|_| refuse(&Self::late(method)));
                    // The stream of a probe needs no session: what bounds it is its place.
                    if method.probe { held_by(answer, place) } else { with_detail(answer) }
                }
                Err(refused) => refuse(&refused),
            }
        };
        let response = answering.instrument(span.clone()).await;
        span.in_scope(|| door.answered(method, code_of(&response), address, began));
        response
    }

    /// Counts an answer, whichever surface gave it, and holds a refusal against whoever caused it.
    pub(crate) fn answered(
        &self,
        method: Option<&Method>,
        code: String,
        to: Option<IpAddr>,
        began: Instant,
    ) {
        if let Some(address) = to
            && Code::named(&code).is_some_and(is_callers_fault)
        {
            // Whatever comes of it, the refusal has been made.
            let _ = self.refusals.take(address, began.into_std());
        }
        let name = method.map_or("unknown", Method::name);
        let took = began.elapsed();
        Span::current().record("code", code.as_str());
        let outcome = if code == "ok" { "success" } else { "failure" };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        tracing::debug!(
            method = name,
            code,
            event.action = "answer",
            event.outcome = outcome,
            event.duration = nanos,
            "answered"
        );
        self.metrics.answered(name, code, took);
    }

    fn admit_grpc(
        &self,
        method: Option<&'static Method>,
        request: Request,
        now: Instant,
    ) -> Result<(&'static Method, Admitted), VaultError> {
        let method = method.ok_or(VaultError::Unimplemented)?;
        let asked = Asked::by_grpc(method, request.headers())?;
        Ok((method, self.admit(method, &asked, request, now)?))
    }

    /// Whether a request for a method may go on: then with who sends it and when it has to be answered.
    pub(crate) fn admit(
        &self,
        method: &'static Method,
        asked: &Asked,
        mut request: Request,
        now: Instant,
    ) -> Result<Admitted, VaultError> {
        let (place, admission) = self.place(method, address_of(&request), asked.times, now)?;
        let deadline = self.deadline(method, asked.patience, now);
        match method.access {
            Access::Anyone | Access::Signed => {}
            Access::Session => {
                let (keyring, now_s) = (self.vault.keyring(), self.vault.clock().now_s());
                let caller = self.sessions.check(keyring, request.headers(), asked, now_s)?;
                request.extensions_mut().insert(caller);
            }
            Access::Operator => {
                let identity = request.extensions().get::<ConnectionIdentity>();
                let operator = Operator::of(identity, &self.trust_domain)?;
                request.extensions_mut().insert(operator);
            }
        }
        request.extensions_mut().insert(deadline);
        request.extensions_mut().insert(admission);
        if !method.probe {
            request = request.map(|body| place.bytes().count(body));
        }
        Ok((place, deadline, request))
    }

    /// The place of a request.
    fn place(
        &self,
        method: &Method,
        address: Option<IpAddr>,
        times: usize,
        now: Instant,
    ) -> Result<(Place, Admission), VaultError> {
        match method.access {
            Access::Operator => Ok((self.permits.admin(times)?, Admission::Granted)),
            _ if method.probe => Ok((self.permits.probe(address)?, Admission::Granted)),
            Access::Anyone | Access::Signed | Access::Session => {
                // A token costs nothing to check. A signature does.
                if method.access == Access::Signed
                    && let Some(address) = &address
                    && let Some(wait) = self.refusals.wait(address, now.into_std())
                {
                    let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1);
                    let what = "requests of this address that had to be refused";
                    return Err(VaultError::TooFast { what, wait_ms });
                }
                self.permits.request(method.class, address, times)
            }
        }
    }

    /// What the caller asks for, within the limits.
    fn deadline(&self, method: &Method, asked: Option<Duration>, began: Instant) -> Deadline {
        let (usual, most) = match method.access {
            Access::Operator => (self.limits.admin_deadline, self.limits.admin_deadline_max),
            _ => (self.limits.deadline, self.limits.deadline_max),
        };
        Deadline { began, answer: began + asked.unwrap_or(usual).min(most), asked }
    }

    /// What is said when the deadline has passed.
    pub(crate) fn late(method: &Method) -> VaultError {
        if method.acts { VaultError::Unknown } else { VaultError::Deadline }
    }
}

/// Refusals in all have no limit of their own.
const ALL_REFUSALS: Rate = Rate { burst: u32::MAX, every: Duration::from_nanos(1) };

/// Whether a refusal is for what the request is, or for who sends it.
fn is_callers_fault(code: Code) -> bool {
    matches!(code.status(), Grpc::InvalidArgument | Grpc::Unauthenticated | Grpc::PermissionDenied)
}

/// Who is at the other end of a request's connection, as far as an address tells.
pub(crate) fn address_of(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<PeerAddress>().map(|PeerAddress(address)| whose(address.ip()))
}

/// An answer that keeps its place until its end.
fn held_by(answer: Response, place: Place) -> Response {
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    })
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type
        .is_some_and(|value| value == "application/grpc" || value.starts_with("application/grpc+"))
}

/// Longer than this is no deadline.
const ASKED_MAX: Duration = Duration::from_secs(24 * 3600);

/// The value of `grpc-timeout`: at most eight digits and a unit.
fn asked_for(headers: &HeaderMap) -> Result<Option<Duration>, VaultError> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|value| {
        let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
        if digits.is_empty()
            || digits.len() > 8
            || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let amount: u64 = digits.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(amount * 3600),
            "M" => Duration::from_secs(amount * 60),
            "S" => Duration::from_secs(amount),
            "m" => Duration::from_millis(amount),
            "u" => Duration::from_micros(amount),
            "n" => Duration::from_nanos(amount),
            _ => return None,
        })
    });
    let malformed = || {
        VaultError::Malformed(
            "grpc-timeout must be 1 to 8 digits and one of H M S m u n".to_owned(),
        )
    };
    parsed.map(|asked| Some(asked.min(ASKED_MAX))).ok_or_else(malformed)
}

fn refuse(error: &VaultError) -> Response {
    into_status(error).into_http::<Body>()
}

/// Gives a refusal that the machinery below made (a message too large, or no protobuf) its code.
fn with_detail(response: Response) -> Response {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    if status.code() == Grpc::Ok || proto::convert::detail_of(&status).is_some() {
        return response;
    }
    detailed(status).into_http()
}

/// A refusal with its code, whoever made it.
pub(crate) fn detailed(status: Status) -> Status {
    if proto::convert::detail_of(&status).is_some() {
        return status;
    }
    into_status(&match status.code() {
        Grpc::OutOfRange | Grpc::ResourceExhausted => {
            VaultError::TooLarge(status.message().to_owned())
        }
        Grpc::Unimplemented => VaultError::Unimplemented,
        // Our own faults always carry a detail; what is left is a message that does not decode.
        _ => VaultError::Malformed(status.message().to_owned()),
    })
}

/// The code of an answer, for counting.
fn code_of(response: &Response) -> String {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Grpc::Ok => detail_code(&status),
        _ => "ok".to_owned(),
    }
}

#[cfg(test)]
mod tests;
