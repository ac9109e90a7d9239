//! The one place that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in seconds; 0 before 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
