//! One device revokes another, which goes on trying at every node, while the first one goes on writing.

use client::{ClientError, Place, Record, RecoveryCode, Refusal, Wallet};
use serde_json::{Value, json};
use server::cluster::Scratch;
use std::{
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use types::ids::MemberId;

use super::{AGAIN, Access, Arena, ended, recover, settled, side_by_side};
use crate::history::{Client, Open};

mod thief;

use thief::{Pushed, Thief};

const WALLETS: usize = 2;
const THINK_MS: u64 = 100;
/// How long a device is in use before it is revoked, and how long it goes on trying behind that.
const USED: Duration = Duration::from_secs(2);
const TRIES_ON: Duration = Duration::from_millis(2_500);
/// Between two writes of the owner: there is something to be shown all the time.
const WRITES: Duration = Duration::from_millis(300);
/// The profiles of the copy that watches, and of the one that keeps a session until the end.
const WATCHING: &str = "watching";
const KEEPING: &str = "keeping";
/// How often a node is asked at the end that does not answer: the cluster has healed.
const ASKED_MAX: usize = 20;
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
    for stolen in &mut revoked {
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
    /// The nodes at which it is used.
    access: Arc<Access>,
    profiles: Scratch,
    /// With a session from before the revocation, if one was to be had.
    keeping: Thief,
}

impl Stolen {
    async fn begin(arena: &Arena, code: &RecoveryCode, name: String) -> Option<Stolen> {
        let profiles = Scratch::new("holdfast-jepsen-device").ok()?;
        let first = profiles.path().join("first");
        let place = Place::Directory(first.clone());
        let access = arena.access();
        let made = recover(place, access.beginning_at(0), code).await;
        let Ok(wallet) = made else {
            tokio::time::sleep(AGAIN).await;
            return None;
        };
        let id = wallet.device();
        drop(wallet);
        for node in 0..access.endpoints.len() {
            copy(&first, &profiles.path().join(format!("at-{node}"))).ok()?;
        }
        for copied in [WATCHING, KEEPING] {
            copy(&first, &profiles.path().join(copied)).ok()?;
        }
        let wallet = Wallet::open(profiles.path().join(KEEPING), None).ok()?;
        let mut keeping = Thief::at(wallet, &access, 0, arena.planted.clone()).ok()?;
        for node in 0..access.endpoints.len() {
            let gone = keeping.go_to(&access, node);
            if gone.is_ok() && keeping.open().await.is_ok() {
                break;
            }
        }
        Some(Stolen { name, id, access, profiles, keeping })
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
        let nodes = self.access.endpoints.len();
        let user = |profile: &str, node: usize| {
            let wallet = Wallet::open(self.profiles.path().join(profile), None)?;
            Ok::<_, ClientError>(User {
                arena: arena.clone(),
                key: key.to_owned(),
                device: self.name.clone(),
                node: self.access.name(node),
                thief: Thief::at(wallet, &self.access, node, arena.planted.clone())?,
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

    /// What is left of it when everything has healed: nothing, at any node, neither by a session from before nor
    /// by a new one.
    async fn try_again(&mut self, access: &Access, client: &mut Client, key: &str) {
        for (node, name) in access.names.iter().enumerate() {
            if self.keeping.go_to(access, node).is_err() {
                continue;
            }
            for session in ["kept", "new"] {
                let asked = json!({
                    "device": self.name, "kind": "pull", "node": name, "session": session,
                });
                self.until_decided(client, key, &asked, session == "kept").await;
            }
        }
    }

    async fn until_decided(&mut self, client: &mut Client, key: &str, asked: &Value, kept: bool) {
        for _ in 0..ASKED_MAX {
            if kept && !self.keeping.has_a_session() {
                return;
            }
            let open = client.invoke("final-use", key, asked.clone());
            let done = match kept {
                true => self.keeping.pull(false).await,
                false => self.keeping.pull_anew().await,
            };
            let decided = !matches!(done, Err(ClientError::Unavailable(_)));
            match done {
                // A node whose clock was wrong may have given it, so that it has ended.
                Err(error) if kept && !self.keeping.has_a_session() => open.fail(error),
                done => used(open, done),
            }
            if decided {
                return;
            }
            tokio::time::sleep(AGAIN).await;
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
            let mut asked = self.asked(kind);
            let open = client.invoke("use", &self.key, asked.clone());
            let mut behind = false;
            let done = match kind {
                "pull" => self.thief.pull(false).await,
                "weak" => self.thief.pull(true).await,
                "session" => self.thief.wallet.session().await.map(drop),
                _ => {
                    let pushed = self.push(turn).await;
                    behind = matches!(pushed, Ok(Pushed::MovedOn));
                    pushed.map(drop)
                }
            };
            if behind {
                asked["conflict"] = true.into();
                open.ok(asked);
                // As long as it is a member, the next one may be on top of the head.
                let _ = self.thief.wallet.pull().await;
            } else {
                used(open, done);
            }
            self.arena.think(&mut random, THINK_MS).await;
        }
    }

    async fn push(&mut self, turn: usize) -> Result<Pushed, ClientError> {
        let value = self.arena.value(&self.device, turn);
        let record = Record::new("opaque", format!("used at {}", self.node), value);
        self.thief.push(record).await
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
