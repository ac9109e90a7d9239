//! Devices of one wallet at different nodes, which compare the heads that they are shown.

use client::{ClientError, Record, Settings, Wallet};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Access, Arena, ended, moved, news, settled, side_by_side};
use crate::history::Client;

const WALLETS: usize = 2;
/// At least.
const DEVICES: usize = 4;
/// Each device writes these again and again.
const RECORDS: usize = 8;
const THINK_MS: u64 = 80;

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    side_by_side(WALLETS, |_| chain(arena.clone())).await
}

async fn chain(arena: Arena) -> Result<(), ClientError> {
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
    for (number, (name, mut wallet)) in devices.join_all().await.into_iter().enumerate() {
        settled(&mut wallet, access.only(number))?;
        let mut client = arena.recorder.client("chain");
        let open = client.invoke("push", &key, json!({"device": name}));
        wallet.put(Record::new("opaque", "last", arena.last_value(&name)))?;
        wallet.push().await?;
        open.ok(seen(&name, &wallet));
        let open = client.invoke("final", &key, json!({"device": name}));
        wallet.pull().await?;
        open.ok(seen(&name, &wallet));
    }
    Ok(())
}

/// The first device knows all nodes, and each other one a single node.
fn at(access: &Access, number: usize) -> Settings {
    match number {
        0 => access.beginning_at(0),
        _ => access.only(number),
    }
}

/// The head that a device knows.
fn seen(name: &str, wallet: &Wallet) -> Value {
    match wallet.summary() {
        Ok(summary) => {
            json!({"device": name, "seq": summary.seq, "head": summary.head.to_string()})
        }
        Err(error) => json!({"device": name, "error": error.to_string()}),
    }
}

async fn device(arena: Arena, key: String, mut wallet: Wallet, number: usize) -> (String, Wallet) {
    let mut client = arena.recorder.client("chain");
    let name = format!("{key}-{number}");
    let mut random = arena.random(&name);
    let mut reached = arena.reached.clone();
    for turn in 0_usize.. {
        if arena.is_over() {
            break;
        }
        if let Some(access) = news(&mut reached) {
            let _ = moved(&mut wallet, at(&access, number));
        }
        if random.random_bool(0.5) {
            pull(&mut client, &key, &name, &mut wallet).await;
        } else {
            let record = format!("{name}-{}", turn % RECORDS);
            let value = arena.value(&name, turn);
            push(&mut client, &key, &name, &mut wallet, Record::new("opaque", record, value)).await;
        }
        arena.think(&mut random, THINK_MS).await;
    }
    (name, wallet)
}

async fn pull(client: &mut Client, key: &str, name: &str, wallet: &mut Wallet) {
    let open = client.invoke("pull", key, json!({"device": name}));
    match wallet.pull().await {
        Ok(_) => open.ok(seen(name, wallet)),
        Err(error) => ended(open, &error),
    }
}

async fn push(client: &mut Client, key: &str, name: &str, wallet: &mut Wallet, record: Record) {
    let open = client.invoke("push", key, json!({"device": name}));
    let pushed = match wallet.put(record) {
        Ok(()) => wallet.push().await.map(drop),
        Err(error) => Err(error),
    };
    match pushed {
        Ok(()) => open.ok(seen(name, wallet)),
        Err(error) => {
            ended(open, &error);
            let _ = wallet.discard();
        }
    }
}
