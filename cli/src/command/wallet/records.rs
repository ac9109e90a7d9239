//! `wallet put`, `get`, `delete`, `settle`.

use crate::{failure::Failure, output::Output};
use anyhow::{Context, anyhow};
use client::{Record, Wallet, credential::Format};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Arguments of `holdfast wallet put`.
#[derive(Debug, clap::Args)]
pub(super) struct PutArgs {
    /// The record's name.
    name: String,
    /// The file; `-` for standard input.
    file: PathBuf,
}

/// Arguments of `holdfast wallet get`.
#[derive(Debug, clap::Args)]
pub(super) struct GetArgs {
    /// The record's name.
    name: String,
    /// Write to a new file that only you can read, and not to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take the value number N of those that were set aside, counted from 1.
    #[arg(long, value_name = "N")]
    conflict: Option<usize>,
}

/// Arguments of commands that act on one record.
#[derive(Debug, clap::Args)]
pub(super) struct NameArgs {
    /// The record's name.
    name: String,
}

/// Arguments of `holdfast wallet settle`.
#[derive(Debug, clap::Args)]
pub(super) struct SettleArgs {
    /// The record's name.
    name: String,
    /// Take the value number N of those that were set aside, counted from 1, in place of the
    /// present one.
    #[arg(long, value_name = "N")]
    take: Option<usize>,
}

pub(super) fn put(wallet: &mut Wallet, args: &PutArgs, output: &Output) -> Result<(), Failure> {
    let bytes = read(&args.file)?;
    wallet.put(Record::new(Format::Opaque.kind(), &args.name, bytes.as_slice()))?;
    stored(wallet, &args.name, "stored", output)
}

pub(super) fn get(wallet: &Wallet, args: &GetArgs, output: &Output) -> Result<(), Failure> {
    let mut record = wallet.get(&args.name)?;
    if let Some(number) = args.conflict {
        let aside = number.checked_sub(1).and_then(|at| record.conflicts.get(at)?.record());
        record = aside.ok_or_else(|| {
            let found = record.conflicts.len();
            Failure::refused(anyhow!(
                "{:?} has {found} values set aside, not number {number}",
                args.name
            ))
        })?;
    }
    match &args.out {
        None => output.bytes(&record.body),
        Some(file) => {
            write_private(file, &record.body)?;
            output.result(
                format!("{} has {} bytes of {}", file.display(), record.body.len(), args.name),
                &json!({ "name": args.name, "file": file, "bytes": record.body.len() }),
            );
        }
    }
    Ok(())
}

pub(super) fn delete(wallet: &mut Wallet, args: &NameArgs, output: &Output) -> Result<(), Failure> {
    wallet.delete(&args.name)?;
    stored(wallet, &args.name, "deleted", output)
}

pub(super) fn settle(
    wallet: &mut Wallet,
    args: &SettleArgs,
    output: &Output,
) -> Result<(), Failure> {
    wallet.settle(&args.name, args.take)?;
    stored(wallet, &args.name, "settled", output)
}

fn stored(wallet: &Wallet, name: &str, what: &str, output: &Output) -> Result<(), Failure> {
    let waiting = wallet.summary()?.changes;
    output.result(
        format!("{name} {what}; {}", waiting_text(waiting)),
        &json!({ "name": name, "done": what, "changes": waiting }),
    );
    Ok(())
}

/// How many changes `push` would send.
pub(super) fn waiting_text(changes: u64) -> String {
    match changes {
        1 => "1 change waits for `push`".to_owned(),
        n => format!("{n} changes wait for `push`"),
    }
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let limit = client::DATA_MAX as u64 + 1;
    let read = |from: &mut dyn Read| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte more than fits, so that what is too large is refused and not cut.
        from.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = match file.to_str() {
        Some("-") => read(&mut io::stdin().lock()),
        _ => fs::File::open(file).and_then(|mut file| read(&mut file)),
    };
    bytes.with_context(|| format!("{} cannot be read", file.display())).map_err(Failure::usage)
}

/// Writes a new file that only its owner can read.
pub(super) fn write_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = open.and_then(|mut out| {
        out.write_all(bytes)?;
        out.sync_all()
    });
    written.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists => "it is there already; name another file",
            _ => "it cannot be written",
        };
        Failure::usage(anyhow!("{}: {hint} ({error})", file.display()))
    })
}
