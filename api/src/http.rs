//! HTTP/JSON: the same methods as gRPC, through the same door, for whoever has no gRPC.
//!
//! Promises: a route asks its method and nothing else, so that neither surface can do what the other
//! cannot; who may call is decided before the body is read; every refusal is a problem (RFC 9457) with
//! the code of `docs/errors.md`; nothing is guessed from what is doubtful. `/openapi.json` is made from the
//! schema and the table of routes.
//!
//! Not here: what a method does (`grpc`, and the vault behind it).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST, IF_MATCH};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use prost::Message;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use self::problem::Problem;
use self::routes::{Answer, ROUTES, Route, Verb};
use crate::door::{self, Asked, Door};
use crate::grpc::{MESSAGE_MAX, SMALL_MESSAGE_MAX};
use crate::methods::{Class, Method};
use crate::policy::Limits;
use crate::shed::body::refusal_in;
use crate::trace::{Surface, incoming};
use crate::vault::{Code, VaultError};

mod answer;
mod call;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod json;
mod openapi;
pub(crate) mod probes;
mod problem;
mod request;
mod routes;
mod strict;

/// A body is held as text, as JSON, as a message, as it is called, and once more if it is passed on.
const JSON_TIMES: usize = 5;
/// The largest body. Bytes take four thirds of their length in base64url.
const BODY_MAX: usize = MESSAGE_MAX / 3 * 4 + SMALL_MESSAGE_MAX;

const _: () = assert!(
    JSON_TIMES * BODY_MAX <= Class::Write.share(Limits::REQUEST_BYTES_MIN),
    "the largest push finds room in the least memory that may be set"
);

/// Why the schema cannot be offered as JSON.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// The descriptors do not read.
    #[error("the schema does not read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// A route's method is not in it.
    #[error("the schema has no {0}")]
    NoMethod(&'static str),
    /// A field is of a type that has no form in JSON here.
    #[error("{0} has no form in JSON")]
    NoForm(String),
}

/// A route, bound to its method's messages.
struct Bound {
    route: &'static Route,
    method: &'static Method,
    input: MessageDescriptor,
    output: MessageDescriptor,
}

/// A route that can be asked.
struct Exchange {
    bound: Bound,
    door: Arc<Door>,
    methods: Router,
}

/// All routes, in front of `methods`, which nothing else guards.
///
/// # Errors
/// [`SchemaError`]: never with the schema that is built in, as a test shows.
pub(crate) fn routes(door: &Arc<Door>, methods: &Router) -> Result<Router, SchemaError> {
    let pool = schema()?;
    let document: Bytes = openapi::document(&bind_all(&pool)?).to_string().into();
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let openapi = get(async move || (json, document).into_response());
    let mut router = Router::new().route("/openapi.json", refusing(openapi, "GET, HEAD"));
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let mut verbs = MethodRouter::new();
        let mut allowed = Vec::new();
        for bound in bind_all(&pool)?.into_iter().filter(|bound| bound.route.path == path) {
            let filter = match bound.route.verb {
                Verb::Get => MethodFilter::GET,
                Verb::Post => MethodFilter::POST,
                Verb::Put => MethodFilter::PUT,
                Verb::Delete => MethodFilter::DELETE,
            };
            allowed.push(bound.route.verb.name());
            let (door, methods) = (Arc::clone(door), methods.clone());
            let exchange = Arc::new(Exchange { bound, door, methods });
            let serve = move |path: RawPathParams, request: Request| {
                let exchange = Arc::clone(&exchange);
                async move { exchange.serve(path, request).await }
            };
            verbs = verbs.on(filter, serve);
        }
        router = router.route(path, refusing(verbs, &allowed.join(", ")));
    }
    Ok(router)
}

/// What is neither a method nor a route.
pub(crate) fn nothing_there() -> Response {
    Problem::from(VaultError::Unimplemented).with_status(StatusCode::NOT_FOUND).into_response()
}

/// Refuses every other verb, and says which there are.
fn refusing(verbs: MethodRouter, allowed: &str) -> MethodRouter {
    let allowed = HeaderValue::from_str(allowed).unwrap_or(HeaderValue::from_static(""));
    verbs.fallback(async move || {
        let problem = Problem::from(VaultError::Unimplemented);
        let mut refused = problem.with_status(StatusCode::METHOD_NOT_ALLOWED).into_response();
        refused.headers_mut().insert(ALLOW, allowed);
        refused
    })
}

fn schema() -> Result<DescriptorPool, SchemaError> {
    let mut pool = DescriptorPool::decode(proto::PUBLIC_DESCRIPTORS)?;
    pool.decode_file_descriptor_set(proto::ADMIN_DESCRIPTORS)?;
    Ok(pool)
}

fn bind_all(pool: &DescriptorPool) -> Result<Vec<Bound>, SchemaError> {
    ROUTES.iter().map(|route| bind(pool, route)).collect()
}

fn bind(pool: &DescriptorPool, route: &'static Route) -> Result<Bound, SchemaError> {
    let missing = || SchemaError::NoMethod(route.method);
    let (service, name) =
        route.method.trim_start_matches('/').split_once('/').ok_or_else(missing)?;
    let service = pool.get_service_by_name(service).ok_or_else(missing)?;
    let found = service.methods().find(|method| method.name() == name).ok_or_else(missing)?;
    let (input, output) = (found.input(), found.output());
    for message in openapi::reachable([&input, &output]) {
        if let Some(field) = message.fields().find(|field| !json::has_form(field)) {
            return Err(SchemaError::NoForm(field.full_name().to_owned()));
        }
    }
    Ok(Bound { route, method: route.method().ok_or_else(missing)?, input, output })
}

impl Exchange {
    async fn serve(&self, path: RawPathParams, request: Request) -> Response {
        let span = incoming(Surface::Http, self.bound.method, request.headers());
        self.serve_within(path, request).instrument(span).await
    }

    async fn serve_within(&self, path: RawPathParams, request: Request) -> Response {
        let (began, address) = (Instant::now(), door::address_of(&request));
        let path = path.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let conditional = request.headers().contains_key(IF_MATCH);
        let (code, response) = match self.answer(path, request, began).await {
            Ok(response) => ("ok".to_owned(), response),
            Err(problem) => {
                let code = problem.code().to_owned();
                // The request itself said on which head alone it may be done.
                let unmet = conditional && code == Code::Conflict.name();
                let problem = match unmet {
                    true => problem.with_status(StatusCode::PRECONDITION_FAILED),
                    false => problem,
                };
                (code, problem.into_response())
            }
        };
        self.door.answered(Some(self.bound.method), code, address, began);
        response
    }

    async fn answer(
        &self,
        path: Vec<(String, String)>,
        request: Request,
        began: Instant,
    ) -> Result<Response, Problem> {
        let method = self.bound.method;
        let asked = Asked {
            verb: request.method().as_str().to_owned(),
            uri: address_of(&request),
            patience: request::patience(request.headers())?,
            times: JSON_TIMES,
        };
        let (_place, deadline, request) = self.door.admit(method, &asked, request, began)?;
        let work = async {
            let (parts, body) = request.into_parts();
            self.ask(&path, parts, body).await
        };
        timeout_at(deadline.due(), work).await.unwrap_or_else(|_| Err(Door::late(method).into()))
    }

    async fn ask(
        &self,
        path: &[(String, String)],
        parts: Parts,
        body: Body,
    ) -> Result<Response, Problem> {
        let Bound { route, input, output, .. } = &self.bound;
        if route.verb.has_body() && !request::is_json(&parts.headers) {
            let problem = "send the body as application/json".to_owned();
            return Err(Problem::from(VaultError::Malformed(problem))
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let body = collect(body).await?;
        let query = parts.uri.query();
        let message = request::read(route, input, path, query, &parts.headers, &body)?;
        let called = message.encode_to_vec();
        drop(body);
        let reply =
            call::call(self.methods.clone(), route.method, &called, parts.extensions).await?;
        Ok(match route.answer {
            Answer::One => answer::one(reply, output).await?,
            Answer::Created => {
                let wallet = json::base64url(request::head_of(&message)?.wallet.as_bytes());
                answer::created(answer::one(reply, output).await?, &format!("/v1/wallets/{wallet}"))
            }
            Answer::List => answer::list(reply, output.clone(), &parts.headers).await?,
            Answer::Events => answer::events(reply, output.clone()).await?,
        })
    }
}

/// What a proof of possession names: scheme, authority and path, without a query (RFC 9449, section 4.3).
fn address_of(request: &Request) -> String {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = authority.or(host).unwrap_or_default();
    format!("https://{authority}{}", Uri::path(request.uri()))
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(VaultError::TooLarge(format!("a body has at most {BODY_MAX} bytes")).into())
        }
        Err(error) => Err(match refusal_in(error.as_ref()) {
            Some(refusal) => refusal.into(),
            None => VaultError::Malformed(format!("the body broke off: {error}")).into(),
        }),
    }
}

#[cfg(test)]
mod tests;
