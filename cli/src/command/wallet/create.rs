//! `wallet create`.

use super::{ProfileArgs, access::ProtectionArgs};
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use client::{Codes, CreateOptions, Wallet};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `holdfast wallet create`.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// What you call this device. Only your devices can read it.
    #[arg(long, value_name = "NAME", default_value = "first device")]
    name: String,
    #[command(flatten)]
    protection: ProtectionArgs,
    /// Make no recovery code. The loss of the last device is then the loss of the wallet.
    #[arg(long)]
    no_recovery_code: bool,
    /// Also make a code that can revoke devices and nothing else.
    #[arg(long)]
    revoker: bool,
    /// The region whose nodes keep the wallet, for ever.
    #[arg(long, value_name = "N", default_value_t = 0)]
    region: u8,
    /// The file with the registration token (mode 0600), where the cluster asks for one.
    #[arg(long, value_name = "FILE")]
    registration_token_file: Option<PathBuf>,
}

pub(super) async fn run(
    profile: &ProfileArgs,
    args: CreateArgs,
    output: &Output,
) -> Result<(), Failure> {
    let options = CreateOptions {
        device_name: args.name,
        protection: profile.protection(&args.protection)?,
        recovery_code: !args.no_recovery_code,
        revoker: args.revoker,
        region: args.region,
        registration_token: token(args.registration_token_file)?,
    };
    let settings = profile.settings(None)?;
    let announce = |codes: &Codes| announce(codes, output);
    let wallet = Wallet::create(profile.place()?, settings, options, announce).await?;
    let summary = wallet.summary()?;
    output.result(
        format!("wallet {}\ndevice {}", summary.wallet, summary.device),
        &json!({
            "wallet": summary.wallet.to_string(),
            "device": summary.device.to_string(),
            "seq": summary.seq,
        }),
    );
    Ok(())
}

/// Shows the codes before the cluster hears of them: no accepted code is lost on the way.
pub(super) fn announce(codes: &Codes, output: &Output) {
    let recovery = codes.recovery.as_ref().map(|code| code.reveal());
    let revoker = codes.revoker.as_ref().map(|code| code.reveal());
    if output.is_json() {
        output.value(&json!({
            "recovery_code": recovery.as_ref().map(|code| code.as_str()),
            "revoker_code": revoker.as_ref().map(|code| code.as_str()),
        }));
        return;
    }
    if let Some(code) = recovery {
        output.line(format!("recovery code: {}", code.as_str()));
    }
    if let Some(code) = revoker {
        output.line(format!("revoker code:  {}", code.as_str()));
    }
    output.line("Write this down now and keep it away from the device. It is not shown again.");
}

fn token(file: Option<PathBuf>) -> Result<String, Failure> {
    let Some(file) = file else { return Ok(String::new()) };
    let secret = server::config::read_secret(&file).map_err(Failure::usage)?;
    let text = std::str::from_utf8(secret.expose())
        .map_err(|_| Failure::usage(anyhow!("{} is not UTF-8", file.display())))?;
    let token = text.lines().map(str::trim).find(|line| !line.is_empty());
    token.map(str::to_owned).ok_or_else(|| Failure::usage(anyhow!("{} is empty", file.display())))
}
