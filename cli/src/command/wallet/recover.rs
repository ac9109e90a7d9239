//! `wallet recover`.

use super::{ProfileArgs, access::ProtectionArgs, create, devices};
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use client::{Codes, Keep, RecoverOptions, RecoveryCode, RecoveryReport, Secret, Wallet};
use serde_json::json;
use std::path::PathBuf;
use types::{MemberId, WalletId};

/// Arguments of `holdfast wallet recover`.
#[derive(Debug, clap::Args)]
pub(super) struct RecoverArgs {
    /// What you call this device. Only your devices can read it.
    #[arg(long, value_name = "NAME", default_value = "recovered device")]
    name: String,
    #[command(flatten)]
    protection: ProtectionArgs,
    /// Read the recovery code from this file (mode 0600), not from the terminal.
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    /// Devices that stay members: `none`, `all`, or ids separated by commas. The others are revoked.
    #[arg(long, value_name = "DEVICES", default_value = "none", value_parser = parse_keep)]
    keep: Keep,
    /// The wallet's id, where the code opens several.
    #[arg(long, value_name = "ID")]
    wallet: Option<WalletId>,
    /// Also replace the recovery code: the old one was typed in, and opens nothing from then on.
    #[arg(long)]
    new_code: bool,
}

pub(super) async fn run(
    profile: &ProfileArgs,
    args: RecoverArgs,
    output: &Output,
) -> Result<(), Failure> {
    let text = code_text(args.code_file, "Recovery code: ")?;
    let code = RecoveryCode::parse(text.as_str()).map_err(Failure::usage)?;
    let options = RecoverOptions {
        device_name: args.name,
        protection: profile.protection(&args.protection)?,
        keep: args.keep,
        wallet: args.wallet,
    };
    let settings = profile.settings(None)?;
    let (mut wallet, report) = Wallet::recover(profile.place()?, settings, &code, options).await?;
    show(&wallet, &report, output)?;
    if args.new_code {
        let announce = |fresh: &RecoveryCode| {
            let recovery = RecoveryCode::parse(fresh.reveal().as_str()).ok();
            create::announce(&Codes { recovery, revoker: None }, output);
        };
        wallet.replace_recovery_code(&code, announce).await?;
    } else {
        output.say("the recovery code stays as it is; --new-code would have replaced it");
    }
    Ok(())
}

fn show(wallet: &Wallet, report: &RecoveryReport, output: &Output) -> Result<(), Failure> {
    let records = wallet.list()?.len();
    if output.is_json() {
        output.value(&json!({
            "wallet": report.wallet.to_string(),
            "device": wallet.device().to_string(),
            "changes": report.changes,
            "head_time": report.head_time_s,
            "records": records,
            "devices": report.devices.iter().map(devices::as_json).collect::<Vec<_>>(),
            "revoked": report.revoked.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "freshness": "unproven",
        }));
        return Ok(());
    }
    output.line(format!("wallet {}", report.wallet));
    output.line(format!("{records} records after {} changes, every byte verified", report.changes));
    output.line(
        "freshness: unproven (a code alone cannot tell the latest state from an older one; compare \
         the number of changes with another device)",
    );
    for device in &report.devices {
        output.line(devices::as_text(device));
    }
    if !report.revoked.is_empty() {
        output.line(format!("{} of these are revoked now", report.revoked.len()));
    }
    Ok(())
}

/// A code that was written down, as it is typed in now. Never an argument: those are seen by everybody
/// on the machine.
pub(super) fn code_text(file: Option<PathBuf>, prompt: &str) -> Result<Typed, Failure> {
    let typed = match file {
        Some(file) => server::config::read_secret(&file).map_err(Failure::usage)?,
        None => rpassword::prompt_password(prompt)
            .map(|text| Secret::new(text.into_bytes()))
            .map_err(|error| {
                Failure::usage(anyhow!("there is no terminal to ask on ({error}); use --code-file"))
            })?,
    };
    Ok(Typed(typed))
}

/// What was typed in; wiped when dropped.
pub(super) struct Typed(Secret);

impl Typed {
    /// The text; empty if it is none.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default().trim()
    }
}

fn parse_keep(text: &str) -> Result<Keep, String> {
    match text {
        "none" => Ok(Keep::None),
        "all" => Ok(Keep::All),
        ids => {
            let id = |id: &str| id.trim().parse::<MemberId>();
            let ids: Result<_, _> = ids.split(',').map(id).collect();
            ids.map(Keep::Devices).map_err(|error| format!("`none`, `all` or ids: {error}"))
        }
    }
}
