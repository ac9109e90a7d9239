//! The nodes of a cluster, as an operator asks them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::admin::admin_client::AdminClient;
use proto::admin::{Done, NoteBackupRequest, StatusReply, StatusRequest};
use rand::Rng;
use rustls::ClientConfig;
use store::snapshot::format::FRAME_MAX;
use tonic::transport::Channel;
use tonic::{Response, Status};
use types::{ClusterId, GroupId};

use super::error::{BackupError, Refusal};
use crate::cluster::admin::connect;

/// A call that no node answers is given up after so long: an election takes less.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two rounds through all endpoints.
const PAUSE: Duration = Duration::from_millis(200);

/// Endpoints of one cluster, and the operator's certificate.
pub struct Nodes {
    endpoints: Vec<String>,
    tls: Arc<ClientConfig>,
    open: Mutex<HashMap<String, AdminClient<Channel>>>,
}

/// What a cluster is, as far as backups are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) cluster: ClusterId,
    /// How many groups there are: 0, 1 and those that hold wallets.
    pub(super) groups: u32,
}

impl Shape {
    pub(super) fn wallet_groups(self) -> u32 {
        self.groups.saturating_sub(GroupId::FIRST_WALLET.0)
    }
}

impl Nodes {
    /// The nodes with these public endpoints, asked under this certificate.
    pub fn new(endpoints: Vec<String>, tls: Arc<ClientConfig>) -> Nodes {
        Nodes { endpoints, tls, open: Mutex::default() }
    }

    /// Says to the cluster that a backup was taken (`verified` false) or restored elsewhere and compared
    /// (true), now, for its status and metrics.
    ///
    /// # Errors
    /// No node takes it.
    pub async fn note(&self, backup: [u8; 32], verified: bool) -> Result<(), BackupError> {
        let request = NoteBackupRequest {
            request_id: new_request_id(),
            backup: backup.to_vec(),
            verified,
            time_ms: super::now_ms(),
        };
        let noted: Done =
            self.ask(request, async |mut node, request| node.note_backup(request).await).await?;
        let Done {} = noted;
        Ok(())
    }

    /// Which cluster this is.
    pub(super) async fn shape(&self) -> Result<Shape, BackupError> {
        let request = StatusRequest { local: true };
        let status: StatusReply =
            self.ask(request, async |mut node, request| node.status(request).await).await?;
        let mut groups: Vec<u32> = status.groups.iter().map(|group| group.id).collect();
        groups.sort_unstable();
        groups.dedup();
        let all = (0..groups.len() as u32).eq(groups.iter().copied());
        let cluster = ClusterId::parse(&status.cluster).ok().filter(|cluster| !cluster.is_zero());
        match cluster {
            Some(cluster) if status.bootstrapped && all && groups.len() > 2 => {
                Ok(Shape { cluster, groups: groups.len() as u32 })
            }
            _ => Err(Refusal::NoCluster.into()),
        }
    }

    /// The endpoint of a node that answers.
    pub(super) async fn answering(&self) -> Result<String, BackupError> {
        let request = StatusRequest { local: true };
        let mut last = None;
        for endpoint in &self.endpoints {
            let asked = self
                .ask_at(endpoint, request, async |mut node, request| node.status(request).await);
            match asked.await {
                Ok(_) => return Ok(endpoint.clone()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Refusal::NoCluster.into()))
    }

    /// Asks one node after the other, for as long as an election may take, until one gives an answer.
    /// The request carries its id or changes nothing, so asking twice has one effect.
    pub(super) async fn ask<Request: Clone, Reply>(
        &self,
        request: Request,
        call: impl AsyncFn(AdminClient<Channel>, Request) -> Result<Response<Reply>, Status>,
    ) -> Result<Reply, BackupError> {
        let begun = Instant::now();
        loop {
            let mut last = None;
            for endpoint in &self.endpoints {
                match self.ask_at(endpoint, request.clone(), &call).await {
                    Ok(reply) => return Ok(reply),
                    Err(error) if error.is_passing() => last = Some(error),
                    Err(error) => return Err(error),
                }
            }
            match last {
                None => return Err(Refusal::NoCluster.into()),
                Some(error) if begun.elapsed() > PATIENCE => return Err(error),
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Asks exactly this endpoint.
    pub(super) async fn ask_at<Request, Reply>(
        &self,
        endpoint: &str,
        request: Request,
        call: impl AsyncFn(AdminClient<Channel>, Request) -> Result<Response<Reply>, Status>,
    ) -> Result<Reply, BackupError> {
        let node = self.to(endpoint).await?;
        call(node, request).await.map(Response::into_inner).map_err(|status| {
            let error = BackupError::Node { endpoint: endpoint.to_owned(), status: status.into() };
            if error.is_passing() {
                self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(endpoint);
            }
            error
        })
    }

    /// A connection to one endpoint, kept for the next call.
    async fn to(&self, endpoint: &str) -> Result<AdminClient<Channel>, BackupError> {
        let kept = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(endpoint).cloned();
        if let Some(node) = kept {
            return Ok(node);
        }
        let node = connect(endpoint, self.tls.clone()).await?;
        let node = node.max_decoding_message_size(FRAME_MAX + (1 << 20));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(endpoint.to_owned(), node.clone());
        Ok(node)
    }

    /// The endpoints, in the order in which they are asked.
    pub(super) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }
}

/// An id under which a call has one effect.
pub(super) fn new_request_id() -> Vec<u8> {
    let mut id = vec![0; 32];
    rand::rng().fill_bytes(&mut id);
    id
}
