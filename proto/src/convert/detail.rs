//! [`ErrorDetail`] in and out of the metadata of a gRPC status.

use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::v1::ErrorDetail;

/// Metadata key under which every refusal carries its [`ErrorDetail`].
pub const DETAIL_KEY: &str = "holdfast-error-bin";

/// A status with its detail attached; the message of both is the same.
pub fn status_with_detail(code: Code, detail: &ErrorDetail) -> Status {
    let mut status = Status::new(code, detail.message.clone());
    status
        .metadata_mut()
        .insert_bin(DETAIL_KEY, MetadataValue::from_bytes(&detail.encode_to_vec()));
    status
}

/// The detail that a status carries, if it does and it can be read.
///
/// A status without one was made on the way: by a proxy, or by the transport itself.
pub fn detail_of(status: &Status) -> Option<ErrorDetail> {
    let bytes = status.metadata().get_bin(DETAIL_KEY)?.to_bytes().ok()?;
    ErrorDetail::decode(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::error_detail::Retry;

    #[test]
    fn a_detail_comes_back_from_the_status_that_carries_it() {
        let detail = ErrorDetail {
            code: "conflict".to_owned(),
            message: "the head has moved on".to_owned(),
            retry: Retry::Never.into(),
            leader: "https://127.0.0.1:7000".to_owned(),
            retry_after_ms: 0,
            found_seq: 7,
            found_head: vec![7; 32].into(),
        };
        let status = status_with_detail(Code::Aborted, &detail);
        assert_eq!(status.code(), Code::Aborted);
        assert_eq!(status.message(), detail.message);
        assert_eq!(detail_of(&status), Some(detail));
    }

    #[test]
    fn a_status_from_elsewhere_has_no_detail() {
        assert_eq!(detail_of(&Status::unavailable("connection refused")), None);
        let mut garbled = Status::internal("");
        garbled.metadata_mut().insert_bin(DETAIL_KEY, MetadataValue::from_bytes(&[0xff; 9]));
        assert_eq!(detail_of(&garbled), None);
    }
}
