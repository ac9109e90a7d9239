//! `holdfast admin backup`, `journal` and `restore`: archives of a whole cluster.

use super::connection::{Connection, OperatorArgs};
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use clap::Subcommand;
use indicatif::{HumanBytes, ProgressBar};
use serde_json::{Value, json};
use server::backup::{
    self, Archive, BackupError, Doing, Follower, JournalSource, Listed, Manifest, RestoreOptions,
    Signer, Told, Trust,
};
use std::{path::PathBuf, time::Duration};

/// Arguments of `holdfast admin backup`.
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub(super) struct BackupArgs {
    /// The archive: a directory, or s3://BUCKET/PREFIX with credentials in AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other stores than Amazon's, AWS_ENDPOINT.
    #[arg(long, value_name = "DIR|URL", required = true)]
    to: Option<String>,
    #[command(subcommand)]
    command: Option<BackupCommand>,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    /// The drill: restore a backup into a temporary cluster on this machine, and compare rows,
    /// heads and audit roots. If a cluster is named, its metrics then say when.
    Verify {
        #[command(flatten)]
        source: SourceArgs,
    },
    /// The backups of an archive, oldest first.
    List {
        /// The archive: a directory, or s3://BUCKET/PREFIX.
        #[arg(long, value_name = "DIR|URL")]
        from: String,
        /// The authority of the cluster that was backed up, if that is not --ca.
        #[arg(long, value_name = "FILE")]
        backup_ca: Option<PathBuf>,
    },
}

/// Which backup.
#[derive(Debug, clap::Args)]
struct SourceArgs {
    /// The archive: a directory, or s3://BUCKET/PREFIX.
    #[arg(long, value_name = "DIR|URL")]
    from: String,
    /// The backup, as `backup list` names it. Default: the newest.
    #[arg(long, value_name = "NAME")]
    backup: Option<String>,
    /// The authority of the cluster that was backed up, if that is not --ca.
    #[arg(long, value_name = "FILE")]
    backup_ca: Option<PathBuf>,
}

/// Arguments of `holdfast admin journal`.
#[derive(Debug, clap::Args)]
pub(super) struct JournalArgs {
    /// The archive: a directory, or s3://BUCKET/PREFIX. Better not the one of the backups: a stream
    /// is of use when the backups are old.
    #[arg(long, value_name = "DIR|URL")]
    to: String,
    /// Go on until this is ended.
    #[arg(long)]
    follow: bool,
    /// Between two rounds, in seconds.
    #[arg(long, value_name = "S", default_value_t = 5, requires = "follow", value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

/// Arguments of `holdfast admin restore`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The archive with the journal stream that was kept beside the backups.
    #[arg(long, value_name = "DIR|URL")]
    journal: Option<String>,
    /// Restore without it, and accept that devices revoked since the backup are let in again, that
    /// wallets erased since come back, and that older key generations are taken for the latest.
    #[arg(long, conflicts_with = "journal")]
    without_journal: bool,
}

pub(super) async fn run(
    args: BackupArgs,
    operator: &OperatorArgs,
    output: &Output,
) -> Result<(), Failure> {
    match (args.command, args.to) {
        (None, Some(to)) => take(&to, &Connection::new(operator)?, output).await,
        (Some(BackupCommand::Verify { source }), None) => verify(source, operator, output).await,
        (Some(BackupCommand::List { from, backup_ca }), None) => {
            list(&from, backup_ca, operator, output).await
        }
        _ => {
            Err(Failure::usage(anyhow!("--to takes a backup; it does not go with verify or list")))
        }
    }
}

async fn take(to: &str, connection: &Connection, output: &Output) -> Result<(), Failure> {
    let trust = Trust::load(&connection.files().ca)?;
    let signer = Signer::load(connection.files(), &trust)?;
    let archive = Archive::create(to)?;
    let (nodes, teller) = (connection.nodes(), Teller::new(output));
    let taken = backup::take(&archive, &nodes, &signer, &trust, &|told| teller.tell(told)).await?;
    teller.clear();
    let (manifest, written) = (&taken.manifest, &taken.written);
    output.result(
        format!(
            "{}: {} wallets, {} rows in {} groups; {} written, {} shared with earlier backups; read back",
            taken.name,
            manifest.wallets(),
            manifest.groups.iter().map(|group| group.summary.rows).sum::<u64>(),
            manifest.groups.len(),
            HumanBytes(written.bytes),
            HumanBytes(written.shared_bytes),
        ),
        &json!({
            "backup": taken.name,
            "hash": hex::encode(taken.hash),
            "contents": contents(manifest),
            "written_chunks": written.chunks,
            "written_bytes": written.bytes,
            "shared_chunks": written.shared_chunks,
            "shared_bytes": written.shared_bytes,
        }),
    );
    noted(nodes.note(taken.hash, false).await, output);
    Ok(())
}

async fn verify(
    source: SourceArgs,
    operator: &OperatorArgs,
    output: &Output,
) -> Result<(), Failure> {
    let connection = operator.names_cluster().then(|| Connection::new(operator)).transpose()?;
    let (archive, trust) = open(&source, operator)?;
    let found = backup::find(&archive, &trust, source.backup.as_deref()).await?;
    let program = std::env::current_exe()?;
    let teller = Teller::new(output);
    let drilled =
        backup::drill(&archive, &found, &trust, program, &|told| teller.tell(told)).await?;
    teller.clear();
    output.result(
        format!(
            "{} comes back whole: {} rows, the heads of {} wallets and the audit logs of {} groups are equal",
            found.name, drilled.rows, drilled.wallets, drilled.groups
        ),
        &json!({
            "verified": found.name, "hash": hex::encode(found.hash), "groups": drilled.groups,
            "rows": drilled.rows, "wallets": drilled.wallets, "leaves": drilled.leaves,
        }),
    );
    if let Some(connection) = connection {
        noted(connection.nodes().note(found.hash, true).await, output);
    }
    Ok(())
}

async fn list(
    from: &str,
    backup_ca: Option<PathBuf>,
    operator: &OperatorArgs,
    output: &Output,
) -> Result<(), Failure> {
    let trust = Trust::load(&backup_ca.map_or_else(|| operator.authority(), Ok)?)?;
    let listed = backup::list(&Archive::open(from)?, &trust).await?;
    let of = |listed: &Listed| match &listed.manifest {
        Ok(manifest) => json!({ "backup": listed.name, "contents": contents(manifest) }),
        Err(error) => json!({ "backup": listed.name, "error": chain(error) }),
    };
    if output.is_json() {
        output.value(&json!({ "backups": listed.iter().map(of).collect::<Vec<_>>() }));
    }
    output
        .say(format!("{:<30} {:>10} {:>12} {:>12}  CLUSTER", "BACKUP", "WALLETS", "ROWS", "SIZE"));
    for each in &listed {
        match &each.manifest {
            Ok(manifest) => output.say(format!(
                "{:<30} {:>10} {:>12} {:>12}  {}",
                each.name,
                manifest.wallets(),
                manifest.groups.iter().map(|group| group.summary.rows).sum::<u64>(),
                HumanBytes(manifest.bytes()).to_string(),
                manifest.cluster
            )),
            Err(error) => {
                output.say(format!("{:<30} NOT TO BE BELIEVED: {}", each.name, chain(error)))
            }
        }
    }
    let bad = listed.into_iter().find_map(|listed| listed.manifest.err());
    bad.map_or(Ok(()), |error| Err(error.into()))
}

pub(super) async fn journal(
    args: JournalArgs,
    connection: &Connection,
    output: &Output,
) -> Result<(), Failure> {
    let trust = Trust::load(&connection.files().ca)?;
    let signer = Signer::load(connection.files(), &trust)?;
    let archive = Archive::create(&args.to)?;
    let nodes = connection.nodes();
    let mut follower = Follower::open(&archive, &nodes, &trust).await?;
    loop {
        match follower.advance(&nodes, &signer).await {
            Ok(followed) if followed.segments > 0 || !args.follow => output.result(
                format!("{} facts kept; the stream goes up to now", followed.facts),
                &json!({
                    "facts": followed.facts, "segments": followed.segments,
                    "reaches_ms": followed.reaches_ms,
                }),
            ),
            Ok(_) => {}
            Err(error) if args.follow && may_pass(&error) => {
                output.note(format!("{}; trying again", Failure::from(error).message()));
                follower = Follower::open(&archive, &nodes, &trust)
                    .await
                    .or_else(|error| if may_pass(&error) { Ok(follower) } else { Err(error) })?;
            }
            Err(error) => return Err(error.into()),
        }
        if !args.follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

/// A follower outlives outages of nodes and of its archive.
fn may_pass(error: &BackupError) -> bool {
    error.is_passing() || matches!(error, BackupError::Archive { .. })
}

pub(super) async fn restore(
    args: RestoreArgs,
    connection: &Connection,
    output: &Output,
) -> Result<(), Failure> {
    let ca = args.source.backup_ca.clone().unwrap_or_else(|| connection.files().ca.clone());
    let trust = Trust::load(&ca)?;
    let archive = Archive::open(&args.source.from)?;
    let options = match (&args.journal, args.without_journal) {
        (Some(place), _) => RestoreOptions::With(JournalSource::in_archive(Archive::open(place)?)),
        (None, true) => RestoreOptions::WithoutJournal,
        (None, false) => RestoreOptions::Unsaid,
    };
    let found = backup::find(&archive, &trust, args.source.backup.as_deref()).await?;
    if found.name != found.newest {
        output.note(format!("{} is newer than the backup that was named", found.newest));
    }
    let (nodes, teller) = (connection.nodes(), Teller::new(output));
    let tell = |told| teller.tell(told);
    let restored = backup::restore(&archive, &found, &options, &trust, &nodes, &tell).await?;
    teller.clear();
    let journal = restored.journal.map_or_else(
        || "without a journal".to_owned(),
        |reach| format!("and {} facts of the journal", reach.facts),
    );
    output.result(
        format!(
            "{} is restored: {} wallets, {} rows, {journal}",
            found.name, restored.wallets, restored.rows
        ),
        &json!({
            "restored": found.name, "hash": hex::encode(found.hash), "rows": restored.rows,
            "wallets": restored.wallets,
            "journal": restored.journal.map(|reach| {
                json!({ "facts": reach.facts, "reaches_ms": reach.reaches_ms })
            }),
        }),
    );
    Ok(())
}

/// The archive of a backup, and who is believed to have signed it.
fn open(source: &SourceArgs, operator: &OperatorArgs) -> Result<(Archive, Trust), Failure> {
    let ca = source.backup_ca.clone().map_or_else(|| operator.authority(), Ok)?;
    Ok((Archive::open(&source.from)?, Trust::load(&ca)?))
}

fn contents(manifest: &Manifest) -> Value {
    json!({
        "cluster": manifest.cluster.to_string(),
        "created_ms": manifest.created_ms,
        "release": manifest.release,
        "wallet_groups": manifest.wallet_groups,
        "wallets": manifest.wallets(),
        "rows": manifest.groups.iter().map(|group| group.summary.rows).sum::<u64>(),
        "bytes": manifest.bytes(),
    })
}

/// A backup is a backup also when the cluster could not be told of it.
fn noted(noted: Result<(), BackupError>, output: &Output) {
    if let Err(error) = noted {
        let why = Failure::from(error).message();
        output.note(format!("done, but the cluster's metrics do not say so: {why}"));
    }
}

fn chain(error: &BackupError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Shows on a terminal what goes on; notes go to standard error for everybody.
struct Teller<'a> {
    output: &'a Output,
    bar: ProgressBar,
}

impl<'a> Teller<'a> {
    fn new(output: &'a Output) -> Teller<'a> {
        let bar =
            if output.is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        Teller { output, bar }
    }

    fn tell(&self, told: Told) {
        match told {
            Told::Group { doing, group } => {
                let doing = match doing {
                    Doing::Export => "exporting",
                    Doing::Check => "reading back",
                    Doing::CheckJournal => "reading the journal of",
                    Doing::Restore => "restoring",
                    Doing::Compare => "comparing",
                };
                let moved = HumanBytes(self.bar.position());
                self.bar.set_message(format!("{doing} group {group} ({moved} so far)"));
            }
            Told::Bytes(more) => self.bar.inc(more),
            Told::Note(note) => self.bar.suspend(|| self.output.note(note)),
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
