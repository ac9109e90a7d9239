//! The network of a run: every directed link between two nodes, or a node and the clients, can be slow,
//! lossy, narrow or cut.
//!
//! Two implementations behind one face. The *switch* puts every node, and the clients, into network
//! namespaces of their own and moves their packets itself, so that every effect is to be had; it needs
//! root. The *proxy* is for everybody else: nodes share loopback, and their connections lead through this
//! process; what cannot be done to a byte stream is not to be had ([`Net::can`]). Either ends with this
//! process, however that ends, and leaves nothing behind.
//!
//! A run goes through these steps: [`Net::start`]; [`Net::plans`] into `server::cluster::Options`;
//! everything else, the runtime of the clients included, inside [`End::Clients`] ([`Net::inside`]);
//! `Cluster::create`; [`Net::join`]; each `Cluster::start_node` inside its [`End::Node`]; clients use
//! [`Net::endpoints`].
//!
//! Not here: which links are cut when ([`shapes`] has the sets, the nemeses have the times).

mod filter;
mod lane;
mod layout;
mod link;
mod packet;
mod proxy;
pub mod shapes;
mod space;
mod switch;

pub use layout::{Layout, LayoutError, Place};
pub use link::{Counters, Cut, Effect, End, Link};

use proxy::Proxy;
use server::cluster::{Cluster, NodePlan, plan::PlanError};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, PoisonError},
};
use switch::Switch;

/// Why there is no such network here.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// What this process needs and has not.
    #[error("{0}")]
    Lacking(String),
    /// The system does not let it.
    #[error("a network namespace cannot be made or entered: {source}")]
    NoNamespace {
        /// What the system said.
        source: io::Error,
    },
    /// The device is there and does not open, or not as expected.
    #[error("a TUN device cannot be made: {source}")]
    NoDevice {
        /// What the system said.
        source: io::Error,
    },
    /// A tool refused.
    #[error("{name} failed: {said}")]
    Tool {
        /// The tool.
        name: &'static str,
        /// What it said.
        said: String,
    },
    /// The system gives no thread, or what one needs.
    #[error("the network's thread cannot be started: {source}")]
    NoThread {
        /// What the system said.
        source: io::Error,
    },
    /// The proxy cannot listen.
    #[error("no port of loopback can be listened on: {source}")]
    NoPort {
        /// What the system said.
        source: io::Error,
    },
    /// Only the switch has it.
    #[error("{0:?} is not to be had from the {1}")]
    Cannot(Effect, &'static str),
    /// A name that nodes cannot have.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// A running network.
pub struct Net {
    layout: Layout,
    means: Means,
    /// Why it is not the switch, if that was asked for.
    note: Option<String>,
    /// What nftables drop at each node; none until it was first asked to.
    filters: Mutex<Vec<Option<BTreeSet<End>>>>,
    filter: bool,
}

enum Means {
    Switch(Switch),
    Proxy(Proxy),
}

impl Net {
    /// The switch where it is to be had, or else the proxy. All links are as the layout says.
    ///
    /// # Errors
    /// Neither is to be had.
    pub fn start(layout: &Layout, seed: u64) -> Result<Net, NetError> {
        match Net::switch(layout, seed) {
            Ok(net) => Ok(net),
            Err(error) => Ok(Net { note: Some(error.to_string()), ..Net::proxy(layout, seed)? }),
        }
    }

    /// The switch.
    ///
    /// # Errors
    /// [`NetError::Lacking`] without the rights of root, `/dev/net/tun`, `unshare` or `ip`; otherwise the
    /// system refuses.
    pub fn switch(layout: &Layout, seed: u64) -> Result<Net, NetError> {
        if let Some(lacking) = space::lacking() {
            return Err(NetError::Lacking(lacking));
        }
        let switch = Switch::start(layout, seed)?;
        let filter = match switch.space(End::Clients) {
            Some(space) => space.inside(filter::available)?,
            None => false,
        };
        Ok(Net::new(layout, Means::Switch(switch), filter))
    }

    /// The proxy.
    ///
    /// # Errors
    /// No port is free.
    pub fn proxy(layout: &Layout, seed: u64) -> Result<Net, NetError> {
        Ok(Net::new(layout, Means::Proxy(Proxy::start(layout, seed)?), false))
    }

    fn new(layout: &Layout, means: Means, filter: bool) -> Net {
        let filters = Mutex::new(vec![None; layout.nodes().len()]);
        Net { layout: layout.clone(), means, note: None, filters, filter }
    }

    /// `switch` or `proxy`, for the verdict.
    pub fn kind(&self) -> &'static str {
        match self.means {
            Means::Switch(_) => "switch",
            Means::Proxy(_) => "proxy",
        }
    }

    /// Why [`Net::start`] had to take the proxy.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Where the nodes stand.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether an effect is to be had. One that is not has no effect when it is set.
    pub fn can(&self, effect: Effect) -> bool {
        match (&self.means, effect) {
            (_, Effect::Filter) => self.filter,
            (Means::Switch(_), _) => true,
            (Means::Proxy(_), effect) => matches!(
                effect,
                Effect::Delay | Effect::Jitter | Effect::Bandwidth | Effect::Cut | Effect::Refuse
            ),
        }
    }

    /// The nodes as `server::cluster::Options` wants them: names and data centres of the layout, hosts of
    /// this network.
    ///
    /// # Errors
    /// A name that nodes cannot have.
    pub fn plans(&self) -> Result<Vec<NodePlan>, NetError> {
        let mut plans = Vec::new();
        for (n, place) in self.layout.nodes().iter().enumerate() {
            let host = match &self.means {
                Means::Switch(_) => packet::address(End::Node(n)).to_string(),
                Means::Proxy(proxy) => proxy.host().to_string(),
            };
            let mut plan = NodePlan::new(&place.node, &place.dc, &host)?;
            if let Means::Proxy(proxy) = &self.means {
                plan.overrides = proxy.overrides(n);
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    /// Learns where the nodes of a cluster that was made of [`Net::plans`] listen. Before any of them
    /// starts, and again when one was added.
    pub fn join(&self, cluster: &Cluster) {
        if let Means::Proxy(proxy) = &self.means {
            proxy.join(&self.layout, cluster);
        }
    }

    /// The public endpoints of a cluster, in the order of its nodes, as clients on this network reach
    /// them. With the proxy, the cluster's own go past it: good for its operator, who is not under test.
    pub fn endpoints(&self, cluster: &Cluster) -> Vec<String> {
        match &self.means {
            Means::Switch(_) => cluster.endpoints(),
            Means::Proxy(proxy) => {
                let names = cluster.nodes().iter().map(|node| &node.plan.name);
                names.filter_map(|name| proxy.endpoint(self.layout.find(name)?)).collect()
            }
        }
    }

    /// Runs something where an end is, on a thread of its own. Threads, runtimes and processes that it
    /// starts stay there.
    ///
    /// # Errors
    /// There is no such end, or its namespace cannot be entered any more.
    pub fn inside<T: Send>(&self, end: End, run: impl FnOnce() -> T + Send) -> Result<T, NetError> {
        match &self.means {
            Means::Switch(switch) => match switch.space(end) {
                Some(space) => space.inside(run),
                None => Err(NetError::NoNamespace { source: io::ErrorKind::NotFound.into() }),
            },
            Means::Proxy(_) => Ok(run()),
        }
    }

    /// From now on the link is like this, in place of what the layout says: start from
    /// [`Layout::base`] to keep the distance.
    pub fn set(&self, from: End, to: End, link: &Link) {
        let nodes = self.layout.nodes().len();
        let (from, to) = (index(from, nodes), index(to, nodes));
        if from != to && from <= nodes && to <= nodes {
            let lane = lane(from, to, nodes);
            match &self.means {
                Means::Switch(switch) => switch.set(lane, link),
                Means::Proxy(proxy) => proxy.set(lane, link),
            }
        }
    }

    /// Cuts these links between nodes, in one direction each. Others stay as they are.
    pub fn cut(&self, cuts: &BTreeSet<(usize, usize)>, how: Cut) {
        for (from, to) in cuts {
            let (from, to) = (End::Node(*from), End::Node(*to));
            self.set(from, to, &Link { cut: Some(how), ..self.layout.base(from, to) });
        }
    }

    /// All links are as the layout says again, and nothing is filtered.
    ///
    /// # Errors
    /// A filter could not be taken back.
    pub fn heal(&self) -> Result<(), NetError> {
        match &self.means {
            Means::Switch(switch) => switch.heal(),
            Means::Proxy(proxy) => proxy.heal(),
        }
        let filtered: Vec<(usize, BTreeSet<End>)> = {
            let filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
            let known = filters.iter().enumerate();
            known.filter_map(|(n, from)| Some((n, from.clone()?))).collect()
        };
        for (node, ends) in filtered {
            for from in ends {
                self.filter(node, from, false)?;
            }
        }
        Ok(())
    }

    /// What happened on each link so far.
    pub fn counters(&self) -> BTreeMap<(End, End), Counters> {
        let counters = match &self.means {
            Means::Switch(switch) => switch.counters(),
            Means::Proxy(proxy) => proxy.counters(),
        };
        pairs(&self.layout).zip(counters).filter(|((from, to), _)| from != to).collect()
    }

    /// Has a node's own kernel drop what comes from an end, or no longer: a cut that owes nothing to the
    /// switch. [`Net::filtered`] counts.
    ///
    /// # Errors
    /// [`Effect::Filter`] is not to be had, or `nft` refuses.
    pub fn filter(&self, node: usize, from: End, cut: bool) -> Result<(), NetError> {
        let mut filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = filters.get_mut(node).filter(|_| self.filter) else {
            return Err(NetError::Cannot(Effect::Filter, self.kind()));
        };
        if known.is_none() {
            self.inside(End::Node(node), filter::prepare)??;
        }
        let mut ends = known.clone().unwrap_or_default();
        if cut {
            ends.insert(from)
        } else {
            ends.remove(&from)
        };
        let list: Vec<End> = ends.iter().copied().collect();
        *known = Some(ends);
        self.inside(End::Node(node), || filter::set(&list))?
    }

    /// How many packets a node's own kernel dropped for [`Net::filter`].
    ///
    /// # Errors
    /// `nft` refuses.
    pub fn filtered(&self, node: usize) -> Result<u64, NetError> {
        let filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        match filters.get(node) {
            Some(Some(_)) => self.inside(End::Node(node), filter::dropped)?,
            _ => Ok(0),
        }
    }
}

/// The number of an end: nodes as they are, then the clients.
fn index(end: End, nodes: usize) -> usize {
    match end {
        End::Node(n) if n < nodes => n,
        End::Node(_) => usize::MAX,
        End::Clients => nodes,
    }
}

/// The number of a directed link between two ends' numbers.
fn lane(from: usize, to: usize, nodes: usize) -> usize {
    from * (nodes + 1) + to
}

/// Every pair of ends, in the order of their links' numbers. Those of an end with itself are never used.
fn pairs(layout: &Layout) -> impl Iterator<Item = (End, End)> {
    let ends = layout.ends();
    let inner = ends.clone();
    ends.into_iter().flat_map(move |from| inner.clone().into_iter().map(move |to| (from, to)))
}
