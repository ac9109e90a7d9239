//! `wallet devices` and `wallet revoke`.

use super::{ProfileArgs, recover::code_text};
use crate::{failure::Failure, output::Output};
use anyhow::anyhow;
use client::{Device, Revoker, RevokerCode, Wallet};
use serde_json::{Value, json};
use std::path::PathBuf;
use types::{MemberId, MemberKind};

/// Arguments of `holdfast wallet revoke`.
#[derive(Debug, clap::Args)]
pub(super) struct RevokeArgs {
    /// The device: its id as `devices` shows it, the beginning of its id, or its name.
    device: String,
    /// Revoke with the revoker code, which is asked for; no wallet on this device is needed. Names are
    /// sealed from it, so the device is given by its id.
    #[arg(long)]
    by_code: bool,
    /// Read the revoker code from this file (mode 0600), not from the terminal.
    #[arg(long, value_name = "FILE", requires = "by_code")]
    code_file: Option<PathBuf>,
}

pub(super) fn list(wallet: &Wallet, output: &Output) -> Result<(), Failure> {
    let devices = wallet.devices()?;
    if output.is_json() {
        let devices: Vec<Value> = devices.iter().map(as_json).collect();
        output.value(&json!({ "wallet": wallet.id().to_string(), "devices": devices }));
        return Ok(());
    }
    for device in &devices {
        output.line(as_text(device));
    }
    Ok(())
}

pub(super) async fn revoke(
    profile: &ProfileArgs,
    args: RevokeArgs,
    output: &Output,
) -> Result<(), Failure> {
    let id = if args.by_code {
        let text = code_text(args.code_file, "Revoker code: ")?;
        let code = RevokerCode::parse(text.as_str()).map_err(Failure::usage)?;
        let mut revoker = Revoker::open(profile.settings(None)?, &code).await?;
        let id = find(&revoker.devices(), &args.device)?;
        revoker.revoke(id).await?;
        id
    } else {
        let mut wallet = profile.open()?;
        let id = find(&wallet.devices()?, &args.device)?;
        wallet.revoke(id).await?;
        id
    };
    output.result(
        format!("{id} is revoked; every node refuses it from now on"),
        &json!({ "revoked": id.to_string() }),
    );
    Ok(())
}

/// The one active member that a text names.
fn find(devices: &[Device], text: &str) -> Result<MemberId, Failure> {
    let named = |device: &&Device| {
        let id = device.id.to_string();
        device.name.as_deref() == Some(text) || (text.len() >= 4 && id.starts_with(text))
    };
    let found: Vec<&Device> = devices.iter().filter(|device| device.active).filter(named).collect();
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Failure::refused(anyhow!("no active device is {text:?}; `devices` shows them"))),
        several => {
            let ids: Vec<String> = several.iter().map(|device| device.id.to_string()).collect();
            Err(Failure::usage(anyhow!(
                "{text:?} could be {}; give more of the id",
                ids.join(" or ")
            )))
        }
    }
}

pub(super) fn as_text(device: &Device) -> String {
    let state = match (device.active, device.this) {
        (true, true) => "active, this device",
        (true, false) => "active",
        (false, _) => "revoked",
    };
    let name = device.name.as_deref().unwrap_or("");
    format!("{}  {:<13} {state:<20} {name}", device.id, kind(device.kind)).trim_end().to_owned()
}

pub(super) fn as_json(device: &Device) -> Value {
    json!({
        "id": device.id.to_string(),
        "kind": kind(device.kind),
        "name": device.name,
        "active": device.active,
        "this": device.this,
        "added": device.added,
        "revoked": device.revoked,
    })
}

fn kind(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Device => "device",
        MemberKind::RecoveryCode => "recovery code",
        MemberKind::Passphrase => "passphrase",
        MemberKind::Revoker => "revoker",
    }
}
