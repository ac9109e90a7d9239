//! Which nodes an operator talks to, and with which certificate.

use crate::failure::Failure;
use anyhow::anyhow;
use proto::admin::{NodesRequest, admin_client::AdminClient};
use rustls::ClientConfig;
use server::backup::Nodes;
use server::cluster::{
    Description,
    admin::{OperatorFiles, connect, operator_tls},
};
use std::{env, path::PathBuf, sync::Arc};
use tonic::{Code, Response, Status, transport::Channel};

/// Where the cluster is, unless the arguments say.
const ENDPOINTS: &str = "HOLDFAST_ENDPOINTS";

/// Where the cluster is, and who asks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster and operator")]
pub(crate) struct OperatorArgs {
    /// Public endpoints of the cluster; the first that answers is asked [env: HOLDFAST_ENDPOINTS].
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// The authority of the cluster [env: HOLDFAST_CA].
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The operator's certificate [env: HOLDFAST_CERT].
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its key [env: HOLDFAST_KEY].
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The directory of a `holdfast dev` cluster, in place of the three files above and of the environment.
    #[arg(long, global = true, value_name = "DIR", conflicts_with_all = ["ca", "cert", "key"])]
    dev: Option<PathBuf>,
}

impl OperatorArgs {
    /// Whether a cluster was named at all.
    pub(crate) fn names_cluster(&self) -> bool {
        self.dev.is_some() || !self.endpoints.is_empty() || env::var_os(ENDPOINTS).is_some()
    }

    /// The authority alone, which is enough to verify.
    pub(crate) fn authority(&self) -> Result<PathBuf, Failure> {
        match (&self.ca, &self.dev, env::var_os("HOLDFAST_CA")) {
            (Some(ca), ..) => Ok(ca.clone()),
            (None, Some(dir), _) => Ok(Description::load(dir).map_err(Failure::usage)?.ca),
            (None, None, Some(ca)) => Ok(ca.into()),
            (None, None, None) => Err(Failure::usage(anyhow!(
                "--ca is missing; name the authority of the cluster that was backed up, or a local \
                 cluster with --dev DIR"
            ))),
        }
    }
}

/// A node that is asked.
pub(crate) type Asked = AdminClient<Channel>;

/// A way to the nodes of one cluster.
pub(crate) struct Connection {
    endpoints: Vec<String>,
    files: OperatorFiles,
    tls: Arc<ClientConfig>,
}

impl Connection {
    pub(crate) fn new(args: &OperatorArgs) -> Result<Connection, Failure> {
        let (known, files) = match &args.dev {
            Some(dir) => {
                let cluster = Description::load(dir).map_err(Failure::usage)?;
                let files = cluster.operator();
                (cluster.endpoints, files)
            }
            None => {
                let file = |given: &Option<PathBuf>, option: &str, name: &str| {
                    let named = || env::var_os(name).map(PathBuf::from);
                    given.clone().or_else(named).ok_or_else(|| {
                        let hint = "name the operator's files, or a local cluster with --dev DIR";
                        Failure::usage(anyhow!("{option} is missing; {hint}"))
                    })
                };
                let files = OperatorFiles {
                    ca: file(&args.ca, "--ca", "HOLDFAST_CA")?,
                    cert: file(&args.cert, "--cert", "HOLDFAST_CERT")?,
                    key: file(&args.key, "--key", "HOLDFAST_KEY")?,
                };
                let known = env::var(ENDPOINTS).unwrap_or_default();
                (known.split(',').filter(|url| !url.is_empty()).map(str::to_owned).collect(), files)
            }
        };
        let endpoints = if args.endpoints.is_empty() { known } else { args.endpoints.clone() };
        if endpoints.is_empty() {
            return Err(Failure::usage(anyhow!(
                "--endpoints is missing; name at least one https://HOST:PORT"
            )));
        }
        Ok(Connection { endpoints, tls: operator_tls(&files)?, files })
    }

    pub(crate) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// The operator's files.
    pub(crate) fn files(&self) -> &OperatorFiles {
        &self.files
    }

    /// The same nodes for what is asked of a whole cluster.
    pub(crate) fn nodes(&self) -> Nodes {
        Nodes::new(self.endpoints.clone(), self.tls.clone())
    }

    /// The same cluster without one node: what shall become of a node is asked of the others, as it
    /// cannot see its own leaving to its end.
    pub(crate) async fn without(self, name: &str) -> Result<Connection, Failure> {
        let reply = self.call(NodesRequest {}, async |mut node, request| node.nodes(request).await);
        let nodes = reply.await?.nodes;
        let others = nodes.iter().filter(|node| node.name != name && node.state != "removed");
        let mut endpoints: Vec<String> = others.map(|node| node.endpoint.clone()).collect();
        endpoints.sort_by_key(|endpoint| !self.endpoints.contains(endpoint));
        let endpoints = if endpoints.is_empty() { self.endpoints } else { endpoints };
        Ok(Connection { endpoints, tls: self.tls, files: self.files })
    }

    /// The same operator's way to these nodes only.
    pub(crate) fn at(&self, endpoints: Vec<String>) -> Connection {
        Connection { endpoints, tls: self.tls.clone(), files: self.files.clone() }
    }

    /// A connection to exactly this endpoint.
    pub(crate) async fn to(&self, endpoint: &str) -> Result<AdminClient<Channel>, Failure> {
        Ok(connect(endpoint, self.tls.clone()).await?)
    }

    /// Asks one endpoint after the other until one gives an answer. The request carries its id, so
    /// asking a second node after a lost answer changes nothing twice.
    pub(crate) async fn call<Request: Clone, Reply>(
        &self,
        request: Request,
        call: impl AsyncFn(AdminClient<Channel>, Request) -> Result<Response<Reply>, Status>,
    ) -> Result<Reply, Failure> {
        let mut last = None;
        for endpoint in &self.endpoints {
            let node = match self.to(endpoint).await {
                Ok(node) => node,
                Err(failure) => {
                    last = Some(failure);
                    continue;
                }
            };
            match call(node, request.clone()).await {
                Ok(reply) => return Ok(reply.into_inner()),
                Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown) => {
                    last = Some(Failure::from(status).context(format!("asking {endpoint}")));
                }
                Err(status) => return Err(status.into()),
            }
        }
        Err(last.unwrap_or_else(|| Failure::unavailable(anyhow!("no endpoint was asked"))))
    }
}
