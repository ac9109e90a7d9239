//! Several devices of a wallet, each adding records that nobody else adds.

use client::{ClientError, Record, RecoveryCode, Wallet};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::task::JoinSet;

use super::{Access, Arena, RECORDS_MAX, ended, settled};

/// At least.
const DEVICES: usize = 3;
const THINK_MS: u64 = 120;

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    let mut sets = Vec::new();
    while !arena.is_over() {
        sets.extend(fill(&arena).await);
    }
    let access = arena.at_the_end().await;
    for set in sets {
        set.last_look(&arena, &access).await?;
    }
    Ok(())
}

/// A wallet that was filled.
struct Filled {
    key: String,
    code: RecoveryCode,
    /// A device of it.
    wallet: Wallet,
    /// The head's number before the first add.
    before: u64,
}

impl Filled {
    async fn last_look(mut self, arena: &Arena, access: &Access) -> Result<(), ClientError> {
        // What this device has not confirmed stays unsent.
        self.wallet.discard()?;
        settled(&mut self.wallet, access.beginning_at(0))?;
        let mut client = arena.recorder.client("set");
        let last = arena.last_value(&self.key);
        let open = client.invoke("add", &self.key, last.as_str());
        self.wallet.put(Record::new("opaque", last.as_str(), last.as_str()))?;
        self.wallet.push().await?;
        open.done();
        let open = client.invoke("final", &self.key, serde_json::Value::Null);
        self.wallet.pull().await?;
        let commits = self.wallet.summary()?.seq.saturating_sub(self.before);
        let fresh = arena.last_look(&self.code).await?;
        let records = fresh.list()?;
        let names = records.iter().filter_map(|info| info.record.as_ref());
        let elements: Vec<&str> = names.map(|record| record.name.as_str()).collect();
        open.ok(json!({"elements": elements, "commits": commits}));
        Ok(())
    }
}

async fn fill(arena: &Arena) -> Option<Filled> {
    let key = arena.key();
    let (mut wallet, code) = arena.wallet(0).await?;
    arena.home(&key, &wallet);
    let mut others = Vec::new();
    for number in 1..arena.clients(DEVICES) {
        others.push(arena.device(&code, arena.access().beginning_at(number)).await?);
    }
    while wallet.pull().await.is_err() {
        if arena.is_over() {
            return None;
        }
    }
    let before = wallet.summary().ok()?.seq;
    let added = Arc::new(AtomicUsize::new(0));
    let mut devices = JoinSet::new();
    for (number, device) in others.into_iter().enumerate() {
        devices.spawn(add(arena.clone(), key.clone(), device, number + 1, added.clone()));
    }
    let wallet = add(arena.clone(), key.clone(), wallet, 0, added).await;
    devices.join_all().await;
    Some(Filled { key, code, wallet, before })
}

/// Adds until there is enough in the wallet; gives the device back.
async fn add(
    arena: Arena,
    key: String,
    mut wallet: Wallet,
    number: usize,
    added: Arc<AtomicUsize>,
) -> Wallet {
    let mut client = arena.recorder.client("set");
    let name = format!("{key}-{number}");
    let mut random = arena.random(&name);
    while !arena.is_over() {
        let turn = added.fetch_add(1, Ordering::Relaxed);
        if turn >= RECORDS_MAX {
            break;
        }
        let value = arena.value(&name, turn);
        let open = client.invoke("add", &key, value.as_str());
        let pushed = match wallet.put(Record::new("opaque", value.as_str(), value.as_str())) {
            Ok(()) => wallet.push().await,
            Err(error) => Err(error),
        };
        match pushed {
            Ok(_) => open.done(),
            Err(error) => {
                ended(open, &error);
                // A failed add is not sent again, and one in doubt is left in doubt.
                let _ = wallet.discard();
            }
        }
        arena.think(&mut random, THINK_MS).await;
    }
    wallet
}
