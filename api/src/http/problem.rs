//! Refusals as problem details (RFC 9457): the code, the retry class and the rest of the error's detail.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use proto::convert::detail_of;
use proto::v1::ErrorDetail;
use proto::v1::error_detail::Retry;
use serde_json::{Value, json};
use tonic::Status;

use super::json::base64url;
use crate::vault::{Code, VaultError};

/// What a body in JSON says it is, when it tells of a refusal.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal.
pub(super) struct Problem {
    status: StatusCode,
    detail: Box<ErrorDetail>,
}

impl Problem {
    /// The refusal that a status carries.
    pub(super) fn of(status: &Status) -> Self {
        let detail = detail_of(status).unwrap_or_else(|| VaultError::Broken.detail());
        let code = Code::named(&detail.code);
        let status = code.map_or(StatusCode::INTERNAL_SERVER_ERROR, Code::http);
        Self { status, detail: Box::new(detail) }
    }

    /// The same, under another status: what the request itself said about it.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Its stable code.
    pub(super) fn code(&self) -> &str {
        &self.detail.code
    }

    /// Its fields.
    pub(super) fn to_json(&self) -> Value {
        let detail = &self.detail;
        let title = Code::named(&detail.code).map_or("", Code::meaning);
        let mut object = json!({
            "type": format!("urn:holdfast:error:{}", detail.code),
            "title": title,
            "status": self.status.as_u16(),
            "code": detail.code,
            "detail": detail.message,
            "retry": retry(detail.retry()),
        });
        if let Some(object) = object.as_object_mut() {
            if !detail.leader.is_empty() {
                object.insert("leader".to_owned(), json!(detail.leader));
            }
            if detail.retry_after_ms > 0 {
                object.insert("retry_after_ms".to_owned(), json!(detail.retry_after_ms));
            }
            if !detail.found_head.is_empty() {
                object.insert("found_seq".to_owned(), json!(detail.found_seq));
                object.insert("found_head".to_owned(), json!(base64url(&detail.found_head)));
            }
        }
        object
    }

    /// As an answer.
    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM);
        for (name, value) in NEVER_KEPT {
            headers.insert(name, value);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("DPoP algs=\"ES256\""));
        }
        if self.detail.retry_after_ms > 0 {
            let seconds = self.detail.retry_after_ms.div_ceil(1000);
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        Self { status: error.code().http(), detail: Box::new(error.detail()) }
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self::of(&status)
    }
}

/// Headers of every answer: nobody on the way keeps it, and nobody guesses what it is.
pub(super) const NEVER_KEPT: [(HeaderName, HeaderValue); 2] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// The names of retry classes.
pub(super) const RETRIES: [&str; 3] = ["never", "safe", "same_request"];

fn retry(class: Retry) -> &'static str {
    match class {
        Retry::Safe => RETRIES[1],
        Retry::SameRequest => RETRIES[2],
        Retry::Never | Retry::Unspecified => RETRIES[0],
    }
}
