//! A survivor tells what it has, and takes a mandate to go on without lost data centres.

use std::sync::Arc;

use bytes::Bytes;
use proto::peer::RecoverReply;
use tonic::Status;
use types::NodeInfo;

use crate::error::ClusterError;
use crate::node::Inner;
use crate::recovery::Mandate;

pub(super) async fn serve(
    node: Arc<Inner>,
    from: NodeInfo,
    mandate: Bytes,
) -> Result<RecoverReply, Status> {
    if !mandate.is_empty() {
        let mandate = Mandate::decode(mandate)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if mandate.driver != from.id {
            return Err(Status::permission_denied("the mandate is another node's to hand out"));
        }
        node.take_mandate(mandate).await.map_err(|error| match error {
            ClusterError::Refused(reason) => Status::failed_precondition(reason),
            ClusterError::Unavailable(reason) => Status::unavailable(reason),
        })?;
    }
    let survey = node.survey().await.map_err(Status::unavailable)?;
    Ok(survey.to_proto())
}
