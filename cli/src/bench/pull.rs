//! Linearizable pulls of a device that has everything: each checks the member at a fresh read index.

use super::{
    load::{Load, Measured, drive, prepare},
    target::Target,
};
use crate::failure::Failure;
use anyhow::anyhow;
use client::{Record, credential::Format};
use rand::Rng;

pub(super) async fn run(target: &mut Target, load: &Load) -> Result<Measured, Failure> {
    let settings = target.settings.clone();
    let size = load.size;
    let wallets = prepare(load.clients, |n| {
        let settings = settings.clone();
        async move {
            let (mut wallet, _) = Target::wallet(settings, format!("bench {n}")).await?;
            let mut body = vec![0; size];
            rand::rng().fill_bytes(&mut body);
            wallet.put(Record::new(Format::Opaque.kind(), "constant", body))?;
            wallet.push().await?;
            // Opens the session, which is kept for a quarter of an hour.
            wallet.pull().await?;
            Ok(wallet)
        }
    })
    .await?;
    drive(target, load, wallets, |mut wallet| async move {
        if !wallet.pull().await?.unchanged {
            return Err(Failure::integrity(anyhow!("a pull found a head that nobody pushed")));
        }
        Ok(wallet)
    })
    .await
}
