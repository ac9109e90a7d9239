//! Writers and watchers of one wallet; each watcher at another node.

use client::{ClientError, PullReport, Record, Wallet};
use serde_json::{Value, json};
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Access, Arena, RECORDS_MAX, ended, moved, settled};
use crate::history::Client;

const WRITERS: usize = 2;
/// At least.
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
    /// Once more everybody watches, and one commit more is to be seen.
    async fn last_look(mut self, arena: &Arena, access: &Access) -> Result<(), ClientError> {
        let end = CancellationToken::new();
        let mut watching = JoinSet::new();
        let mut seen = Vec::new();
        for (number, mut watcher) in self.watchers.into_iter().enumerate() {
            settled(&mut watcher.wallet, access.only(number))?;
            watcher.node = access.name(number);
            seen.push(watcher.seen.subscribe());
            watching.spawn(watcher.watch(self.key.clone(), end.clone()));
        }
        self.wallet.discard()?;
        settled(&mut self.wallet, access.beginning_at(0))?;
        let mut client = arena.recorder.client("watch");
        let id = arena.last_value(&self.key);
        let open = client.invoke("push", &self.key, id.as_str());
        self.wallet.put(Record::new("opaque", id.as_str(), id.as_str()))?;
        let seq = self.wallet.push().await?.seq;
        open.ok(json!({"id": id, "seq": seq}));
        let everybody = async {
            for watcher in &mut seen {
                let _ = watcher.wait_for(|seen| *seen >= seq).await;
            }
        };
        // Who does not come that far says so.
        let _ = timeout(CATCH_UP, everybody).await;
        end.cancel();
        for watcher in watching.join_all().await {
            let value = json!({"watcher": watcher.name, "seq": watcher.wallet.summary()?.seq});
            watcher.client.notice("final", &self.key, value);
        }
        let open = client.invoke("final", &self.key, Value::Null);
        self.wallet.pull().await?;
        open.ok(json!({"seq": self.wallet.summary()?.seq}));
        Ok(())
    }
}

/// A device that only watches.
struct Watcher {
    name: String,
    /// Where.
    node: String,
    wallet: Wallet,
    client: Client,
    /// The number that it was shown last.
    seen: watch::Sender<u64>,
}

impl Watcher {
    /// Watches until there is nothing more to come for now.
    async fn watch(mut self, key: String, end: CancellationToken) -> Watcher {
        let from = self.wallet.summary().map_or(0, |summary| summary.seq);
        let opens = json!({"watcher": self.name, "node": self.node, "seq": from});
        self.client.notice("open", &key, opens);
        while !end.is_cancelled() {
            let Watcher { name, wallet, client, seen, .. } = &mut self;
            let watching = wallet.watch(|report| {
                see(client, &key, name, report);
                seen.send_replace(report.seq);
                ControlFlow::Continue(())
            });
            tokio::select! {
                // It ends by itself with an error only, and then the next try tells whether it lasts.
                broke_off = watching => {
                    if let Err(error @ (ClientError::Integrity(_) | ClientError::Refused(_))) = broke_off {
                        ended(client.invoke("watch", &key, json!({"watcher": name})), &error);
                    }
                    tokio::time::sleep(super::AGAIN).await;
                }
                () = end.cancelled() => {}
            }
        }
        self.client.notice("close", &key, json!({"watcher": self.name}));
        self
    }
}

fn see(client: &Client, key: &str, watcher: &str, report: &PullReport) {
    let PullReport { seq, changed, live, .. } = report;
    client.notice(
        "see",
        key,
        json!({"watcher": watcher, "seq": seq, "ids": changed, "live": live}),
    );
}

async fn work(arena: &Arena) -> Option<Watched> {
    let key = arena.key();
    let (wallet, code) = arena.wallet(0).await?;
    arena.home(&key, &wallet);
    let mut writers = vec![wallet];
    for number in 1..WRITERS {
        writers.push(arena.device(&code, arena.access().beginning_at(number)).await?);
    }
    // Nobody watches before all are there: whoever was seen to watch is looked for at the end.
    let mut watchers = Vec::new();
    for number in 0..arena.clients(WATCHERS) {
        let access = arena.access();
        let mut wallet = arena.device(&code, access.beginning_at(number)).await?;
        moved(&mut wallet, access.only(number)).ok()?;
        watchers.push(Watcher {
            name: format!("{key}-watcher-{number}"),
            node: access.name(number),
            wallet,
            client: arena.recorder.client("watch"),
            seen: watch::Sender::new(0),
        });
    }
    let end = CancellationToken::new();
    let watching: JoinSet<Watcher> =
        watchers.into_iter().map(|watcher| watcher.watch(key.clone(), end.clone())).collect();
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
