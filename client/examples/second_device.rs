//! Fetches a wallet onto a second device by its recovery code, and keeps the first. Run it with the code
//! that `put_and_get` printed:
//!
//! ```text
//! cargo run --release -p client --example second_device -- https://127.0.0.1:PORT CA.pem CODE
//! ```

use std::io::Write;

use client::{Keep, Place, Protection, RecoverOptions, RecoveryCode, Settings, Wallet};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [endpoint, ca, code] =
        arguments.try_into().map_err(|_| "give ENDPOINT, CA.pem and CODE")?;
    let settings = Settings { endpoints: vec![endpoint], ca_pem: std::fs::read_to_string(ca)? };
    let options = RecoverOptions {
        device_name: "second".to_owned(),
        protection: Protection::FileMode,
        keep: Keep::All,
        wallet: None,
    };
    let code = RecoveryCode::parse(&code)?;
    let (wallet, report) = Wallet::recover(Place::Memory, settings, &code, options).await?;

    writeln!(
        std::io::stdout(),
        "wallet {}, {} changes, freshness unproven",
        report.wallet,
        report.changes
    )?;
    for info in wallet.list()? {
        let name = info.record.map_or_else(|| info.id.to_string(), |record| record.name);
        writeln!(std::io::stdout(), "{name}, version {}", info.version)?;
    }
    Ok(())
}
