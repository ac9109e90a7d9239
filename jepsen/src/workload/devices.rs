//! One device revokes another, which goes on trying at every node, while the first one goes on writing.

use client::{ClientError, Place, Record, RecoveryCode, Refusal, Wallet};
use serde_json::{Value, json};
use server::cluster::Scratch;
use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::ids::MemberId;

use super::{AGAIN, Access, Arena, ended, moved, recover, settled, side_by_side};
use crate::history::{Client, Open};

mod thief;

use thief::Thief;

const WALLETS: usize = 2;
const THINK_MS: u64 = 100;
/// How long a device is in use before it is revoked, and how long it goes on trying behind that.
const USED: Duration = Duration::from_secs(2);
const TRIES_ON: Duration = Duration::from_millis(2_500);
/// Between two writes of the owner: there is something to be shown all the time.
const WRITES: Duration = Duration::from_millis(300);
/// The profile of the copy that watches.
const WATCHING: &str = "watching";
/// For so long a node may show what it read without asking the leader, and a little more.
const WEAK: Duration = Duration::from_millis(1_100);

pub(super) async fn run(arena: Arena) -> Result<(), ClientError> {
    side_by_side(WALLETS, |number| owner(arena.clone(), number)).await
}

async fn owner(arena: Arena, number: usize) -> Result<(), ClientError> {
    let key = arena.key();
    let Some((wallet, code)) = arena.wallet(number).await else { return Ok(()) };
    let mut owner = Owner { client: arena.recorder.client("devices"), key, wallet, writes: 0 };
    let mut revoked = Vec::new();
    for turn in 0_usize.. {
        if arena.is_over() {
            break;
        }
        let name = format!("{}-{turn}", owner.key);
        let Some(stolen) = Stolen::begin(&arena, &code, name).await else { continue };
        let end = CancellationToken::new();
        // Each node is watched in its turn.
        let uses = stolen.use_everywhere(&arena, &owner.key, turn + number, &end);
        let used = Instant::now();
        while used.elapsed() < USED && !arena.is_over() {
            owner.write(&arena).await;
        }
        let is_out = owner.revoke(&arena, &stolen).await;
        let (out, mut late) = (Instant::now(), false);
        while out.elapsed() < TRIES_ON || !(late || arena.is_over()) {
            let begun = out.elapsed();
            late |= owner.write(&arena).await && begun > WEAK;
        }
        end.cancel();
        uses.join_all().await;
        if is_out {
            revoked.push(stolen);
        }
    }
    let access = arena.at_the_end().await;
    settled(&mut owner.wallet, access.beginning_at(0))?;
    owner.push(&arena).await?;
    owner.wallet.pull().await?;
    for stolen in &revoked {
        stolen.try_again(&access, &mut owner.client, &owner.key).await;
    }
    Ok(())
}

/// The device that stays.
struct Owner {
    client: Client,
    key: String,
    wallet: Wallet,
    writes: usize,
}

impl Owner {
    /// Writes, and waits a little. Says whether it was acknowledged.
    async fn write(&mut self, arena: &Arena) -> bool {
        let pushed = self.push(arena).await;
        if pushed.is_err() {
            let _ = self.wallet.discard();
        }
        tokio::time::sleep(WRITES).await;
        pushed.is_ok()
    }

    async fn push(&mut self, arena: &Arena) -> Result<(), ClientError> {
        self.writes += 1;
        let value = arena.value(&self.key, self.writes);
        let open = self.client.invoke("push", &self.key, value.as_str());
        let pushed = match self.wallet.put(Record::new("opaque", "owner", value.as_str())) {
            Ok(()) => self.wallet.push().await,
            Err(error) => Err(error),
        };
        match pushed {
            Ok(report) => open.ok(json!({"id": value, "seq": report.seq})),
            Err(error) => {
                ended(open, &error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Revokes until it is known to stand. Says whether it is.
    async fn revoke(&mut self, arena: &Arena, stolen: &Stolen) -> bool {
        loop {
            let open = self.client.invoke("revoke", &self.key, stolen.name.as_str());
            match self.wallet.revoke(stolen.id).await {
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
        copy(&first, &profiles.path().join(WATCHING)).ok()?;
        Some(Stolen { name, id, profiles })
    }

    /// The device, at one node.
    fn at(&self, access: &Access, node: usize) -> Result<Wallet, ClientError> {
        self.open(&format!("at-{node}"), access, node)
    }

    fn open(&self, profile: &str, access: &Access, node: usize) -> Result<Wallet, ClientError> {
        let mut wallet = Wallet::open(self.profiles.path().join(profile), None)?;
        moved(&mut wallet, access.only(node))?;
        Ok(wallet)
    }

    /// Asks every node for what there is, and watches at one of them.
    fn use_everywhere(
        &self,
        arena: &Arena,
        key: &str,
        watched: usize,
        end: &CancellationToken,
    ) -> JoinSet<()> {
        let mut uses = JoinSet::new();
        let nodes = arena.access.endpoints.len();
        let user = |profile: &str, node: usize| {
            let wallet = self.open(profile, &arena.access, node)?;
            Ok::<_, ClientError>(User {
                arena: arena.clone(),
                key: key.to_owned(),
                device: self.name.clone(),
                node: arena.access.name(node),
                thief: Thief::at(wallet, &arena.access, node, arena.planted.clone())?,
            })
        };
        for node in 0..nodes {
            if let Ok(user) = user(&format!("at-{node}"), node) {
                uses.spawn(user.ask(end.clone()));
            }
        }
        if let Ok(user) = user(WATCHING, watched % nodes) {
            uses.spawn(user.watch(end.clone()));
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
    thief: Thief,
}

impl User {
    fn asked(&self, kind: &str) -> Value {
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
                "pull" => self.thief.pull(false).await,
                "weak" => self.thief.pull(true).await,
                "session" => self.thief.wallet.session().await.map(drop),
                _ => self.push(turn).await,
            };
            used(open, done);
            self.arena.think(&mut random, THINK_MS).await;
        }
    }

    async fn push(&mut self, turn: usize) -> Result<(), ClientError> {
        let value = self.arena.value(&self.device, turn);
        let wallet = &mut self.thief.wallet;
        wallet.put(Record::new("opaque", format!("used at {}", self.node), value))?;
        let pushed = wallet.push().await;
        wallet.discard()?;
        pushed.map(drop)
    }

    /// Watches, and opens the watch again whenever it ended.
    async fn watch(mut self, end: CancellationToken) {
        // What is shown comes while the watch lasts, which is what the other one does.
        let shown = self.arena.recorder.client("devices");
        let mut client = self.arena.recorder.client("devices");
        let at = json!({"device": self.device, "node": self.node});
        let User { key, device, node, thief, .. } = &mut self;
        while !end.is_cancelled() {
            let open = client.invoke("watch", key, at.clone());
            let watching = thief.watch(|seq| {
                let value = json!({"device": device, "kind": "watch", "node": node, "seq": seq});
                shown.notice("use", key, value);
            });
            tokio::select! {
                done = watching => used(open, done),
                () = end.cancelled() => open.done(),
            }
            let _ = tokio::time::timeout(AGAIN, end.cancelled()).await;
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
