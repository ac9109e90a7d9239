//! `holdfast.admin.v1.Admin`. Who comes this far has shown an operator's certificate.

use proto::admin::admin_server::Admin;
use proto::admin::{
    BootstrapReply, BootstrapRequest, Done, GroupsReply, GroupsRequest, JoinReply, JoinRequest,
    NodeRequest, NodesReply, NodesRequest, StatusReply, StatusRequest, TransferRequest,
    UnlockRequest,
};
use tonic::{Request, Response, Status};
use types::{GroupId, Secret};

use super::stream;
use crate::Shared;
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
}

fn operator<T>(request: &Request<T>) -> Result<Operator, VaultError> {
    request.extensions().get::<Operator>().cloned().ok_or_else(stream::not_through_the_door)
}
