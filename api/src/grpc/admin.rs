//! `holdfast.admin.v1.Admin`. Who comes this far has shown an operator's certificate.

use proto::admin::admin_server::Admin;
use proto::admin::restore_request::Step as Asked;
use proto::admin::{
    BootstrapReply, BootstrapRequest, Done, ExportFrame, ExportRequest, GroupRecovery, GroupsReply,
    GroupsRequest, JoinReply, JoinRequest, JournalReply, JournalRequest, NodeRequest, NodesReply,
    NodesRequest, NoteBackupRequest, RecoverReply, RecoverRequest, RestoreReply, RestoreRequest,
    StatusReply, StatusRequest, TransferRequest, UnlockRequest, Voters,
};
use tonic::{Request, Response, Status};
use types::{GroupId, NodeId, NodeInfo, Secret};

use super::stream::{self, Ended, Frames, Sender};
use crate::Shared;
use crate::admin::backup::{Export, Step};
use crate::admin::report::Report;
use crate::admin::{Acts, Begin};
use crate::auth::Operator;
use crate::vault::VaultError;

/// The service.
pub(crate) struct AdminServer {
    inner: Shared,
    acts: Acts,
}

impl AdminServer {
    /// On this node.
    pub(crate) fn new(inner: Shared) -> Self {
        Self { acts: Acts::new(inner.clone()), inner }
    }
}

#[tonic::async_trait]
impl Admin for AdminServer {
    async fn bootstrap(
        &self,
        request: Request<BootstrapRequest>,
    ) -> Result<Response<BootstrapReply>, Status> {
        let operator = operator(&request)?;
        let BootstrapRequest { peers, wallet_groups, allow_single_dc, region } =
            request.into_inner();
        let region = u8::try_from(region)
            .map_err(|_| VaultError::Malformed(format!("a region is 0 to 255, not {region}")))?;
        let begin = Begin { peers, wallet_groups, region, allow_single_dc };
        let cluster = self.acts.bootstrap(&operator, begin).await?;
        let nodes = Report::make(&self.inner, false).await.nodes();
        Ok(Response::new(BootstrapReply { cluster: cluster.as_bytes().to_vec(), nodes }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let operator = operator(&request)?;
        let JoinRequest { peer, request_id } = request.into_inner();
        let id = self.acts.join(&operator, &request_id, &peer).await?;
        Ok(Response::new(JoinReply { node: Report::make(&self.inner, false).await.node_of(id) }))
    }

    async fn remove(&self, request: Request<NodeRequest>) -> Result<Response<Done>, Status> {
        let (operator, patience) = (operator(&request)?, stream::deadline(&request)?.left());
        let NodeRequest { name, request_id } = request.into_inner();
        self.acts.remove(&operator, &request_id, &name, patience).await?;
        Ok(Response::new(Done {}))
    }

    async fn drain(&self, request: Request<NodeRequest>) -> Result<Response<Done>, Status> {
        let (operator, patience) = (operator(&request)?, stream::deadline(&request)?.left());
        let NodeRequest { name, request_id } = request.into_inner();
        self.acts.drain(&operator, &request_id, &name, patience).await?;
        Ok(Response::new(Done {}))
    }

    async fn transfer(&self, request: Request<TransferRequest>) -> Result<Response<Done>, Status> {
        let TransferRequest { group, to } = request.into_inner();
        self.acts.transfer(GroupId(group), &to).await?;
        Ok(Response::new(Done {}))
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<Done>, Status> {
        let operator = operator(&request)?;
        self.acts.unlock(&operator, Secret::new(request.into_inner().passphrase)).await?;
        Ok(Response::new(Done {}))
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusReply>, Status> {
        let report = Report::make(&self.inner, request.get_ref().local).await;
        Ok(Response::new(report.status(self.inner.vault.keyring().is_locked())))
    }

    async fn nodes(&self, _: Request<NodesRequest>) -> Result<Response<NodesReply>, Status> {
        Ok(Response::new(NodesReply { nodes: Report::make(&self.inner, false).await.nodes() }))
    }

    async fn groups(
        &self,
        request: Request<GroupsRequest>,
    ) -> Result<Response<GroupsReply>, Status> {
        let report = Report::make(&self.inner, request.get_ref().local).await;
        Ok(Response::new(GroupsReply { groups: report.groups() }))
    }

    type ExportStream = Frames<ExportFrame>;

    async fn export(
        &self,
        request: Request<ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let (_, deadline) = (operator(&request)?, stream::deadline(&request)?);
        let group = GroupId(request.get_ref().group);
        let export = self.acts.export(group).await?;
        let (sender, frames) = stream::channel(&self.inner.limits);
        tokio::spawn(async move {
            // As long as somebody takes frames: a group may hold more than an hour's worth.
            sender.end_by(deadline.for_watch(), send(&sender, export)).await;
            sender.taken(deadline.for_watch()).await;
        });
        Ok(Response::new(frames))
    }

    async fn journal(
        &self,
        request: Request<JournalRequest>,
    ) -> Result<Response<JournalReply>, Status> {
        let JournalRequest { group, from } = *request.get_ref();
        let (cluster, page) = self.acts.journal(GroupId(group), from).await?;
        Ok(Response::new(JournalReply {
            cluster: cluster.as_bytes().to_vec(),
            facts: page.facts.iter().map(store::Fact::encode).collect(),
            next: page.next,
            more: page.more,
        }))
    }

    async fn restore(
        &self,
        request: Request<RestoreRequest>,
    ) -> Result<Response<RestoreReply>, Status> {
        let operator = operator(&request)?;
        let RestoreRequest { group, request_id, backup, step } = request.into_inner();
        let step = match step {
            Some(Asked::Begin(_)) => Step::Begin,
            Some(Asked::Rows(rows)) => Step::Rows(rows.first, rows.rows),
            Some(Asked::Facts(facts)) => Step::Facts(facts.facts),
            Some(Asked::Finish(finish)) => Step::Finish(finish.rows, finish.digest),
            None => {
                let message = "a restore has a step: begin, rows, facts or finish".to_owned();
                return Err(VaultError::Malformed(message).into());
            }
        };
        let group = GroupId(group);
        let so_far = self.acts.restore(&operator, &request_id, group, &backup, step).await?;
        Ok(Response::new(RestoreReply { rows: so_far.rows, finished: so_far.finished }))
    }

    async fn note_backup(
        &self,
        request: Request<NoteBackupRequest>,
    ) -> Result<Response<Done>, Status> {
        let operator = operator(&request)?;
        let NoteBackupRequest { request_id, backup, verified, time_ms } = request.into_inner();
        self.acts.note_backup(&operator, &request_id, &backup, verified, time_ms).await?;
        Ok(Response::new(Done {}))
    }

    async fn recover(
        &self,
        request: Request<RecoverRequest>,
    ) -> Result<Response<RecoverReply>, Status> {
        let operator = operator(&request)?;
        let RecoverRequest { surviving, plan } = request.into_inner();
        let recovery = self.acts.recover(&operator, &surviving, &plan).await?;
        let report = Report::make(&self.inner, true).await;
        let nodes =
            |nodes: &[NodeInfo]| nodes.iter().filter_map(|node| report.node_of(node.id)).collect();
        let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
        let plan = &recovery.plan;
        let groups = plan.groups.iter().map(|group| GroupRecovery {
            group: group.group.0,
            voters: group.voters.iter().map(|set| Voters { nodes: ids(set) }).collect(),
            then: ids(&group.then),
            furthest: group.furthest.0,
            last: group.last,
        });
        Ok(Response::new(RecoverReply {
            plan: plan.id.to_vec(),
            survivors: nodes(&plan.survivors),
            lost: nodes(&plan.lost),
            groups: groups.collect(),
            zero_loss: plan.zero_loss,
            coordinator: report.node_of(plan.driver.id),
            approved_by: recovery.approved_by,
            begun: recovery.begun,
        }))
    }
}

/// Sends a group's state, frame by frame. Reading one may wait for the disk.
async fn send(sender: &Sender<ExportFrame>, export: Export) -> Result<(), Ended> {
    let mut export = export;
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let frame = export.source.next_frame();
            (frame, export)
        });
        let (frame, rest) =
            read.await.map_err(|error| VaultError::broken("read a group's state", &error))?;
        export = rest;
        match frame.map_err(VaultError::from)? {
            Some(frame) => sender.send(ExportFrame { frame }, None).await?,
            None => return Ok(()),
        }
    }
}

fn operator<T>(request: &Request<T>) -> Result<Operator, VaultError> {
    request.extensions().get::<Operator>().cloned().ok_or_else(stream::not_through_the_door)
}
