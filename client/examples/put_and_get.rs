//! Creates a wallet in memory, stores a record, pushes it. Run it against `holdfast dev --json`:
//!
//! ```text
//! cargo run --release -p client --example put_and_get -- https://127.0.0.1:PORT CA.pem
//! ```

use std::io::Write;

use client::{Codes, CreateOptions, Place, Protection, Record, Settings, Wallet};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [endpoint, ca] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "give ENDPOINT and CA.pem")?;
    let settings = Settings { endpoints: vec![endpoint], ca_pem: std::fs::read_to_string(ca)? };
    let options = CreateOptions::new("laptop", Protection::FileMode);
    let mut code = None;
    let announce = |codes: &Codes| code = codes.recovery.as_ref().map(|code| code.reveal());
    let mut wallet = Wallet::create(Place::Memory, settings, options, announce).await?;

    wallet.put(Record::new("opaque", "licence", *b"sealed on this device"))?;
    let pushed = wallet.push().await?;
    assert_eq!(wallet.get("licence")?.body.as_slice(), b"sealed on this device");

    let code = code.ok_or("a wallet without a recovery code")?;
    writeln!(
        std::io::stdout(),
        "wallet {} at head {}\nrecovery code {}",
        wallet.id(),
        pushed.seq,
        code.as_str()
    )?;
    Ok(())
}
