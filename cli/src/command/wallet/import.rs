//! `wallet import`: files into the wallet, all of them or none.

use super::{
    list::travels,
    records::{read, waiting_text},
};
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use client::{
    Wallet,
    credential::{Credential, Filing, Format, Thumbprint, filing::FIELD_HOLDER_KEY},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Arguments of `holdfast wallet import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The files. Each is stored under its own name.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Keep the files unread, whatever they are.
    #[arg(long)]
    opaque: bool,
}

/// A file that was read and found whole.
struct Read {
    name: String,
    bytes: Vec<u8>,
    credential: Credential,
}

pub(super) fn run(wallet: &mut Wallet, args: &ImportArgs, output: &Output) -> Result<(), Failure> {
    // Everything is read and checked before anything is stored: a damaged file leaves no half of
    // an import behind.
    let files = args
        .files
        .iter()
        .map(|file| read_file(file, args.opaque))
        .collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(twice) = files.iter().find(|file| !names.insert(&file.name)) {
        let hint = "import them one by one, under other file names";
        return Err(Failure::usage(anyhow!("two files are named {:?}; {hint}", twice.name)));
    }
    let held = holder_keys(wallet, &files)?;
    for file in &files {
        let holds = |key: &Thumbprint| held.contains(&key.to_string());
        let filing = Filing::new(&file.name, &file.bytes, &file.credential, holds);
        let (kind, policy) = (filing.record.kind.clone(), filing.record.policy.clone());
        wallet.file(filing)?;
        output.result(
            format!("{}: {kind}, {}", file.name, travels(&policy)),
            &json!({ "name": file.name, "kind": kind, "policy": policy }),
        );
    }
    output.say(waiting_text(wallet.summary()?.changes));
    Ok(())
}

fn read_file(file: &Path, opaque: bool) -> Result<Read, Failure> {
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Failure::usage(anyhow!("{} has no name that can be stored", file.display()))
    })?;
    let bytes = read(file)?;
    let format = match Format::promised_by(name) {
        _ if opaque => Format::Opaque,
        Some(promised) => promised,
        None => Format::detect(&bytes),
    };
    let credential = Credential::read_as(format, &bytes).map_err(|error| {
        let advice = error.advice();
        Failure::refused(anyhow!("{}: {error}; {advice}", file.display()))
    })?;
    Ok(Read { name: name.to_owned(), bytes, credential })
}

/// The holder keys that are in the wallet or come with this import: what is bound to one of them
/// travels.
fn holder_keys(wallet: &Wallet, files: &[Read]) -> Result<BTreeSet<String>, Failure> {
    let mut held = BTreeSet::new();
    for info in wallet.list()? {
        let record = info.record.filter(|record| record.kind == Format::HolderKey.kind());
        held.extend(record.and_then(|mut record| record.fields.remove(FIELD_HOLDER_KEY)));
    }
    for file in files {
        if let Credential::HolderKey(key) = &file.credential {
            held.insert(key.thumbprint().to_string());
        }
    }
    Ok(held)
}
