//! What requests carry, counted while it comes: a node holds so many bytes of requests and no more.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use tonic::Status;

use super::pool::{Permit, Pool};
use crate::methods::Class;
use crate::vault::VaultError;

/// The bytes that requests hold.
pub(crate) type Bytewise = Arc<Pool>;

/// What one request holds of them; given back when all copies are dropped.
#[derive(Clone)]
pub(crate) struct Account {
    bytes: Bytewise,
    class: Class,
    /// How many bytes of memory one byte of the body takes in the end.
    times: usize,
    held: Arc<Mutex<Option<Permit>>>,
}

impl Account {
    pub(crate) fn new(bytes: &Bytewise, class: Class, times: usize) -> Self {
        Self { bytes: Arc::clone(bytes), class, times, held: Arc::default() }
    }

    /// The same body, of which every part is counted when it comes.
    ///
    /// The body fails with a [`Status`] that carries the code `busy` when there is no room for more.
    pub(crate) fn count(&self, body: Body) -> Body {
        let account = self.clone();
        Body::from_stream(body.into_data_stream().map(move |part| {
            let part = part?;
            account.take(part.len()).map_err(Status::from)?;
            Ok::<Bytes, BoxError>(part)
        }))
    }

    fn take(&self, bytes: usize) -> Result<(), VaultError> {
        let more = self.bytes.take_many(self.class, bytes.saturating_mul(self.times))?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.absorb(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// The refusal that broke a body off, if it was one of [`Account::count`].
pub(crate) fn refusal_in(error: &(dyn Error + 'static)) -> Option<Status> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<Status>() {
            return Some(status.clone());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::to_bytes;
    use proto::convert::detail_of;

    use super::*;

    fn body(parts: usize) -> Body {
        let part = || Ok::<_, std::convert::Infallible>(Bytes::from(vec![7; 10]));
        Body::from_stream(futures::stream::iter((0..parts).map(move |_| part())))
    }

    #[tokio::test]
    async fn what_comes_is_counted_until_the_request_is_done() {
        let bytes: Bytewise = Arc::new(Pool::new("bytes", 100));
        let account = Account::new(&bytes, Class::Urgent, 2);
        assert_eq!(to_bytes(account.count(body(4)), 1000).await.unwrap().len(), 40);
        let other = Account::new(&bytes, Class::Urgent, 2);
        let refused = to_bytes(other.count(body(2)), 1000).await.unwrap_err();
        let refused = refusal_in(&refused).unwrap();
        assert_eq!(detail_of(&refused).unwrap().code, "busy");
        drop((account, other));
        let account = Account::new(&bytes, Class::Urgent, 2);
        to_bytes(account.count(body(5)), 1000).await.unwrap();
    }
}
