//! Errors on their way out: [`VaultError`] as a gRPC status with its detail.

use proto::convert::{detail_of, status_with_detail};
use tonic::Status;

use crate::vault::VaultError;

/// The status of an error, with its detail attached.
pub(crate) fn into_status(error: &VaultError) -> Status {
    status_with_detail(error.code().status(), &error.detail())
}

impl From<VaultError> for Status {
    fn from(error: VaultError) -> Self {
        into_status(&error)
    }
}

/// The stable code that a status carries, or what gRPC calls it.
pub(crate) fn detail_code(status: &Status) -> String {
    detail_of(status).map_or_else(|| format!("{:?}", status.code()), |detail| detail.code)
}
