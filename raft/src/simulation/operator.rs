//! What an operator does meanwhile: a node more joins, and nodes are emptied and put back into service, so
//! that learners come, get a vote, lose it and go, in every group, whatever else goes wrong.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::Caller;
use store::command::SystemCommand;
use tokio::time::{sleep, timeout};
use types::{GroupId, NodeId, NodeState, RequestId, tagged};

use super::machine::{Machine, address};
use super::stage::Stage;
use crate::error::ClusterError;
use crate::{Node, Order};

/// How long an act is waited for. What was asked for may happen all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// The operator of a cluster whose last machine is not part of it from the beginning.
pub(super) struct Operator {
    machines: Vec<Arc<Machine>>,
    stage: Arc<Stage>,
    acts: AtomicU64,
    joined: AtomicBool,
    /// Nodes that were to be emptied, and were not put back into service since.
    emptied: Mutex<BTreeSet<u64>>,
}

impl Operator {
    pub(super) fn new(machines: &[Arc<Machine>], stage: &Arc<Stage>) -> Arc<Self> {
        Arc::new(Operator {
            machines: machines.to_vec(),
            stage: stage.clone(),
            acts: AtomicU64::new(0),
            joined: AtomicBool::new(false),
            emptied: Mutex::default(),
        })
    }

    /// One act after the other, until the time is over.
    pub(super) async fn work(self: Arc<Self>, until: Duration) {
        loop {
            sleep(self.stage.time(200, 3_000)).await;
            if self.stage.elapsed() >= until {
                return;
            }
            let Some(machine) = self.stage.pick(&self.machines) else { continue };
            let others: Vec<Node> = self.up(Some(machine.id));
            let Some(asked) = self.stage.pick(&others) else { continue };
            let outcome = timeout(PATIENCE, self.act(&asked, machine.id)).await;
            if let Ok(Err(error)) = outcome {
                self.stage.note(format_args!("the operator hears: {error}"));
            }
        }
    }

    /// What is next for a node; before all others, that the last one joins.
    async fn act(&self, asked: &Node, node: u64) -> Result<(), ClusterError> {
        let is_empty = self.emptied().contains(&node);
        match self.joined.load(Ordering::Relaxed) {
            false => self.join(asked).await,
            true if is_empty => self.put_back(asked, node).await,
            true => self.empty(asked, node).await,
        }
    }

    async fn join(&self, asked: &Node) -> Result<(), ClusterError> {
        let spare = self.machines.len() as u64;
        self.stage.note(format_args!("n{spare} is to join"));
        let id = asked.join(self.order(), &address(spare)).await?;
        if id != NodeId(spare) {
            self.stage.violated(format!("node {spare} joined as {id}"));
        }
        if !self.joined.swap(true, Ordering::Relaxed) {
            self.stage.count("nodes that joined", 1);
        }
        Ok(())
    }

    async fn empty(&self, asked: &Node, node: u64) -> Result<(), ClusterError> {
        self.stage.note(format_args!("n{node} is to be emptied"));
        self.emptied().insert(node);
        asked.drain(self.order(), NodeId(node), PATIENCE).await?;
        self.stage.note(format_args!("n{node} is empty"));
        self.stage.count("nodes emptied", 1);
        Ok(())
    }

    async fn put_back(&self, asked: &Node, node: u64) -> Result<(), ClusterError> {
        self.stage.note(format_args!("n{node} is to serve again"));
        let command = SystemCommand::SetNodeState { node: NodeId(node), state: NodeState::Active };
        let answer = asked.act(GroupId::SYSTEM, self.order(), command).await?;
        answer.map_err(|rejection| ClusterError::Refused(rejection.to_string()))?;
        self.emptied().remove(&node);
        Ok(())
    }

    /// Lets every machine be in service. What is not so yet, if anything is.
    pub(super) async fn settle(&self) -> Option<String> {
        let asked = self.up(None).into_iter().next()?;
        if !self.joined.load(Ordering::Relaxed)
            && let Err(error) = self.join(&asked).await
        {
            return Some(format!("the last node does not join: {error}"));
        }
        let emptied = self.emptied().clone();
        for node in emptied {
            if let Err(error) = self.put_back(&asked, node).await {
                return Some(format!("node {node} is not put back: {error}"));
            }
        }
        self.machines.iter().find_map(|machine| {
            let node = machine.node()?;
            let groups = node.inner.groups.borrow().clone();
            groups.values().find_map(|group| {
                let report = group.report();
                let seen = report.now();
                let members = seen.membership_config.membership();
                let missing =
                    (1..=self.machines.len() as u64).find(|id| members.get_node(id).is_none());
                match missing {
                    Some(missing) => {
                        Some(format!("group {} has no replica on {missing}", group.id))
                    }
                    None if members.get_joint_config().len() > 1 => {
                        Some(format!("the voters of group {} are changing", group.id))
                    }
                    None => None,
                }
            })
        })
    }

    /// The nodes that run, but for one.
    fn up(&self, but: Option<u64>) -> Vec<Node> {
        let others = self.machines.iter().filter(|machine| Some(machine.id) != but);
        others.filter_map(|machine| machine.node()).collect()
    }

    fn emptied(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        self.emptied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every act has a name of its own.
    fn order(&self) -> Order {
        let number = self.acts.fetch_add(1, Ordering::Relaxed);
        Order {
            caller: Caller::named("operator"),
            request: RequestId::from_bytes(tagged("holdfast/1 test", &[&number.to_be_bytes()])),
        }
    }
}
