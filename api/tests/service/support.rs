//! What the tests stand on: whole nodes in this process, and devices that push real commits to them.

pub mod authority;
pub mod caller;
pub mod cluster;
pub mod owner;
pub mod web;

use std::future::Future;
use std::time::{Duration, Instant};

use proto::convert::detail_of;
use proto::v1::ErrorDetail;
use tonic::Status;

/// Longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `holds`, asked again and again.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The detail of a refusal.
pub fn detail(status: &Status) -> ErrorDetail {
    detail_of(status).unwrap_or_else(|| panic!("a refusal without a detail: {status:?}"))
}

/// The code of what must be a refusal.
pub fn code<T>(outcome: Result<T, Status>) -> String {
    match outcome {
        Ok(_) => panic!("not refused"),
        Err(status) => detail(&status).code,
    }
}
