//! `wallet export`: files out of the wallet, byte for byte.

use super::records::write_private;
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use client::{Record, Secret, Wallet, credential::filing::REISSUE};
use serde_json::json;
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Component, Path, PathBuf},
};

/// Arguments of `holdfast wallet export`.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Records to write; all, if none is named.
    names: Vec<String>,
    /// The directory for the files, which are readable by you only. Nothing is overwritten.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn run(wallet: &Wallet, args: &ExportArgs, output: &Output) -> Result<(), Failure> {
    let names = match args.names.is_empty() {
        false => args.names.clone(),
        true => wallet.list()?.into_iter().filter_map(|info| Some(info.record?.name)).collect(),
    };
    // All records are found, and all names checked, before the first file is written.
    let records = names
        .iter()
        .map(|name| Ok((file_name(name)?, wallet.get(name)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    if !args.dir.is_dir() {
        DirBuilder::new().mode(0o700).recursive(true).create(&args.dir)?;
    }
    for (file, record) in records {
        write(wallet, &args.dir.join(file), &record, output)?;
    }
    Ok(())
}

fn write(wallet: &Wallet, file: &Path, record: &Record, output: &Output) -> Result<(), Failure> {
    let bytes = match record.policy.as_str() {
        REISSUE => match wallet.kept_here(&record.name)? {
            Some(file) => file,
            None => {
                let note = "the issuer has to issue it again for this device; nothing is written";
                output.result(
                    format!("{}: {note}", record.name),
                    &json!({ "name": record.name, "written": false, "note": note }),
                );
                return Ok(());
            }
        },
        _ => Secret::new(record.body.to_vec()),
    };
    write_private(file, bytes.expose())?;
    output.result(
        format!("{}: {} bytes", file.display(), bytes.len()),
        &json!({ "name": record.name, "written": true, "file": file, "bytes": bytes.len() }),
    );
    Ok(())
}

/// A record's name as the name of a file in one directory: it must not lead elsewhere.
fn file_name(name: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(name);
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name => Ok(path),
        _ => {
            let hint = "it cannot be the name of a file; use `get NAME --out FILE`";
            Err(Failure::usage(anyhow!("{name:?}: {hint}")))
        }
    }
}
