//! A single device of a wallet, which sends again what was not answered: with the same request id.

use client::{ClientError, Record, RecoveryCode, Wallet};
use serde_json::json;

use super::{Arena, RECORDS_MAX, ended, in_doubt, settled, side_by_side};
use crate::history::Client;

/// At least: each has one client.
const WALLETS: usize = 3;
const THINK_MS: u64 = 120;

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    side_by_side(arena.clients(WALLETS), |number| owner(arena.clone(), number)).await
}

/// Fills one wallet after the other.
async fn owner(arena: Arena, number: usize) -> Result<(), ClientError> {
    let mut filled = Vec::new();
    while !arena.is_over() {
        let Some((mut wallet, code)) = arena.wallet(number).await else { break };
        let key = arena.key();
        arena.home(&key, &wallet);
        let first = wallet.summary()?.seq;
        work(&arena, &key, &mut wallet).await;
        filled.push((key, wallet, code, first));
    }
    let access = arena.at_the_end().await;
    for (key, mut wallet, code, first) in filled {
        settled(&mut wallet, access.beginning_at(0))?;
        last_look(&arena, &key, wallet, &code, first).await?;
    }
    Ok(())
}

async fn work(arena: &Arena, key: &str, wallet: &mut Wallet) {
    let mut client = arena.recorder.client("once");
    let mut random = arena.random(key);
    for turn in 0..RECORDS_MAX {
        if arena.is_over() {
            break;
        }
        let id = arena.value(key, turn);
        let Ok(()) = wallet.put(Record::new("opaque", id.as_str(), id.as_str())) else { break };
        send(arena, &mut client, key, wallet, &id).await;
        arena.think(&mut random, THINK_MS).await;
    }
}

/// Sends until the outcome is known, or the run is over. Nothing is merged: a client that finds its own commit
/// behind a refusal would call that a success, and nobody would learn that the cluster did not know its own
/// answer.
async fn send(arena: &Arena, client: &mut Client, key: &str, wallet: &mut Wallet, id: &str) {
    let mut op = "push";
    loop {
        let open = client.invoke(op, key, id);
        match wallet.push_unmerged().await {
            Ok(report) => return open.ok(json!({"id": id, "seq": report.seq})),
            Err(error) => {
                let doubt = in_doubt(&error);
                let refused = matches!(error, ClientError::Refused(_));
                ended(open, &error);
                if refused || (!doubt && op == "push") {
                    // It was never sent, or is refused for good, and is given up. Of one that is refused although
                    // it was done the device learns so that it can go on.
                    let _ = wallet.discard();
                    if refused {
                        let _ = wallet.pull().await;
                    }
                    return;
                }
                // An answer to an earlier attempt is still owed.
                op = "retry";
                if arena.is_over() {
                    return;
                }
            }
        }
    }
}

async fn last_look(
    arena: &Arena,
    key: &str,
    mut wallet: Wallet,
    code: &RecoveryCode,
    first: u64,
) -> Result<(), ClientError> {
    let mut client = arena.recorder.client("once");
    if wallet.summary()?.changes > 0 {
        let name = wallet.list()?.into_iter().find(|info| info.changed);
        let id = name.and_then(|info| info.record).map(|record| record.name).unwrap_or_default();
        let open = client.invoke("retry", key, id.as_str());
        match wallet.push_unmerged().await {
            Ok(report) => open.ok(json!({"id": id, "seq": report.seq})),
            Err(error @ ClientError::Refused(_)) => {
                ended(open, &error);
                wallet.discard()?;
                wallet.pull().await?;
            }
            Err(error) => return Err(error),
        }
    }
    let id = arena.last_value(key);
    let open = client.invoke("push", key, id.as_str());
    wallet.put(Record::new("opaque", id.as_str(), id.as_str()))?;
    let report = wallet.push_unmerged().await?;
    open.ok(json!({"id": id, "seq": report.seq}));
    let open = client.invoke("final", key, serde_json::Value::Null);
    wallet.pull().await?;
    let seq = wallet.summary()?.seq;
    let fresh = arena.last_look(code).await?;
    let records = fresh.list()?;
    let names = records.iter().filter_map(|info| info.record.as_ref());
    let elements: Vec<&str> = names.map(|record| record.name.as_str()).collect();
    open.ok(json!({"elements": elements, "seq": seq, "first": first}));
    Ok(())
}
