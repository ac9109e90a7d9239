//! One device revokes another, which goes on trying at every node.

use client::{ClientError, Place, Record, RecoveryCode, Refusal, Wallet};
use serde_json::json;
use server::cluster::Scratch;
use std::{fs, io, ops::ControlFlow, path::Path, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::ids::MemberId;

use super::{AGAIN, Access, Arena, ended, moved, recover, side_by_side};
use crate::history::{Client, Open};

const WALLETS: usize = 2;
const THINK_MS: u64 = 100;
/// How long a device is in use before it is revoked, and how long it goes on trying behind that.
const USED: Duration = Duration::from_secs(2);
const TRIES_ON: Duration = Duration::from_millis(2_500);

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    side_by_side(WALLETS, |number| owner(arena.clone(), number)).await
}

async fn owner(arena: Arena, number: usize) -> Result<(), ClientError> {
    let key = arena.key();
    let Some((mut wallet, code)) = arena.wallet(number).await else { return Ok(()) };
    let mut client = arena.recorder.client("devices");
    let mut revoked = Vec::new();
    for turn in 0_u32.. {
        if arena.is_over() {
            break;
        }
        let name = format!("{key}-{turn}");
        let Some(stolen) = Stolen::begin(&arena, &code, name).await else { continue };
        let end = CancellationToken::new();
        let uses = stolen.use_everywhere(&arena, &key, &end);
        let _ = tokio::time::timeout(USED, arena.over.cancelled()).await;
        let is_out = revoke(&arena, &mut client, &key, &mut wallet, &stolen).await;
        tokio::time::sleep(TRIES_ON).await;
        end.cancel();
        uses.join_all().await;
        if is_out {
            revoked.push(stolen);
        }
    }
    let access = arena.at_the_end().await;
    for stolen in &revoked {
        stolen.try_again(&access, &mut client, &key).await;
    }
    Ok(())
}

/// Revokes until it is known to stand. Says whether it is.
async fn revoke(
    arena: &Arena,
    client: &mut Client,
    key: &str,
    wallet: &mut Wallet,
    stolen: &Stolen,
) -> bool {
    loop {
        let open = client.invoke("revoke", key, stolen.name.as_str());
        match wallet.revoke(stolen.id).await {
            Ok(()) => {
                open.done();
                return true;
            }
            // An earlier attempt, whose answer was lost, has done it.
            Err(ClientError::Refused(Refusal::NotActive(id))) if id == stolen.id => {
                open.done();
                return true;
            }
            Err(error) => ended(open, &error),
        }
        if arena.is_over() {
            return false;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A device that will be revoked. Its profile is copied, so that it can be at every node at once.
struct Stolen {
    name: String,
    id: MemberId,
    profiles: Scratch,
}

impl Stolen {
    async fn begin(arena: &Arena, code: &RecoveryCode, name: String) -> Option<Stolen> {
        let profiles = Scratch::new("holdfast-jepsen-device").ok()?;
        let first = profiles.path().join("first");
        let place = Place::Directory(first.clone());
        let made = recover(place, arena.access.beginning_at(0), code).await;
        let Ok(wallet) = made else {
            tokio::time::sleep(AGAIN).await;
            return None;
        };
        let id = wallet.device();
        drop(wallet);
        for node in 0..arena.access.endpoints.len() {
            copy(&first, &profiles.path().join(format!("at-{node}"))).ok()?;
        }
        Some(Stolen { name, id, profiles })
    }

    /// The device, at one node.
    fn at(&self, access: &Access, node: usize) -> Result<Wallet, ClientError> {
        let mut wallet = Wallet::open(self.profiles.path().join(format!("at-{node}")), None)?;
        moved(&mut wallet, access.only(node))?;
        Ok(wallet)
    }

    fn use_everywhere(&self, arena: &Arena, key: &str, end: &CancellationToken) -> JoinSet<()> {
        let mut uses = JoinSet::new();
        for node in 0..arena.access.endpoints.len() {
            let Ok(wallet) = self.at(&arena.access, node) else { continue };
            let user = User {
                arena: arena.clone(),
                key: key.to_owned(),
                device: self.name.clone(),
                node: arena.access.names[node].clone(),
                wallet,
            };
            // At one of the nodes it watches; at the others it asks.
            match node {
                0 => uses.spawn(user.watch(end.clone())),
                _ => uses.spawn(user.ask(end.clone())),
            };
        }
        uses
    }

    /// What is left of it when everything has healed: nothing, at any node.
    async fn try_again(&self, access: &Access, client: &mut Client, key: &str) {
        for (node, name) in access.names.iter().enumerate() {
            let Ok(mut wallet) = self.at(access, node) else { continue };
            let asked = json!({"device": self.name, "kind": "pull", "node": name});
            let open = client.invoke("final-use", key, asked);
            used(open, wallet.pull().await.map(drop));
        }
    }
}

/// A stolen device at one node.
struct User {
    arena: Arena,
    key: String,
    device: String,
    node: String,
    wallet: Wallet,
}

impl User {
    fn asked(&self, kind: &str) -> serde_json::Value {
        json!({"device": self.device, "kind": kind, "node": self.node})
    }

    async fn ask(mut self, end: CancellationToken) {
        let mut client = self.arena.recorder.client("devices");
        let mut random = self.arena.random(&format!("{}-{}", self.device, self.node));
        for turn in 0_usize.. {
            if end.is_cancelled() {
                break;
            }
            let kind = ["pull", "weak", "push", "weak", "session"][turn % 5];
            let open = client.invoke("use", &self.key, self.asked(kind));
            let done = match kind {
                "pull" => self.wallet.pull().await.map(drop),
                "weak" => self.wallet.pull_at_least().await.map(drop),
                "session" => self.wallet.session().await.map(drop),
                _ => self.push(turn).await,
            };
            used(open, done);
            self.arena.think(&mut random, THINK_MS).await;
        }
    }

    async fn push(&mut self, turn: usize) -> Result<(), ClientError> {
        let value = self.arena.value(&self.device, turn);
        self.wallet.put(Record::new("opaque", format!("used at {}", self.node), value))?;
        let pushed = self.wallet.push().await;
        self.wallet.discard()?;
        pushed.map(drop)
    }

    async fn watch(mut self, end: CancellationToken) {
        let client = self.arena.recorder.client("devices");
        let asked = self.asked("watch");
        loop {
            let watching = self.wallet.watch(|_| {
                client.notice("use", &self.key, asked.clone());
                ControlFlow::Continue(())
            });
            tokio::select! {
                _ = watching => tokio::time::sleep(AGAIN).await,
                () = end.cancelled() => return,
            }
        }
    }
}

fn used(open: Open<'_>, done: Result<(), ClientError>) {
    match done {
        Ok(()) => open.done(),
        Err(ClientError::Refused(Refusal::NotActive(id))) => open.refused(Refusal::NotActive(id)),
        Err(error) => ended(open, &error),
    }
}

/// Copies a profile that nobody uses.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
