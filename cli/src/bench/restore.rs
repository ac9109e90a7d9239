//! From nothing to a verified wallet of 100 credentials on a new device, with the recovery code alone.
//!
//! Every recovery leaves a link chain that is a little longer, since the new device puts out the one
//! before. So the clients take turns on more wallets than there are clients, and no wallet grows old.

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
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How many credentials the wallet has.
const CREDENTIALS: usize = 100;

/// Wallets beyond one for each client.
const SPARE: usize = 15;

/// A wallet that can be restored.
struct Lost {
    settings: Settings,
    code: RecoveryCode,
    size: usize,
}

/// Wallets that nobody restores at the moment.
type Waiting = Arc<Mutex<VecDeque<Lost>>>;

pub(super) async fn run(target: &mut Target, load: &Load) -> Result<Measured, Failure> {
    let (settings, size) = (target.settings.clone(), load.size);
    let wallets = prepare(load.clients + SPARE, |n| fill(settings.clone(), n, size)).await?;
    let waiting: Waiting = Arc::new(Mutex::new(wallets.into()));
    let clients = vec![waiting; load.clients];
    drive(target, load, clients, restore_next).await
}

/// A wallet with its credentials, whose only device is then lost.
async fn fill(settings: Settings, n: usize, size: usize) -> Result<Lost, Failure> {
    let (mut wallet, code) = Target::wallet(settings.clone(), format!("bench {n}")).await?;
    for credential in 0..CREDENTIALS {
        let mut body = vec![0; size];
        rand::rng().fill_bytes(&mut body);
        let name = format!("credential-{credential:03}");
        wallet.put(Record::new(Format::Opaque.kind(), name, body))?;
    }
    wallet.push().await?;
    let code = code.context("no recovery code was announced").map_err(Failure::refused)?;
    Ok(Lost { settings, code, size })
}

async fn restore_next(waiting: Waiting) -> Result<Waiting, Failure> {
    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let lost = next.ok_or_else(|| Failure::unavailable(anyhow!("more clients than wallets")))?;
    restore(&lost).await?;
    waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(lost);
    Ok(waiting)
}

async fn restore(lost: &Lost) -> Result<(), Failure> {
    let options = RecoverOptions {
        device_name: "restored".into(),
        protection: Protection::FileMode,
        keep: Keep::None,
        wallet: None,
    };
    let settings = lost.settings.clone();
    let (wallet, _) = Wallet::recover(Place::Memory, settings, &lost.code, options).await?;
    let records = wallet.list()?;
    let whole = records
        .iter()
        .filter_map(|info| info.record.as_ref())
        .filter(|record| record.body.len() == lost.size);
    match whole.count() {
        CREDENTIALS => Ok(()),
        n => Err(Failure::integrity(anyhow!("{n} of {CREDENTIALS} credentials came back"))),
    }
}
