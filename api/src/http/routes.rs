//! Every route of HTTP/JSON: which method it is, and how its answer is given.
//!
//! What is not in this table does not exist. A test holds it against the methods, so that neither
//! surface can offer less than the other.

use crate::methods::Method;

/// What is done with a resource (RFC 9110, section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Reads; what it asks for stands in the query.
    Get,
    /// Acts; what it asks for is the body.
    Post,
    /// Acts; repeating it has one effect. What it asks for is the body.
    Put,
    /// Acts, without a body.
    Delete,
}

impl Verb {
    /// As it stands in a request.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether requests have a body.
    pub(crate) const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }
}

/// How an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One object.
    One,
    /// One object, with status 201 and the place of what was created.
    Created,
    /// An array with one object for each message of a stream.
    List,
    /// Server-sent events, one for each message of a stream.
    Events,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// What is done.
    pub(crate) verb: Verb,
    /// To what; a name in braces is a field of the method's request, except in [`HEAD_PATH`].
    pub(crate) path: &'static str,
    /// The path of the method that does it.
    pub(crate) method: &'static str,
    /// How it is answered.
    pub(crate) answer: Answer,
}

/// Where heads are moved. The wallet in it is the one that the signed head names.
pub(crate) const HEAD_PATH: &str = "/v1/wallets/{wallet}/head";

const fn route(verb: Verb, path: &'static str, method: &'static str, answer: Answer) -> Route {
    Route { verb, path, method, answer }
}

/// All of them.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    route(Verb::Post, "/v1/wallets", "/holdfast.v1.Wallets/Create", Answer::Created),
    route(Verb::Get, "/v1/wallets/{wallet}", "/holdfast.v1.Wallets/Pull", Answer::List),
    route(Verb::Put, HEAD_PATH, "/holdfast.v1.Wallets/Push", Answer::One),
    route(Verb::Get, "/v1/wallets/{wallet}/watch", "/holdfast.v1.Wallets/Watch", Answer::Events),
    route(Verb::Get, "/v1/wallets/{wallet}/links", "/holdfast.v1.Devices/Links", Answer::List),
    route(Verb::Post, "/v1/challenges", "/holdfast.v1.Devices/Challenge", Answer::One),
    route(Verb::Post, "/v1/sessions", "/holdfast.v1.Devices/OpenSession", Answer::One),
    route(Verb::Post, "/v1/recovery/challenges", "/holdfast.v1.Recovery/Challenge", Answer::One),
    route(Verb::Post, "/v1/recovery/sessions", "/holdfast.v1.Recovery/Open", Answer::One),
    route(Verb::Get, "/v1/admin/status", "/holdfast.admin.v1.Admin/Status", Answer::One),
    route(Verb::Get, "/v1/admin/nodes", "/holdfast.admin.v1.Admin/Nodes", Answer::One),
    route(Verb::Post, "/v1/admin/nodes", "/holdfast.admin.v1.Admin/Join", Answer::One),
    route(Verb::Delete, "/v1/admin/nodes/{name}", "/holdfast.admin.v1.Admin/Remove", Answer::One),
    route(Verb::Post, "/v1/admin/nodes/{name}/drain", "/holdfast.admin.v1.Admin/Drain", Answer::One),
    route(Verb::Get, "/v1/admin/groups", "/holdfast.admin.v1.Admin/Groups", Answer::One),
    route(Verb::Post, "/v1/admin/groups/{group}/transfer", "/holdfast.admin.v1.Admin/Transfer", Answer::One),
    route(Verb::Get, "/v1/admin/groups/{group}/export", "/holdfast.admin.v1.Admin/Export", Answer::List),
    route(Verb::Get, "/v1/admin/groups/{group}/journal", "/holdfast.admin.v1.Admin/Journal", Answer::One),
    route(Verb::Post, "/v1/admin/groups/{group}/restore", "/holdfast.admin.v1.Admin/Restore", Answer::One),
    route(Verb::Post, "/v1/admin/backups", "/holdfast.admin.v1.Admin/NoteBackup", Answer::One),
    route(Verb::Post, "/v1/admin/bootstrap", "/holdfast.admin.v1.Admin/Bootstrap", Answer::One),
    route(Verb::Post, "/v1/admin/recovery", "/holdfast.admin.v1.Admin/Recover", Answer::One),
    route(Verb::Post, "/v1/admin/unlock", "/holdfast.admin.v1.Admin/Unlock", Answer::One),
];

impl Route {
    /// The method behind it.
    pub(crate) fn method(&self) -> Option<&'static Method> {
        Method::of(self.method)
    }

    /// The names in braces, in order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::methods::METHODS;

    #[test]
    fn every_method_has_one_route_and_every_route_a_method() {
        let methods: Vec<_> =
            METHODS.iter().filter(|method| !method.probe).map(|method| method.path).collect();
        let routed: HashSet<_> = ROUTES.iter().map(|route| route.method).collect();
        assert_eq!(routed.len(), ROUTES.len(), "a method has two routes");
        assert_eq!(routed, methods.into_iter().collect());
    }

    #[test]
    fn no_two_routes_are_the_same() {
        let distinct: HashSet<_> =
            ROUTES.iter().map(|route| (route.verb.name(), route.path)).collect();
        assert_eq!(distinct.len(), ROUTES.len());
    }

    #[test]
    fn reading_is_get_and_acting_is_not() {
        for route in ROUTES {
            let acts = route.method().is_some_and(|method| method.acts);
            if acts {
                assert_ne!(route.verb, Verb::Get, "{}", route.path);
            }
        }
    }
}
