//! From nothing to a verified wallet of 100 credentials on a new device, with the recovery code alone.
//!
//! Each client restores a wallet of its own again and again. The device that joined last puts out
//! the one before, so that the wallet stays as large as it was.

use super::{
    load::{Load, Measured, drive, prepare},
    target::Target,
};
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use client::{
    Keep, Place, Protection, Record, RecoverOptions, RecoveryCode, Settings, Wallet,
    credential::Format,
};
use rand::Rng;

/// How many credentials the wallet has.
const CREDENTIALS: usize = 100;

struct Restorer {
    settings: Settings,
    code: RecoveryCode,
    size: usize,
}

pub(super) async fn run(target: &mut Target, load: &Load) -> Result<Measured, Failure> {
    let (settings, size) = (target.settings.clone(), load.size);
    let restorers = prepare(load.clients, |n| fill(settings.clone(), n, size)).await?;
    drive(target, load, restorers, restore).await
}

/// A wallet with its credentials, whose only device is then lost.
async fn fill(settings: Settings, n: usize, size: usize) -> Result<Restorer, Failure> {
    let (mut wallet, code) = Target::wallet(settings.clone(), format!("bench {n}")).await?;
    for credential in 0..CREDENTIALS {
        let mut body = vec![0; size];
        rand::rng().fill_bytes(&mut body);
        let name = format!("credential-{credential:03}");
        wallet.put(Record::new(Format::Opaque.kind(), name, body))?;
    }
    wallet.push().await?;
    let code = code.context("no recovery code was announced").map_err(Failure::refused)?;
    Ok(Restorer { settings, code, size })
}

async fn restore(restorer: Restorer) -> Result<Restorer, Failure> {
    let options = RecoverOptions {
        device_name: "restored".into(),
        protection: Protection::FileMode,
        keep: Keep::None,
        wallet: None,
    };
    let settings = restorer.settings.clone();
    let (wallet, _) = Wallet::recover(Place::Memory, settings, &restorer.code, options).await?;
    let records = wallet.list()?;
    let whole = |body: &[u8]| body.len() == restorer.size;
    let found =
        records.iter().filter_map(|info| info.record.as_ref()).filter(|record| whole(&record.body));
    match found.count() {
        CREDENTIALS => Ok(restorer),
        n => Err(Failure::integrity(anyhow!("{n} of {CREDENTIALS} credentials came back"))),
    }
}
