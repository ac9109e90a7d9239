//! A method called from within: the messages of its answer one by one, and its refusal as a status.
//!
//! The call does not leave the process. It carries what the door has added to the request, so that the
//! method finds the same caller and the same deadline whichever surface was asked.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, HeaderValue, Method as Verb, Uri};
use http_body_util::BodyExt;
use tonic::{Code, Status};
use tower::ServiceExt;

use crate::door::detailed;
use crate::vault::VaultError;

/// In front of every message: a flag for compression, and its length (gRPC over HTTP/2).
const PREFIX: usize = 5;

/// An answer under way.
pub(super) struct Reply {
    body: Body,
    read: BytesMut,
    trailers: HeaderMap,
}

/// Calls the method at `path`.
///
/// # Errors
/// Its refusal, if it is refused before its first message.
pub(super) async fn call(
    methods: Router,
    path: &'static str,
    message: &[u8],
    extensions: Extensions,
) -> Result<Reply, Status> {
    let length = u32::try_from(message.len())
        .map_err(|_| VaultError::TooLarge("the body is larger than any message".to_owned()))?;
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);

    let mut request = Request::new(Body::from(framed.freeze()));
    *request.method_mut() = Verb::POST;
    *request.uri_mut() = Uri::from_static(path);
    *request.extensions_mut() = extensions;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));

    let response = match methods.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Err(detailed(status)),
        _ => Ok(Reply {
            body: response.into_body(),
            read: BytesMut::new(),
            trailers: HeaderMap::new(),
        }),
    }
}

impl Reply {
    /// The next message; none after the last one.
    ///
    /// # Errors
    /// Why the answer ended early.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.take() {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else { return self.ended() };
            let frame = frame.map_err(|error| {
                tracing::error!(%error, "a method's answer broke off");
                detailed(VaultError::Broken.into())
            })?;
            match frame.into_data() {
                Ok(data) => self.read.extend_from_slice(&data),
                Err(frame) => self.trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let mut length = self.read.get(1..PREFIX)?;
        let length = usize::try_from(length.get_u32()).ok()?;
        if self.read.len() - PREFIX < length {
            return None;
        }
        self.read.advance(PREFIX);
        Some(self.read.split_to(length).freeze())
    }

    fn ended(&self) -> Result<Option<Bytes>, Status> {
        match Status::from_header_map(&self.trailers) {
            Some(status) if status.code() == Code::Ok => Ok(None),
            Some(status) => Err(detailed(status)),
            None => Err(detailed(VaultError::Broken.into())),
        }
    }
}
