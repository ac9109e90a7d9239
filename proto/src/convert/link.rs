//! Signed links.

use types::{MemberSignature, SignedLink};

use super::ConvertError;
use crate::v1;

impl From<&SignedLink> for v1::SignedLink {
    fn from(link: &SignedLink) -> Self {
        let signatures = link.signatures().iter().map(|one| one.encode().into()).collect();
        Self { link: link.bytes().to_vec().into(), signatures }
    }
}

impl TryFrom<&v1::SignedLink> for SignedLink {
    type Error = ConvertError;

    fn try_from(link: &v1::SignedLink) -> Result<Self, ConvertError> {
        let mut signatures = Vec::with_capacity(link.signatures.len() * MemberSignature::LEN);
        for (at, signature) in link.signatures.iter().enumerate() {
            // One by one: two wrong lengths must not make up for each other.
            MemberSignature::parse(signature).map_err(ConvertError::format("signature", at))?;
            signatures.extend_from_slice(signature);
        }
        Self::parse(&link.link, &signatures).map_err(ConvertError::format("link", None))
    }
}
