//! The format level of the cluster: what may be proposed, and when the next level begins.
//!
//! Promises: a command that needs a level is proposed only once the cluster has begun it; the cluster
//! begins a level when every node that was not removed has announced that its program knows it; a
//! program that knows less than the cluster has begun does not run in it.
//!
//! Whether a level may begin is decided where it is applied (`store`). Here it is only asked for.

use store::command::SystemCommand;
use store::formats::FIRST_LEVEL;
use store::{Command, Reader};
use types::{GroupId, NodeId, NodeState};

use crate::error::{ClusterError, StartError, chain};
use crate::facts::Facts;
use crate::membership::act::Order;
use crate::node::{Inner, Node};

impl Node {
    /// The format level that the cluster has begun, as far as this node knows.
    pub fn level(&self) -> u8 {
        self.inner.level()
    }
}

impl Inner {
    pub(crate) fn level(&self) -> u8 {
        self.facts.borrow().level.max(FIRST_LEVEL)
    }

    /// Whether the cluster can read a command.
    ///
    /// # Errors
    /// Who cannot, for a person.
    pub(crate) fn may_propose(&self, command: &Command) -> Result<(), String> {
        let (needed, present) = ((self.config.levels.since)(command), self.level());
        if needed <= present {
            return Ok(());
        }
        let facts = self.facts.borrow().clone();
        let roster = self.roster.load();
        let behind = roster.nodes().filter(|node| {
            let knows = facts.levels.get(&node.id).copied().unwrap_or(FIRST_LEVEL);
            node.state != NodeState::Removed && knows < needed
        });
        let behind: Vec<&str> = behind.map(|node| node.name.as_str()).collect();
        Err(format!(
            "this needs format level {needed}, and the cluster is at {present}: it begins when every node runs a \
             program that knows it; still older: {}",
            if behind.is_empty() { "none".to_owned() } else { behind.join(", ") }
        ))
    }

    /// Refuses to run with a program that is older than what the cluster has begun.
    pub(crate) fn check_level(&self) -> Result<(), StartError> {
        let level = Reader::open(self.engine.as_ref(), GroupId::SYSTEM)?.level()?;
        let known = self.config.levels.known;
        if level > known { Err(StartError::TooOld { level, known }) } else { Ok(()) }
    }

    /// Tells group 0 which level this program knows, if it does not know yet; and has the next level
    /// begun, if this node leads group 0 and everyone knows it.
    pub(crate) async fn tell_level(&self, facts: &Facts, order: impl Fn(&[&[u8]]) -> Order) {
        let Some(own) = self.id() else { return };
        let known = self.config.levels.known;
        let removed = self.node(own).is_none_or(|node| node.state == NodeState::Removed);
        // Whoever has announced nothing is of the first release.
        let knows = |node: &NodeId| facts.levels.get(node).copied().unwrap_or(FIRST_LEVEL);
        if !removed && knows(&own) != known {
            let name = order(&[b"announce level", &[known]]);
            let command = SystemCommand::AnnounceLevel { node: own, level: known };
            self.say(name, command, "the level of this program").await;
        }
        let Some(next) = facts.level.checked_add(1).filter(|next| *next <= known) else { return };
        let leads = self.group(GroupId::SYSTEM).is_some_and(|group| group.raft.is_leader());
        let roster = self.roster.load();
        let all = roster
            .nodes()
            .filter(|node| node.state != NodeState::Removed)
            .all(|node| knows(&node.id) >= next);
        if leads && all {
            let name = order(&[b"begin level", &[next]]);
            self.say(name, SystemCommand::BeginLevel { level: next }, "the next level").await;
        }
    }

    async fn say(&self, order: Order, command: SystemCommand, what: &str) {
        match self.act(GroupId::SYSTEM, order, command).await {
            Ok(Ok(_)) => tracing::info!(what, "group 0 was told of formats"),
            Ok(Err(rejection)) => tracing::warn!(what, %rejection, "group 0 was told of formats"),
            Err(ClusterError::Refused(reason) | ClusterError::Unavailable(reason)) => {
                tracing::debug!(what, reason, "group 0 could not be told of formats yet");
            }
        }
    }

    /// The cluster has begun a level that this program does not know: what is to be applied next may be
    /// of that level.
    pub(crate) fn end_if_too_old(&self, facts: &Facts) -> bool {
        let (level, known) = (facts.level, self.config.levels.known);
        let too_old = level > known;
        if too_old {
            self.fatal.raise(chain(&StartError::TooOld { level, known }));
        }
        too_old
    }
}
