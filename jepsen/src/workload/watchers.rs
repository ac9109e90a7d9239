//! Writers and watchers of one wallet; each watcher at another node.

use client::{ClientError, PullReport, Record, Wallet};
use serde_json::json;
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Access, Arena, RECORDS_MAX, ended, moved};
use crate::history::Client;

const WRITERS: usize = 2;
const WATCHERS: usize = 3;
const THINK_MS: u64 = 150;
/// How long a watcher may take to see the last commit of a cluster that has healed.
const CATCH_UP: Duration = Duration::from_secs(30);

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    let mut watched = Vec::new();
    while !arena.is_over() {
        watched.extend(work(&arena).await);
    }
    let access = arena.at_the_end().await;
    for wallet in watched {
        wallet.last_look(&arena, &access).await?;
    }
    Ok(())
}

/// A wallet that was watched.
struct Watched {
    key: String,
    wallet: Wallet,
    watchers: Vec<Watcher>,
}

impl Watched {
    async fn last_look(mut self, arena: &Arena, access: &Access) -> Result<(), ClientError> {
        self.wallet.discard()?;
        moved(&mut self.wallet, access.beginning_at(0))?;
        self.wallet.pull().await?;
        let seq = self.wallet.summary()?.seq;
        for (number, watcher) in self.watchers.iter_mut().enumerate() {
            moved(&mut watcher.wallet, access.only(number))?;
            watcher.catch_up(&self.key, seq).await?;
        }
        let client = arena.recorder.client("watch");
        client.notice("final", &self.key, json!({"seq": seq}));
        Ok(())
    }
}

/// A device that only watches.
struct Watcher {
    name: String,
    wallet: Wallet,
    client: Client,
    /// Whether a watch has told it where it begins.
    told: bool,
}

impl Watcher {
    /// Watches until there is nothing more to come for now.
    async fn watch(mut self, key: String, end: CancellationToken) -> Watcher {
        loop {
            let Watcher { name, wallet, client, told } = &mut self;
            let watching = wallet.watch(|report| {
                *told = true;
                see(client, &key, name, report);
                ControlFlow::Continue(())
            });
            tokio::select! {
                // It ends by itself with an error only, and then the next try tells whether it lasts.
                broke_off = watching => {
                    if let Err(error @ ClientError::Integrity(_)) = broke_off {
                        client.invoke("watch", &key, json!({"watcher": name})).broken(error);
                    }
                    tokio::time::sleep(super::AGAIN).await;
                }
                () = end.cancelled() => return self,
            }
        }
    }

    /// Watches up to a commit, and says how far it came.
    async fn catch_up(&mut self, key: &str, seq: u64) -> Result<(), ClientError> {
        let Watcher { name, wallet, client, told } = self;
        // One that could not watch while the faults lasted begins here.
        if !*told || wallet.summary()?.seq < seq {
            let watching = wallet.watch(|report| {
                see(client, key, name, report);
                if report.seq < seq { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if let Ok(ended) = timeout(CATCH_UP, watching).await {
                ended?;
            }
        }
        let value = json!({"watcher": name.as_str(), "seq": wallet.summary()?.seq});
        client.notice("final", key, value);
        Ok(())
    }
}

fn see(client: &Client, key: &str, watcher: &str, report: &PullReport) {
    client.notice(
        "see",
        key,
        json!({"watcher": watcher, "seq": report.seq, "ids": report.changed}),
    );
}

async fn work(arena: &Arena) -> Option<Watched> {
    let key = arena.key();
    let (wallet, code) = arena.wallet(0).await?;
    arena.home(&key, &wallet);
    let mut writers = vec![wallet];
    for number in 1..WRITERS {
        writers.push(arena.device(&code, arena.access.beginning_at(number)).await?);
    }
    let end = CancellationToken::new();
    let mut watching = JoinSet::new();
    for number in 0..WATCHERS {
        let wallet = arena.device(&code, arena.access.only(number)).await?;
        let name = format!("{key}-watcher-{number}");
        let watcher = Watcher { name, wallet, client: arena.recorder.client("watch"), told: false };
        watching.spawn(watcher.watch(key.clone(), end.clone()));
    }
    let pushed = Arc::new(AtomicUsize::new(0));
    let mut writing = JoinSet::new();
    for (number, wallet) in writers.into_iter().enumerate() {
        writing.spawn(write(arena.clone(), key.clone(), wallet, number, pushed.clone()));
    }
    let wallet = writing.join_all().await.into_iter().next();
    end.cancel();
    let watchers = watching.join_all().await;
    Some(Watched { key, wallet: wallet?, watchers })
}

async fn write(
    arena: Arena,
    key: String,
    mut wallet: Wallet,
    number: usize,
    pushed: Arc<AtomicUsize>,
) -> Wallet {
    let mut client = arena.recorder.client("watch");
    let name = format!("{key}-{number}");
    let mut random = arena.random(&name);
    while !arena.is_over() {
        let turn = pushed.fetch_add(1, Ordering::Relaxed);
        if turn >= RECORDS_MAX {
            break;
        }
        let id = arena.value(&name, turn);
        let open = client.invoke("push", &key, id.as_str());
        let done = match wallet.put(Record::new("opaque", id.as_str(), id.as_str())) {
            Ok(()) => wallet.push().await,
            Err(error) => Err(error),
        };
        match done {
            Ok(report) => open.ok(json!({"id": id, "seq": report.seq})),
            Err(error) => {
                ended(open, &error);
                let _ = wallet.discard();
            }
        }
        arena.think(&mut random, THINK_MS).await;
    }
    wallet
}
