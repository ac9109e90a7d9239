//! Scripts about wallets, all in one group.
//!
//! ```text
//! create W by=DEVICE [code=NAME] [revoker=NAME] [elsewhere]     pushes the first head
//! push W by=MEMBER [on=SEQ] [write=a,b:SIZE] [remove=a,b] [add=DEVICE] [code=NAME] [revoke=MEMBER] [rotate] [erase]
//!      [head=MEMBER] [between=NAME,...] [as=NAME] [times=N]
//!          the head signed by another member, healing the heads of unsent pushes, kept under a name, N times over
//!      [unsent]                                                  made and kept, but never given to the group
//! repeat NAME [tampered] [later]                     the push of that name once more
//! show W | changes W since=SEQ | heads W | trail W | locate MEMBER
//! policy KEY=VALUE... | restart | snapshot
//! ```

use std::collections::BTreeMap;

use store::command::{Command, Push, SystemCommand};
use store::engine::memory::Crash;
use store::read::Changes;
use store::{Policy, Reply};
use types::ids::{HeadHash, RecordId, WalletId};
use types::member::{Member, MemberKind};

use super::Stage;
use super::line::{Line, show};
use crate::support::act::{act, bootstrap};
use crate::support::replica::{GROUP, Replica};
use crate::support::wallet::{Draft, Edit, locator, member, record};

pub(super) struct Wallets {
    replica: Replica,
    /// The states of every wallet, oldest first.
    drafts: BTreeMap<String, Vec<Draft>>,
    pushes: BTreeMap<String, Push>,
    members: BTreeMap<String, Member>,
    /// What heads and wallets are called.
    heads: BTreeMap<HeadHash, String>,
    wallets: BTreeMap<WalletId, String>,
    records: BTreeMap<RecordId, String>,
    acts: u64,
    clock_ms: u64,
}

impl Wallets {
    pub(super) fn new() -> Self {
        let mut replica = Replica::in_memory(GROUP);
        replica.apply(&bootstrap(Policy::FLOOR));
        Wallets {
            replica,
            drafts: BTreeMap::new(),
            pushes: BTreeMap::new(),
            members: BTreeMap::new(),
            heads: BTreeMap::new(),
            wallets: BTreeMap::new(),
            records: BTreeMap::new(),
            acts: 1,
            clock_ms: 0,
        }
    }

    fn member(&mut self, kind: MemberKind, name: &str) -> Member {
        *self.members.entry(name.to_owned()).or_insert_with(|| member(kind, name))
    }

    fn create(&mut self, line: &Line) -> String {
        let name = line.first().to_owned();
        let device = self.member(MemberKind::Device, line.get("by").unwrap());
        let code = line.get("code").map(|name| self.member(MemberKind::RecoveryCode, name));
        let revoker = line.get("revoker").map(|name| self.member(MemberKind::Revoker, name));
        let members = [Some(device), code, revoker].into_iter().flatten().collect();
        // A wallet's slot depends on its hash; this one takes the first number that fits the group.
        let draft = if line.has("elsewhere") {
            let drafts = (0..).map(|n| Draft::new(&format!("{name} {n}"), 0, Vec::clone(&members)));
            let elsewhere = |draft: &Draft| types::ids::Slot::of(&draft.wallet).get() >= 2048;
            drafts.into_iter().find(elsewhere).unwrap()
        } else {
            let number = self.drafts.len();
            Draft::in_group_from(number * 100, members)
        };
        self.wallets.insert(draft.wallet, name.clone());
        self.drafts.insert(name, vec![draft]);
        self.push(line)
    }

    fn push(&mut self, line: &Line) -> String {
        let times = line.number("times").unwrap_or(1);
        (0..times).map(|_| self.push_once(line)).last().unwrap()
    }

    fn push_once(&mut self, line: &Line) -> String {
        self.clock_ms += 10_000;
        let name = line.first().to_owned();
        let edits = self.edits(line);
        let by = self.members[line.get("by").unwrap()];
        let between: Vec<_> =
            line.list("between").iter().map(|name| self.pushes[*name].request()).collect();
        let drafts = &self.drafts[&name];
        let draft = match line.number("on") {
            Some(seq) => drafts.iter().find(|draft| draft.seq() == seq).unwrap(),
            None => drafts.last().unwrap(),
        };
        let (push, next) = match line.get("head") {
            Some(head_by) => draft.recover(&by, &self.members[head_by], &edits, self.clock_ms),
            None => draft.heal(&by, &edits, &between, self.clock_ms),
        };
        let label = line.get("as").map_or_else(|| format!("{name}{}", next.seq()), str::to_owned);
        self.heads.entry(push.request()).or_insert_with(|| label.clone());
        self.pushes.insert(label, push.clone());
        let reply = if line.has("unsent") { "made".into() } else { self.apply(push) };
        let kept = reply.starts_with("pushed") || (line.has("unsent") && line.verb == "create");
        if kept {
            self.drafts.get_mut(&name).unwrap().push(next);
        }
        reply
    }

    fn edits(&mut self, line: &Line) -> Vec<Edit> {
        let mut edits = Vec::new();
        for write in line.list("write") {
            let (name, size) = write.split_once(':').unwrap_or((write, "10"));
            self.records.insert(record(name), name.to_owned());
            edits.push(Edit::Write(record(name), vec![b'x'; size.parse().unwrap()]));
        }
        edits.extend(line.list("remove").iter().map(|name| Edit::Remove(record(name))));
        if line.verb == "push" {
            let added = [(MemberKind::Device, "add"), (MemberKind::RecoveryCode, "code")];
            for (kind, key) in added {
                edits.extend(line.get(key).map(|name| Edit::Add(self.member(kind, name))));
            }
        }
        edits.extend(line.get("revoke").map(|name| Edit::Revoke(self.members[name].id())));
        edits.extend(line.has("rotate").then_some(Edit::Rotate));
        edits.extend(line.has("erase").then_some(Edit::Erase));
        edits
    }

    fn repeat(&mut self, line: &Line) -> String {
        let mut push = self.pushes[line.first()].clone();
        if line.has("tampered") {
            push.content = [0; 32];
        }
        if line.has("later") {
            push.time_ms += 86_400_000;
        }
        self.apply(push)
    }

    fn apply(&mut self, push: Push) -> String {
        let reply = self.replica.apply(&Command::Push(Box::new(push)));
        self.shown(&reply)
    }

    fn shown(&self, reply: &Reply) -> String {
        show(reply, |hash| {
            self.heads.get(hash).cloned().unwrap_or_else(|| hash.to_string()[..8].to_owned())
        })
    }

    fn show(&self, line: &Line) -> String {
        let Some(stored) = self.replica.reader().stored(self.wallet(line)).unwrap() else {
            return "no such wallet".into();
        };
        let entries = stored.entries.as_slice().iter();
        let mut records: Vec<_> =
            entries.map(|entry| format!("{}v{}", self.record(&entry.id), entry.version)).collect();
        records.sort();
        let members = &stored.membership;
        format!(
            "head={} links={} generation={} members={} records={} bytes={} {}",
            self.heads[&stored.row.head.hash()],
            members.links(),
            members.generation(),
            members.active_members().count(),
            stored.row.records,
            stored.row.bytes,
            records.join(" "),
        )
        .trim_end()
        .to_owned()
    }

    fn changes(&self, line: &Line) -> String {
        let since = line.number("since").unwrap();
        let names = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.join(" ")
        };
        match self.replica.reader().changes_since(self.wallet(line), since).unwrap() {
            Changes::Since { changed, removed } => format!(
                "changed: {} | removed: {}.",
                names(changed.iter().map(|entry| self.record(&entry.id)).collect()),
                names(removed.iter().map(|id| self.record(id)).collect()),
            ),
            Changes::All(entries) => {
                format!(
                    "all: {}",
                    names(entries.as_slice().iter().map(|entry| self.record(&entry.id)).collect())
                )
            }
        }
    }

    fn policy(&mut self, line: &Line) -> String {
        let value = |key: &str, now: u32| line.number(key).map_or(now, |value| value as u32);
        let now = self.replica.reader().policy().unwrap();
        let policy = Policy {
            wallet_bytes: line.number("wallet_bytes").unwrap_or(now.wallet_bytes),
            wallet_records: value("wallet_records", now.wallet_records),
            wallet_links: value("wallet_links", now.wallet_links),
            trail_heads: value("trail_heads", now.trail_heads),
            tombstones: value("tombstones", now.tombstones),
            locator_wallets: value("locator_wallets", now.locator_wallets),
            receipts: value("receipts", now.receipts),
        };
        self.acts += 1;
        let after = self.replica.reader().acts().unwrap();
        let reply = self.replica.apply(&act(self.acts, after, SystemCommand::SetPolicy(policy)));
        self.shown(&reply)
    }

    fn snapshot(&mut self) -> String {
        let mut other = Replica::in_memory(GROUP);
        other.install(&self.replica);
        other.check();
        self.replica = other;
        "installed".into()
    }

    fn wallet(&self, line: &Line) -> WalletId {
        self.drafts[line.first()][0].wallet
    }

    fn record(&self, id: &RecordId) -> &str {
        &self.records[id]
    }
}

impl Stage for Wallets {
    fn run(&mut self, line: &Line) -> String {
        match line.verb.as_str() {
            "create" => self.create(line),
            "push" => self.push(line),
            "repeat" => self.repeat(line),
            "show" => self.show(line),
            "changes" => self.changes(line),
            "heads" => {
                let hashes =
                    self.replica.reader().head_hashes(self.wallet(line), 1, u64::MAX).unwrap();
                let names: Vec<_> = hashes
                    .iter()
                    .map(|hash| {
                        self.heads
                            .get(hash)
                            .cloned()
                            .unwrap_or_else(|| hash.to_string()[..8].to_owned())
                    })
                    .collect();
                names.join(" ")
            }
            "trail" => {
                let trail = self.replica.reader().trail(self.wallet(line)).unwrap();
                let names: Vec<_> =
                    trail.iter().map(|head| self.heads[&head.hash()].clone()).collect();
                format!("trail: {}", names.join(" ")).trim_end().to_owned()
            }
            "locate" => {
                let wallets = self.replica.reader().locator(locator(line.first())).unwrap();
                let names: Vec<_> =
                    wallets.iter().map(|wallet| self.wallets[wallet].clone()).collect();
                format!("wallets: {}", names.join(" ")).trim_end().to_owned()
            }
            "policy" => self.policy(line),
            "restart" => {
                self.replica.restart(Crash::Power);
                self.replica.check();
                "restarted".into()
            }
            "snapshot" => self.snapshot(),
            other => panic!("no such command: {other}"),
        }
    }
}
