//! What a fault takes away from a cluster, as far as a history tells: whether those who are left could serve.

use std::collections::BTreeSet;

use crate::{figures::Span, history::State};

/// More voters than these are not looked through: every set of them is.
const VOTERS_MAX: usize = 12;

/// What is not whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Harm {
    /// Nodes that are gone, stand still, are cut off, or have what they need taken from them.
    nodes: BTreeSet<String>,
    /// Links on which nothing comes through, in one direction.
    links: BTreeSet<(String, String)>,
    /// Something of which nobody can say whom it leaves whole.
    unsure: bool,
}

impl Harm {
    /// Of a fault while it lasts.
    pub(super) fn of(span: &Span) -> Harm {
        let nodes = || span.targets.iter().cloned().collect();
        match span.fault.as_str() {
            _ if span.state != State::Installed => Harm::unsure(),
            "cut" => {
                let link = |target: &String| {
                    let (from, to) = target.split_once('>')?;
                    Some((from.to_owned(), to.to_owned()))
                };
                let links: Option<BTreeSet<_>> = span.targets.iter().map(link).collect();
                links.map_or_else(Harm::unsure, |links| Harm { links, ..Harm::default() })
            }
            // All links of the node come and go; what comes to the node is dropped.
            "flap" | "filter" => Harm { nodes: nodes(), ..Harm::default() },
            // `boot` is a start of the node, by which nobody else is touched.
            "kill" | "behind" | "pause" | "power" | "power-in-sync" | "boot" | "corrupt" => {
                Harm { nodes: nodes(), ..Harm::default() }
            }
            "disk-full" | "slow-sync" | "fail-sync" | "processor" | "memory" | "files" => {
                Harm { nodes: nodes(), ..Harm::default() }
            }
            // Its targets are those who may take over.
            "transfer" => Harm::default(),
            // Of what is packed, turned or moved semantics.md says why it is not judged; of what is new nobody has
            // said anything.
            _ => Harm::unsure(),
        }
    }

    /// Nobody can say whom it leaves whole.
    pub(super) fn unsure() -> Harm {
        Harm { unsure: true, ..Harm::default() }
    }

    /// Both at a time.
    pub(super) fn join(&mut self, other: &Harm) {
        self.nodes.extend(other.nodes.iter().cloned());
        self.links.extend(other.links.iter().cloned());
        self.unsure |= other.unsure;
    }

    /// More than half of the voters, all whole, each of whom hears each other one. None if there are no such.
    pub(super) fn leaves<'a>(&self, voters: &'a [String]) -> Option<Vec<&'a str>> {
        let whole: Vec<&str> =
            voters.iter().map(String::as_str).filter(|name| !self.nodes.contains(*name)).collect();
        if self.unsure || voters.len() > VOTERS_MAX {
            return None;
        }
        let among = |set: u32| {
            let of = whole.iter().enumerate().filter(move |(place, _)| set >> place & 1 == 1);
            of.map(|(_, name)| *name).collect::<Vec<_>>()
        };
        let sets = (0..1_u32 << whole.len()).map(among);
        let majorities = sets.filter(|set| set.len() * 2 > voters.len() && self.is_connected(set));
        majorities.max_by_key(Vec::len)
    }

    fn is_connected(&self, nodes: &[&str]) -> bool {
        let both = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        nodes.iter().all(|from| nodes.iter().all(|to| !self.links.contains(&both(from, to))))
    }
}
