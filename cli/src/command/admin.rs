//! `holdfast admin`: what an operator's certificate may do.

mod backup;
mod connection;
mod recover;
mod show;

use crate::{failure::Failure, output::Output, passphrase::passphrase};
use clap::Subcommand;
use connection::Connection;
pub(crate) use connection::OperatorArgs;
use proto::admin::{
    BootstrapRequest, GroupsRequest, JoinRequest, NodeRequest, NodesRequest, StatusRequest,
    TransferRequest, UnlockRequest,
};
use rand::Rng;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `holdfast admin`.
#[derive(Debug, clap::Args)]
pub(crate) struct AdminArgs {
    #[command(flatten)]
    operator: OperatorArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Form a cluster out of fresh nodes, once.
    Bootstrap {
        /// Peer addresses of all first nodes, the asked one among them.
        #[arg(value_name = "HOST:PORT", required = true)]
        peers: Vec<String>,
        /// How many groups share the wallets.
        #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
        wallet_groups: u32,
        /// Accept that the loss of one data centre can stop the cluster and lose acknowledged
        /// writes.
        #[arg(long)]
        allow_single_dc: bool,
        /// Residency region of the wallets, which stands in their ids.
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=255))]
        region: u32,
    },
    /// Take one more fresh node into the cluster.
    Join {
        /// Its peer address.
        #[arg(value_name = "HOST:PORT")]
        peer: String,
    },
    /// Take a node out for good. Its id is never used again.
    Remove {
        /// The node's name.
        name: String,
    },
    /// Move every leadership and every replica off a node, which stays registered.
    Drain {
        /// The node's name.
        name: String,
    },
    /// Move the leadership of one group.
    Transfer {
        /// The group.
        #[arg(long, value_name = "N")]
        group: u32,
        /// The name of the node that shall lead.
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// Give locked nodes the passphrase of their epoch key: every endpoint that is given.
    Unlock {
        /// Read the passphrase from this file (mode 0600) and not from the terminal.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Everything about the cluster as one node sees it.
    Status,
    /// The nodes.
    Nodes,
    /// The groups: leader, term, positions, voters with data centre and lag.
    Groups,
    /// Take a backup of everything, sealed as it is stored, read it back, and sign for it.
    Backup(backup::BackupArgs),
    /// Keep beside the backups what must never go back: revocations, erasures, key generations.
    Journal(backup::JournalArgs),
    /// Go on without data centres that are lost, where the nodes left are no majority.
    Recover(recover::RecoverArgs),
    /// Bring a backup into a fresh cluster, together with the journal.
    Restore(backup::RestoreArgs),
}

pub(crate) async fn run(args: AdminArgs, output: &Output) -> Result<(), Failure> {
    if let AdminCommand::Backup(backup) = args.command {
        return backup::run(backup, &args.operator, output).await;
    }
    let connection = Connection::new(&args.operator)?;
    match args.command {
        AdminCommand::Bootstrap { peers, wallet_groups, allow_single_dc, region } => {
            let request = BootstrapRequest { peers, wallet_groups, allow_single_dc, region };
            let reply = connection
                .call(request, async |mut node, request| node.bootstrap(request).await)
                .await?;
            show::bootstrapped(&reply, output);
        }
        AdminCommand::Join { peer } => {
            let request = JoinRequest { peer, request_id: new_request_id() };
            let reply = connection
                .call(request, async |mut node, request| node.join(request).await)
                .await?;
            show::joined(&reply, output);
        }
        AdminCommand::Remove { name } => {
            let request = NodeRequest { name: name.clone(), request_id: new_request_id() };
            let others = connection.without(&name).await?;
            others.call(request, async |mut node, request| node.remove(request).await).await?;
            output.result(format!("{name} is removed"), &json!({ "removed": name }));
        }
        AdminCommand::Drain { name } => {
            let request = NodeRequest { name: name.clone(), request_id: new_request_id() };
            let others = connection.without(&name).await?;
            others.call(request, async |mut node, request| node.drain(request).await).await?;
            output.result(format!("{name} is draining"), &json!({ "draining": name }));
        }
        AdminCommand::Transfer { group, to } => {
            let request = TransferRequest { group, to: to.clone() };
            connection
                .call(request, async |mut node, request| node.transfer(request).await)
                .await?;
            output.result(
                format!("{to} leads group {group}"),
                &json!({ "group": group, "leader": to }),
            );
        }
        AdminCommand::Unlock { passphrase_file } => {
            unlock(&connection, passphrase_file, output).await?
        }
        AdminCommand::Status => {
            let reply = connection
                .call(StatusRequest { local: false }, async |mut node, request| {
                    node.status(request).await
                })
                .await?;
            show::status(&reply, output);
        }
        AdminCommand::Nodes => {
            let reply = connection
                .call(NodesRequest {}, async |mut node, request| node.nodes(request).await)
                .await?;
            show::nodes(&reply.nodes, output);
        }
        AdminCommand::Groups => {
            let reply = connection
                .call(GroupsRequest { local: false }, async |mut node, request| {
                    node.groups(request).await
                })
                .await?;
            show::groups(&reply.groups, output);
        }
        AdminCommand::Backup(_) => {}
        AdminCommand::Journal(args) => backup::journal(args, &connection, output).await?,
        AdminCommand::Recover(args) => recover::run(args, &connection, output).await?,
        AdminCommand::Restore(args) => backup::restore(args, &connection, output).await?,
    }
    Ok(())
}

/// Every endpoint is a node of its own here: each has to be told.
async fn unlock(
    connection: &Connection,
    file: Option<PathBuf>,
    output: &Output,
) -> Result<(), Failure> {
    let passphrase = passphrase(file.as_deref(), "the epoch key")?;
    for endpoint in connection.endpoints() {
        let mut node = connection.to(endpoint).await?;
        let request = UnlockRequest { passphrase: passphrase.expose().to_vec() };
        node.unlock(request)
            .await
            .map_err(|status| Failure::from(status).context(format!("unlocking {endpoint}")))?;
        output.result(format!("{endpoint} is unlocked"), &json!({ "unlocked": endpoint }));
    }
    Ok(())
}

/// Repeating a call under one id has one effect, on whichever node it arrives.
fn new_request_id() -> Vec<u8> {
    let mut id = vec![0; 32];
    rand::rng().fill_bytes(&mut id);
    id
}
