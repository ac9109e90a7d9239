//! Operators: whoever shows a certificate of the cluster's CA that says so.

use raft::{ConnectionIdentity, IdentityKind};

use crate::vault::VaultError;

/// An operator of this cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    name: String,
}

impl Operator {
    /// Whom the connection's certificate names, if that is an operator of `cluster`.
    ///
    /// # Errors
    /// [`VaultError::Operator`] for everybody else.
    pub fn of(identity: Option<&ConnectionIdentity>, cluster: &str) -> Result<Self, VaultError> {
        identity
            .filter(|identity| {
                identity.kind == IdentityKind::Operator && identity.cluster == cluster
            })
            .map(|identity| Self { name: identity.name.clone() })
            .ok_or(VaultError::Operator)
    }

    /// The name in the certificate.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: IdentityKind, cluster: &str) -> ConnectionIdentity {
        ConnectionIdentity { cluster: cluster.into(), kind, name: "ada".into(), dc: String::new() }
    }

    #[test]
    fn only_an_operator_of_this_cluster_is_one() {
        let ada = identity(IdentityKind::Operator, "here");
        let operator = Operator::of(Some(&ada), "here");
        assert!(operator.is_ok_and(|operator| operator.name() == "ada"));
        let others = [
            None,
            Some(identity(IdentityKind::Operator, "elsewhere")),
            Some(identity(IdentityKind::Node, "here")),
        ];
        for other in others {
            let refused = Operator::of(other.as_ref(), "here");
            assert!(matches!(refused, Err(VaultError::Operator)), "{other:?}");
        }
    }
}
