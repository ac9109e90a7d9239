//! Where the nodes stand and how far the data centres are from one another, in one line:
//! `dc1:n1 dc2:n2 dc3:n3, 2-3 ms between them`.

use super::{End, Link};
use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

/// The most nodes that a layout may have: addresses above are the clients'.
const MAX_NODES: usize = 200;
/// No two places on earth are further apart, in milliseconds.
const MAX_ROUND_TRIP_MS: f64 = 10_000.0;

/// Nodes by data centre, and the round trip between two data centres. Within one, and to the clients,
/// the way takes no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    nodes: Vec<Place>,
    fastest: Duration,
    slowest: Duration,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub node: String,
    /// Its data centre.
    pub dc: String,
}

/// Why a line is no layout.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayoutError {
    /// Not `DC:NODE`.
    #[error("{0:?} is not a place; write DC:NODE or DC:NODE+NODE, for example dc1:n1")]
    NotAPlace(String),
    /// Not `2-3 ms between them`.
    #[error("{0:?} is not a distance; write it as `2-3 ms between them` or `2 ms between them`")]
    NotADistance(String),
    /// A node that stands in two places.
    #[error("node {0:?} has two places; give it one")]
    Twice(String),
    /// None, or too many.
    #[error("{0} nodes make no layout; name 1 to {MAX_NODES}")]
    Size(usize),
}

impl Layout {
    /// The layouts of `server::cluster::Options::dev`, so far apart: 1 node; 3 in three data centres;
    /// 5 as two, two and one; any other number each in its own.
    ///
    /// # Errors
    /// No node, or too many.
    pub fn of(nodes: usize, fastest: Duration, slowest: Duration) -> Result<Layout, LayoutError> {
        let dc = |n: usize| if nodes == 5 { n / 2 } else { n };
        let place = |n| Place { node: format!("n{}", n + 1), dc: format!("dc{}", dc(n) + 1) };
        Layout { nodes: (0..nodes).map(place).collect(), fastest, slowest: slowest.max(fastest) }
            .checked()
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> &[Place] {
        &self.nodes
    }

    /// The number of the node with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|place| place.node == name)
    }

    /// What an end is called: the name of a node, or `clients`.
    pub fn name(&self, end: End) -> &str {
        match end {
            End::Node(n) => self.nodes.get(n).map_or("no node", |place| &place.node),
            End::Clients => "clients",
        }
    }

    /// The data centre of each node, in order, as a number.
    pub fn dcs(&self) -> Vec<usize> {
        let names: BTreeSet<&str> = self.nodes.iter().map(|place| place.dc.as_str()).collect();
        let number = |dc: &str| names.iter().position(|name| *name == dc).unwrap_or_default();
        self.nodes.iter().map(|place| number(&place.dc)).collect()
    }

    /// All ends of links: the nodes in order, then the clients.
    pub fn ends(&self) -> Vec<End> {
        (0..self.nodes.len()).map(End::Node).chain([End::Clients]).collect()
    }

    /// How the link is while nothing is wrong with it: half of a round trip each way.
    pub fn base(&self, from: End, to: End) -> Link {
        let dc = |end| match end {
            End::Node(n) => self.nodes.get(n).map(|place| place.dc.as_str()),
            End::Clients => None,
        };
        match (dc(from), dc(to)) {
            (Some(here), Some(there)) if here != there => Link {
                delay: self.fastest / 2,
                jitter: (self.slowest - self.fastest) / 2,
                ..Link::default()
            },
            _ => Link::default(),
        }
    }

    fn checked(self) -> Result<Layout, LayoutError> {
        let mut names = BTreeSet::new();
        if let Some(place) = self.nodes.iter().find(|place| !names.insert(&place.node)) {
            return Err(LayoutError::Twice(place.node.clone()));
        }
        match self.nodes.len() {
            1..=MAX_NODES => Ok(self),
            count => Err(LayoutError::Size(count)),
        }
    }
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(line: &str) -> Result<Layout, LayoutError> {
        let (places, distance) = line.split_once(',').unwrap_or((line, "0 ms between them"));
        let mut nodes = Vec::new();
        for word in places.split_whitespace() {
            let not_a_place = || LayoutError::NotAPlace(word.to_owned());
            let (dc, names) = word.split_once(':').ok_or_else(not_a_place)?;
            for node in names.split('+') {
                if dc.is_empty() || node.is_empty() {
                    return Err(not_a_place());
                }
                nodes.push(Place { node: node.to_owned(), dc: dc.to_owned() });
            }
        }
        let (fastest, slowest) = round_trips(distance)
            .ok_or_else(|| LayoutError::NotADistance(distance.trim().to_owned()))?;
        Layout { nodes, fastest, slowest }.checked()
    }
}

fn round_trips(text: &str) -> Option<(Duration, Duration)> {
    let number = text.trim().strip_suffix("between them")?.trim_end().strip_suffix("ms")?.trim();
    let (fastest, slowest) = number.split_once('-').unwrap_or((number, number));
    let milliseconds = |text: &str| -> Option<Duration> {
        let value: f64 = text.trim().parse().ok()?;
        let sane = (0.0..=MAX_ROUND_TRIP_MS).contains(&value);
        sane.then(|| Duration::from_nanos((value * 1e6).round() as u64))
    };
    let (fastest, slowest) = (milliseconds(fastest)?, milliseconds(slowest)?);
    (fastest <= slowest).then_some((fastest, slowest))
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, place) in self.nodes.iter().enumerate() {
            write!(f, "{}{}:{}", if n == 0 { "" } else { " " }, place.dc, place.node)?;
        }
        let milliseconds = |time: Duration| time.as_nanos() as f64 / 1e6;
        let (fastest, slowest) = (milliseconds(self.fastest), milliseconds(self.slowest));
        write!(f, ", {fastest}-{slowest} ms between them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_where_nodes_stand_and_how_far_apart() {
        let layout: Layout = "dc1:n1 dc2:n2+n3, 2-3 ms between them".parse().unwrap();
        assert_eq!(layout.dcs(), [0, 1, 1]);
        let far = layout.base(End::Node(0), End::Node(2));
        assert_eq!((far.delay, far.jitter), (Duration::from_millis(1), Duration::from_micros(500)));
        assert_eq!(layout.base(End::Node(1), End::Node(2)), Link::default());
        assert_eq!(layout.base(End::Clients, End::Node(2)), Link::default());
        assert_eq!(layout.to_string().parse(), Ok(layout));
    }

    #[test]
    fn a_line_that_is_no_layout_is_refused_by_name() {
        let refused = |line: &str| line.parse::<Layout>().unwrap_err();
        assert_eq!(refused("n1"), LayoutError::NotAPlace("n1".into()));
        assert_eq!(refused("dc1:"), LayoutError::NotAPlace("dc1:".into()));
        assert_eq!(refused("a:n1 b:n1"), LayoutError::Twice("n1".into()));
        assert_eq!(refused(""), LayoutError::Size(0));
        for distance in
            ["3-2 ms between them", "far away", "-1 ms between them", "NaN ms between them"]
        {
            let line = format!("a:n1, {distance}");
            assert_eq!(refused(&line), LayoutError::NotADistance(distance.into()));
        }
    }

    #[test]
    fn layouts_by_size_keep_majorities_out_of_one_data_centre() {
        let of = |n| Layout::of(n, Duration::ZERO, Duration::ZERO).map(|layout| layout.dcs());
        assert_eq!(of(3), Ok(vec![0, 1, 2]));
        assert_eq!(of(5), Ok(vec![0, 0, 1, 1, 2]));
        assert_eq!(of(0), Err(LayoutError::Size(0)));
    }
}
