//! Signed heads.

use types::SignedHead;

use super::ConvertError;
use crate::v1;

impl From<&SignedHead> for v1::SignedHead {
    fn from(head: &SignedHead) -> Self {
        Self { head: head.bytes().into(), signature: head.signature().encode().into() }
    }
}

impl TryFrom<&v1::SignedHead> for SignedHead {
    type Error = ConvertError;

    fn try_from(head: &v1::SignedHead) -> Result<Self, ConvertError> {
        Self::parse(&head.head, &head.signature).map_err(ConvertError::format("head", None))
    }
}
