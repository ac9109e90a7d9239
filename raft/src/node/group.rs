//! One group on this node, and what runs beside it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;
use types::{GroupId, NodeId};

use crate::error::{StartError, chain};
use crate::host::offload;
use crate::log::{self, GroupLog};
use crate::machine::{Cell, StateMachine};
use crate::node::Inner;
use crate::peer::network::NetworkFactory;
use crate::propose::{Patience, Proposals};
use crate::read::{self, Index, Reads, Source};
use crate::report::Report;
use crate::status::GroupView;
use crate::types::Raft;

/// How often a group's numbers are taken over at most.
const REPORT: Duration = Duration::from_millis(50);

/// One group.
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) raft: Raft,
    pub(crate) cell: Arc<Cell>,
    pub(crate) proposals: Proposals,
    pub(crate) index: Arc<Index>,
    pub(crate) reads: Reads,
    pub(crate) installs: Installs,
}

/// Snapshots being received: one at a time, and the newest wins.
#[derive(Default)]
pub(crate) struct Installs {
    present: Mutex<CancellationToken>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Installs {
    /// Ends the present transfer and waits for its end. The token ends this one when another comes.
    pub(crate) async fn begin(&self) -> (OwnedMutexGuard<()>, CancellationToken) {
        let mine = CancellationToken::new();
        let before = {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *present, mine.clone())
        };
        before.cancel();
        (self.turn.clone().lock_owned().await, mine)
    }
}

impl Group {
    /// Opens a group and lets it run.
    pub(crate) async fn start(
        node: &Arc<Inner>,
        id: GroupId,
        own: NodeId,
    ) -> Result<Arc<Self>, StartError> {
        let mark = node.marks.get(&id).copied().unwrap_or_default();
        let metrics = node.metrics.group(id);
        let (engine, fatal) = (node.engine.clone(), node.fatal.clone());
        let opened = offload(node.engine.blocks(), move || {
            let shared = log::recover(&engine, id, mark)?;
            let cell = Cell::open(engine, id, metrics, fatal)
                .map_err(|source| StartError::State { group: id, source })?;
            Ok::<_, StartError>((shared, cell))
        });
        let (shared, cell) = opened.await.map_err(StartError::Thread)??;

        let timing = &node.config.timing;
        let settings = timing.openraft(node.tls.cluster()).validate();
        let failed = |reason: String| StartError::Group { group: id, reason };
        let settings = Arc::new(settings.map_err(|error| failed(error.to_string()))?);
        let network = NetworkFactory {
            peers: node.peers.clone(),
            group: id,
            from: own.0,
            append_deadline: timing.append_deadline(),
        };
        let log = GroupLog::new(shared, node.queue.clone(), node.fatal.clone());
        let machine = StateMachine::new(cell.clone(), node.config.upkeep.digest_entries);
        let raft = Raft::new(own.0, settings, network, log, machine).await;
        let raft = raft.map_err(|error| failed(chain(&error)))?;

        let index = read::index_rounds(raft.clone(), cell.metrics().clone());
        let (recovered, seen) = watch::channel(false);
        let source = Source {
            group: id,
            own,
            raft: raft.clone(),
            index: index.clone(),
            applied: cell.applied(),
            peers: node.peers.clone(),
            deadline: timing.read_deadline(),
        };
        let group = Arc::new(Group {
            id,
            proposals: Proposals::start(
                raft.clone(),
                node.proposals.clone(),
                Patience {
                    at_most: timing.propose_deadline(),
                    without_quorum: timing.outage_max(),
                },
            ),
            reads: Reads::new(source, seen),
            installs: Installs::default(),
            index,
            cell,
            raft,
        });
        group.clone().watch(node, recovered);
        Ok(group)
    }

    /// openraft's running report.
    pub(crate) fn report(&self) -> Report {
        Report::of(&self.raft)
    }

    /// What only the leader knows well, and what every replica knows of itself.
    pub(crate) fn view(&self) -> GroupView {
        GroupView::of(&self.report().now())
    }

    /// Keeps the group's numbers up to date and notices its end.
    fn watch(self: Arc<Self>, node: &Arc<Inner>, recovered: watch::Sender<bool>) {
        let raft = self.raft.clone();
        node.spawn(async move {
            read::recover(&raft, &recovered).await;
            // Reads wait on the receiver; it must not lose its sender.
            recovered.closed().await;
        });
        let (fatal, stopping) = (node.fatal.clone(), node.stopping.clone());
        node.spawn(async move {
            let mut report = self.report();
            let mut leader = None;
            loop {
                {
                    let seen = report.seen();
                    self.cell.metrics().report(&seen);
                    if seen.current_leader != leader {
                        leader = seen.current_leader;
                        self.cell.metrics().leader_changed();
                        tracing::info!(group = %self.id, leader, term = seen.current_term, "leader changed");
                    }
                    if let Err(reason) = &seen.running_state
                        && !stopping.is_cancelled()
                    {
                        fatal.raise(format!("group {}: {}", self.id, chain(reason)));
                        return;
                    }
                }
                // Under load the report changes thousands of times a second; nobody looks that often.
                tokio::time::sleep(REPORT).await;
                if !report.changed().await {
                    if !stopping.is_cancelled() {
                        fatal.raise(format!("group {}: it ended by itself", self.id));
                    }
                    return;
                }
            }
        });
    }
}
