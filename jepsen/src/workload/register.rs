//! One value per wallet, read by pulls and written by pushes onto the head that the writer knows.

use client::{ClientError, Record, RecoveryCode, Settings, Wallet};
use rand::RngExt;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Access, Arena, ended, in_doubt, moved, news, settled, side_by_side};
use crate::history::Client;

const WALLETS: usize = 2;
/// At least.
const DEVICES: usize = 4;
const RECORD: &str = "register";
/// The longest pause of a client, in milliseconds.
const THINK_MS: u64 = 60;

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    side_by_side(WALLETS, |_| register(arena.clone())).await
}

async fn register(arena: Arena) -> Result<(), ClientError> {
    let key = arena.key();
    let Some((first, code)) = arena.wallet(0).await else { return Ok(()) };
    arena.home(&key, &first);
    let mut devices = JoinSet::new();
    devices.spawn(device(arena.clone(), key.clone(), first, 0));
    for number in 1..arena.clients(DEVICES) {
        if let Some(wallet) = arena.device(&code, at(&arena.access(), number)).await {
            devices.spawn(device(arena.clone(), key.clone(), wallet, number));
        }
    }
    let access = arena.at_the_end().await;
    for (number, mut wallet) in devices.join_all().await.into_iter().enumerate() {
        settled(&mut wallet, access.only(number))?;
        if number == 0 {
            last_write(&arena, &key, &mut wallet).await?;
        }
        let mut client = arena.recorder.client("register");
        let open = client.invoke("final", &key, Value::Null);
        wallet.pull().await?;
        open.ok(held(&wallet));
    }
    last_read(&arena, &key, &code).await
}

/// Every second device knows a single node, so that followers are asked too.
fn at(access: &Access, number: usize) -> Settings {
    match number % 2 {
        0 => access.beginning_at(number),
        _ => access.only(number),
    }
}

/// Nobody else writes any more: the value that is there is replaced.
async fn last_write(arena: &Arena, key: &str, wallet: &mut Wallet) -> Result<(), ClientError> {
    wallet.discard()?;
    wallet.pull().await?;
    let value = arena.last_value(key);
    let mut client = arena.recorder.client("register");
    let open = client.cas(key, held(wallet), value.as_str());
    wallet.put(Record::new("opaque", RECORD, value))?;
    wallet.push_unmerged().await?;
    open.done();
    Ok(())
}

/// What a device reads that joins now.
async fn last_read(arena: &Arena, key: &str, code: &RecoveryCode) -> Result<(), ClientError> {
    let mut client = arena.recorder.client("register");
    let open = client.invoke("final", key, Value::Null);
    let wallet = arena.last_look(code).await?;
    open.ok(held(&wallet));
    Ok(())
}

/// What this device knows to be written.
fn held(wallet: &Wallet) -> Value {
    match wallet.get(RECORD) {
        Ok(record) => String::from_utf8_lossy(&record.body).into_owned().into(),
        Err(_) => Value::Null,
    }
}

async fn device(arena: Arena, key: String, mut wallet: Wallet, number: usize) -> Wallet {
    let mut client = arena.recorder.client("register");
    let name = format!("{key}-{number}");
    let mut random = arena.random(&name);
    let mut reached = arena.reached.clone();
    for turn in 0.. {
        if arena.is_over() {
            break;
        }
        if let Some(access) = news(&mut reached) {
            let _ = moved(&mut wallet, at(&access, number));
        }
        if random.random_bool(0.6) {
            read(&mut client, &key, &mut wallet).await;
        } else {
            let value = arena.value(&name, turn);
            write(&mut client, &key, &mut wallet, value).await;
        }
        arena.think(&mut random, THINK_MS).await;
    }
    wallet
}

async fn read(client: &mut Client, key: &str, wallet: &mut Wallet) {
    let open = client.invoke("read", key, Value::Null);
    match wallet.pull().await {
        Ok(_) => open.ok(held(wallet)),
        Err(error) => ended(open, &error),
    }
}

async fn write(client: &mut Client, key: &str, wallet: &mut Wallet, value: String) {
    let old = held(wallet);
    let open = client.cas(key, old, value.clone());
    let written = match wallet.put(Record::new("opaque", RECORD, value)) {
        Ok(()) => wallet.push_unmerged().await.map(drop),
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => open.done(),
        Err(error) if error.refusal_code() == Some("conflict") => {
            open.refused("the head has moved on");
            // The next write is to expect what is there now.
            let _ = (wallet.discard(), wallet.pull().await);
        }
        Err(error) => {
            ended(open, &error);
            // What is in doubt may still come about; it is not sent again.
            let _ = wallet.discard();
            if in_doubt(&error) {
                let _ = wallet.pull().await;
            }
        }
    }
}
