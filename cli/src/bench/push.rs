//! Acknowledged pushes: each one record, sealed anew, under a signed head.

use super::{
    load::{Load, Measured, drive, prepare},
    target::Target,
};
use crate::failure::Failure;
use client::{Record, credential::Format};
use rand::Rng;

pub(super) async fn run(target: &mut Target, load: &Load) -> Result<Measured, Failure> {
    let settings = target.settings.clone();
    let wallets = prepare(load.clients, |n| {
        let settings = settings.clone();
        async move { Ok(Target::wallet(settings, format!("bench {n}")).await?.0) }
    })
    .await?;
    let size = load.size;
    drive(target, load, wallets, move |mut wallet| async move {
        let mut body = vec![0; size];
        rand::rng().fill_bytes(&mut body);
        wallet.put(Record::new(Format::Opaque.kind(), "changing", body))?;
        wallet.push().await?;
        Ok(wallet)
    })
    .await
}
