//! `holdfast cluster`: everything a cluster on real hosts starts from (`new`), one more machine or operator for it
//! (`add`, `operator`), and certificates anew (`renew`).

use crate::{failure::Failure, output::Output, passphrase::new_passphrase};
use clap::Subcommand;
use serde_json::json;
use server::cluster::{
    NodePlan, RealHosts, add, operator,
    plan::{PEER_PORT, PUBLIC_PORT},
    prepare, renew,
};
use std::path::PathBuf;

/// Arguments of `holdfast cluster`.
#[derive(Debug, clap::Args)]
pub(crate) struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Write authority, certificates, epoch key and one configuration for each machine.
    New(NewArgs),
    /// Write the same for further machines of a cluster that was made here.
    Add(AddArgs),
    /// Write the certificate of one more operator.
    Operator(OperatorArgs),
    /// Write new certificates with new keys in place of those that end soon.
    Renew(RenewArgs),
}

#[derive(Debug, clap::Args)]
struct NewArgs {
    /// A machine: its name, its data centre, and the IP address or DNS name that others reach it by.
    #[arg(long = "node", value_name = "NAME,DC,HOST", required = true)]
    nodes: Vec<NodePlan>,
    /// A new directory for the files; one directory in it for each machine.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The cluster's name, which stands in all its certificates.
    #[arg(long, default_value = "holdfast")]
    name: String,
    /// Accept that the loss of one data centre can stop the cluster and lose acknowledged writes.
    #[arg(long)]
    allow_single_dc: bool,
    /// The public port of every node.
    #[arg(long, value_name = "PORT", default_value_t = PUBLIC_PORT)]
    public_port: u16,
    /// The peer port of every node.
    #[arg(long, value_name = "PORT", default_value_t = PEER_PORT)]
    peer_port: u16,
    /// Where every node keeps its log and its state; `data` beside its configuration unless given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Let everyone create wallets. Without this a registration token is made and asked for.
    #[arg(long)]
    open_registration: bool,
    /// Seal the epoch key with a passphrase: every node then starts locked, until `admin unlock`.
    #[arg(long)]
    sealed_epoch_key: bool,
    /// Read that passphrase from this file (mode 0600) and not from the terminal.
    #[arg(long, value_name = "FILE", requires = "sealed_epoch_key")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// A machine: its name, its data centre, and the IP address or DNS name that others reach it by.
    #[arg(long = "node", value_name = "NAME,DC,HOST", required = true)]
    nodes: Vec<NodePlan>,
    /// The directory that `cluster new` wrote, with ca.key in it.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, clap::Args)]
struct RenewArgs {
    /// The directory that `cluster new` wrote, with ca.key in it.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The name of a node; all nodes unless given.
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<String>,
    /// The operator's certificate too.
    #[arg(long)]
    operator: bool,
}

#[derive(Debug, clap::Args)]
struct OperatorArgs {
    /// The operator's name, which stands in the certificate and in the audit log.
    name: String,
    /// The directory that `cluster new` wrote, with ca.key in it.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: ClusterArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        ClusterCommand::New(args) => new(args, output),
        ClusterCommand::Add(args) => further(&args, output),
        ClusterCommand::Operator(args) => one_more_operator(&args, output),
        ClusterCommand::Renew(args) => renewed(&args, output),
    }
}

fn further(args: &AddArgs, output: &Output) -> Result<(), Failure> {
    let dir = std::path::absolute(&args.dir)?;
    let written = add(&dir, &args.nodes)?;
    if output.is_json() {
        output.value(&json!({ "dir": dir, "nodes": written }));
        return Ok(());
    }
    for node in &written {
        output.line(format!(
            "{}: copy {} to its machine, start it, then: holdfast admin join {}",
            node.name,
            node.dir.display(),
            node.peer
        ));
    }
    Ok(())
}

fn one_more_operator(args: &OperatorArgs, output: &Output) -> Result<(), Failure> {
    let dir = std::path::absolute(&args.dir)?;
    let files = operator(&dir, &args.name)?;
    let (cert, key) = (files.cert.display(), files.key.display());
    output.result(
        format!("{}: {cert} and {key}", args.name),
        &json!({ "operator": args.name, "cert": files.cert, "key": files.key }),
    );
    Ok(())
}

fn renewed(args: &RenewArgs, output: &Output) -> Result<(), Failure> {
    let dir = std::path::absolute(&args.dir)?;
    let written = renew(&dir, &args.nodes, args.operator)?;
    if output.is_json() {
        output.value(&json!({ "dir": dir, "renewed": written }));
        return Ok(());
    }
    for renewed in &written {
        let (certificate, key) = (renewed.certificate.display(), renewed.key.display());
        output.line(format!("{}: {certificate} and {key}", renewed.name));
    }
    output.line(
        "Copy them to their machines: a node uses them within ten seconds, or at once on SIGHUP.",
    );
    Ok(())
}

fn new(args: NewArgs, output: &Output) -> Result<(), Failure> {
    let passphrase = match args.sealed_epoch_key {
        true => Some(new_passphrase(args.passphrase_file.as_deref(), "the epoch key")?),
        false => None,
    };
    let plan = RealHosts {
        cluster: &args.name,
        nodes: &args.nodes,
        allow_single_dc: args.allow_single_dc,
        public_port: args.public_port,
        peer_port: args.peer_port,
        open_registration: args.open_registration,
        passphrase,
        data_dir: args.data_dir,
    };
    let dir = std::path::absolute(&args.dir)?;
    let written = prepare(&dir, &plan)?;
    let peers: Vec<&str> = written.iter().map(|node| node.peer.as_str()).collect();
    let endpoints: Vec<&str> = written.iter().map(|node| node.endpoint.as_str()).collect();
    if output.is_json() {
        output.value(&json!({ "dir": dir, "nodes": written, "peers": peers }));
        return Ok(());
    }
    output.line(format!("Wrote the cluster {} into {}.", args.name, dir.display()));
    output.line("");
    for node in &written {
        output.line(format!("  {:<16} {}", node.name, node.dir.display()));
    }
    output.line(format!(
        "\n1. Copy each directory to its machine, and start there:\n\
         \x20    holdfast node --config {}/config.toml\n\
         2. Form the cluster, once, from here:\n\
         \x20    holdfast admin bootstrap --endpoints {} \\\n\
         \x20        --ca {dir}/ca.pem --cert {dir}/operator.pem --key {dir}/operator.key \\\n\
         \x20        {}\n\
         3. Move {dir}/ca.key to where no network reaches it: it can add nodes and operators.",
        written.first().map_or("NAME", |node| node.name.as_str()),
        endpoints.join(","),
        peers.join(" "),
        dir = dir.display(),
    ));
    Ok(())
}
