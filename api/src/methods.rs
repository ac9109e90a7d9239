//! Every method of every service: who may call it, how urgent it is, and what its answer means when it
//! does not come.
//!
//! What is not in this table does not exist. A test holds it against the schema, so that a method cannot
//! be added without a decision about who may call it.

/// What a caller must show before a method looks at the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it tells nothing about any wallet.
    Anyone,
    /// Nothing at the door: the request itself is signed, and is checked by that.
    Signed,
    /// A session and a proof.
    Session,
    /// An operator's certificate.
    Operator,
}

/// How urgent a request is: as a node fills up, those further up are refused first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It reads, or is on the way to reading.
    Read,
    /// It writes.
    Write,
    /// It writes, came when there was no more room for that, and may turn out to be urgent.
    Undecided,
    /// It recovers a wallet, changes its members, or is an operator's.
    Urgent,
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its path, as in `/holdfast.v1.Wallets/Push`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether it changes something: then an answer that does not come leaves the outcome open.
    pub acts: bool,
    /// How urgent it is.
    pub class: Class,
    /// Whether it is for programs that look after this one, not for wallets.
    pub probe: bool,
}

const fn method(path: &'static str, access: Access, acts: bool, class: Class) -> Method {
    Method { path, access, acts, class, probe: false }
}

const fn probe(path: &'static str) -> Method {
    Method { path, access: Access::Anyone, acts: false, class: Class::Read, probe: true }
}

/// All of them.
pub const METHODS: &[Method] = &[
    method("/holdfast.v1.Wallets/Create", Access::Signed, true, Class::Write),
    method("/holdfast.v1.Wallets/Push", Access::Signed, true, Class::Write),
    method("/holdfast.v1.Wallets/Pull", Access::Session, false, Class::Read),
    method("/holdfast.v1.Wallets/Watch", Access::Session, false, Class::Read),
    method("/holdfast.v1.Devices/Challenge", Access::Anyone, false, Class::Read),
    method("/holdfast.v1.Devices/OpenSession", Access::Signed, false, Class::Read),
    method("/holdfast.v1.Devices/Links", Access::Session, false, Class::Read),
    method("/holdfast.v1.Recovery/Challenge", Access::Anyone, false, Class::Urgent),
    method("/holdfast.v1.Recovery/Open", Access::Signed, false, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Bootstrap", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Join", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Remove", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Drain", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Transfer", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Unlock", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Status", Access::Operator, false, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Nodes", Access::Operator, false, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Groups", Access::Operator, false, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Export", Access::Operator, false, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Journal", Access::Operator, false, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Restore", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/NoteBackup", Access::Operator, true, Class::Urgent),
    method("/holdfast.admin.v1.Admin/Recover", Access::Operator, true, Class::Urgent),
    probe("/grpc.health.v1.Health/Check"),
    probe("/grpc.health.v1.Health/Watch"),
    probe("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    probe("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

impl Method {
    /// The method of exactly this path.
    pub fn of(path: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.path == path)
    }

    /// Its name without package, for metrics and logs: `Wallets/Push`.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    fn paths_of(descriptors: &[u8]) -> HashSet<String> {
        let set = FileDescriptorSet::decode(descriptors).unwrap();
        let mut paths = HashSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    paths.insert(format!(
                        "/{}.{}/{}",
                        file.package(),
                        service.name(),
                        method.name()
                    ));
                }
            }
        }
        paths
    }

    fn table_of(package: &str) -> HashSet<String> {
        METHODS
            .iter()
            .filter(|method| method.path.starts_with(package))
            .map(|method| method.path.to_owned())
            .collect()
    }

    #[test]
    fn the_table_has_exactly_the_methods_of_the_schema() {
        assert_eq!(table_of("/holdfast.v1."), paths_of(proto::PUBLIC_DESCRIPTORS));
        assert_eq!(table_of("/grpc.health."), paths_of(tonic_health::pb::FILE_DESCRIPTOR_SET));
        assert_eq!(table_of("/holdfast.admin."), paths_of(proto::ADMIN_DESCRIPTORS));
    }

    #[test]
    fn only_a_few_methods_are_for_anyone_and_admin_is_for_operators() {
        for method in METHODS {
            let for_anyone = method.probe || method.path.ends_with("/Challenge");
            assert_eq!(method.access == Access::Anyone, for_anyone, "{}", method.path);
            let is_admin = method.path.starts_with("/holdfast.admin.");
            assert_eq!(method.access == Access::Operator, is_admin, "{}", method.path);
        }
    }

    #[test]
    fn recovery_comes_before_pushes_and_pushes_before_pulls() {
        let of = |path: &str| Method::of(path).unwrap().class;
        assert!(of("/holdfast.v1.Recovery/Open") > of("/holdfast.v1.Wallets/Push"));
        assert!(of("/holdfast.v1.Recovery/Challenge") > of("/holdfast.v1.Wallets/Push"));
        assert!(of("/holdfast.v1.Wallets/Push") > of("/holdfast.v1.Wallets/Pull"));
        for method in METHODS.iter().filter(|method| method.access == Access::Operator) {
            assert_eq!(method.class, Class::Urgent, "{}", method.path);
        }
    }

    #[test]
    fn paths_are_compared_byte_for_byte() {
        for path in [
            "/holdfast.v1.Wallets/push",
            "//holdfast.v1.Wallets/Push",
            "/holdfast.v1.Wallets/Push/",
            "",
        ] {
            assert_eq!(Method::of(path), None, "{path:?}");
        }
        assert_eq!(Method::of("/holdfast.v1.Wallets/Push").map(Method::name), Some("Wallets/Push"));
        assert_eq!(
            Method::of("/grpc.health.v1.Health/Check").map(Method::name),
            Some("Health/Check")
        );
    }
}
