//! Vectors of commits: the life of a wallet, and commits that may not follow a part of it.

use serde_json::{Value, json};
use types::{
    Accepted, Commit, Entries, Frontier, Head, HeadHash, MemberSignature, RecordHeader, RecordId,
    Root, SignedHead, SignedLink, Stored, Suite, WalletId, accept,
};

use super::actors::Wallet;
use super::{File, REFUSED, UPDATE, flip, hex, put};
use crate::{LocalKey, MemberKeys, Secret32, es256, sign_head};

const R1: RecordId = RecordId::from_bytes([0x11; 16]);
const R2: RecordId = RecordId::from_bytes([0x22; 16]);
/// In the bucket of R1.
const R3: RecordId = RecordId::from_bytes([
    0x11, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33,
]);
const TIME_S: u64 = 1_800_000_000;

/// A commit before it has a head.
#[derive(Clone, Default)]
struct Draft {
    links: Vec<SignedLink>,
    envelopes: Vec<Vec<u8>>,
    removed: Vec<RecordId>,
    between: Vec<HeadHash>,
}

struct Writer {
    wallet: Wallet,
    file: File,
    /// The accepted commits, and what was held after each.
    commits: Vec<(Head, Accepted)>,
}

impl Writer {
    fn keys(&self, name: &str) -> &dyn MemberKeys {
        let actors = &self.wallet.actors;
        match name {
            "a" => &actors.a.member,
            "b" => &actors.b.member,
            "c" => &actors.c.member,
            "stranger" => &actors.stranger.member,
            "code" => &actors.code,
            "revoker" => &actors.revoker,
            "passphrase" => &actors.passphrase,
            _ => panic!("nobody is called {name}"),
        }
    }

    fn links(&self, range: std::ops::Range<usize>) -> Vec<SignedLink> {
        self.wallet.links[range].to_vec()
    }

    fn record(&mut self, id: &RecordId, version: u64, generation: u32) -> Vec<u8> {
        let key = self.wallet.key(generation);
        let text = format!("record {id} version {version}");
        key.seal_record(&mut self.wallet.actors.rng, id, version, text.as_bytes()).unwrap()
    }

    /// The head that a draft needs after the first `after` commits, signed by `signer`.
    fn head(&self, after: usize, draft: &Draft, signer: &str) -> Head {
        let before = after.checked_sub(1).map(|last| &self.commits[last]);
        let nothing = Entries::EMPTY;
        let entries = before.map_or(&nothing, |(_, held)| &held.entries);
        let mut history = before.map_or(Frontier::EMPTY, |(_, held)| held.history.clone());
        history.append_heads(&draft.between);
        let last = before.map(|(head, _)| head.hash());
        let links = before.map_or(0, |(head, _)| head.links) as usize + draft.links.len();
        let changed = draft
            .envelopes
            .iter()
            .filter_map(|bytes| RecordHeader::parse(bytes).ok().map(|record| record.entry()));
        Head {
            suite: Suite::P256,
            wallet: self.wallet.id(),
            seq: (after + draft.between.len()) as u64 + 1,
            prev: draft.between.last().copied().or(last).unwrap_or(HeadHash::ZERO),
            history: history.root(),
            root: entries.with(changed, &draft.removed).root(),
            links: links as u32,
            link: self.wallet.links[links - 1].hash(),
            signer: self.keys(signer).id(),
            time_s: TIME_S + after as u64,
        }
    }

    fn entry(after: usize, draft: &Draft, head: &[u8], signature: &[u8]) -> Value {
        let link = |link: &SignedLink| json!({ "link": hex(link.bytes()), "signatures": hex(link.signature_bytes()) });
        json!({
            "after": after,
            "head": hex(head),
            "signature": hex(signature),
            "between": draft.between.iter().map(hex).collect::<Vec<_>>(),
            "links": draft.links.iter().map(link).collect::<Vec<_>>(),
            "envelopes": draft.envelopes.iter().map(hex).collect::<Vec<_>>(),
            "removed": draft.removed.iter().map(hex).collect::<Vec<_>>(),
        })
    }

    fn accept(&mut self, name: &str, after: usize, draft: Draft, signer: &str) {
        let head = self.head(after, &draft, signer);
        let mut rng = self.wallet.actors.fork();
        let signed = sign_head(&mut rng, self.keys(signer), &head).unwrap();
        let signature = signed.signature().encode();
        let mut entry = Self::entry(after, &draft, &head.encode(), &signature);
        let commit = Commit {
            head: signed,
            between: draft.between,
            links: draft.links,
            envelopes: draft.envelopes,
            removed: draft.removed,
        };
        let accepted = accept(self.stored(after).as_ref(), &commit).unwrap();
        entry["name"] = json!(name);
        entry["hash"] = hex(head.hash());
        entry["entries"] = accepted
            .entries
            .as_slice()
            .iter()
            .map(|entry| json!([hex(entry.id), entry.version, hex(entry.body_hash)]))
            .collect();
        self.file.accept(entry);
        if after == self.commits.len() {
            self.commits.push((head, accepted));
        }
    }

    fn stored(&self, after: usize) -> Option<Stored<'_>> {
        after.checked_sub(1).map(|last| {
            let (head, held) = &self.commits[last];
            Stored {
                head,
                head_hash: head.hash(),
                history: &held.history,
                membership: &held.membership,
                entries: &held.entries,
            }
        })
    }

    /// Refuses a draft, its head changed and signed by `signer`.
    fn refuse(
        &mut self,
        name: &str,
        after: usize,
        draft: &Draft,
        signer: &str,
        change: impl FnOnce(&mut Head),
    ) {
        let mut head = self.head(after, draft, signer);
        change(&mut head);
        self.raw(name, REFUSED, after, draft, signer, &head.encode());
    }

    fn raw(
        &mut self,
        name: &str,
        why: &str,
        after: usize,
        draft: &Draft,
        signer: &str,
        head: &[u8],
    ) {
        let message = types::hash::signed_message("holdfast/1 head", head);
        let mut rng = self.wallet.actors.fork();
        let keys = self.keys(signer);
        let signature = keys.sign(&mut rng, &message).unwrap();
        let signature = MemberSignature { member: keys.id(), signature }.encode();
        let entry = Self::entry(after, draft, head, &signature);
        self.file.refuse(name, why, entry);
    }
}

fn nothing(_: &mut Head) {}

pub(super) fn commits() -> File {
    let wallet = Wallet::new();
    let mut writer = Writer { wallet, file: File::new("commits"), commits: vec![] };
    let w = &mut writer;
    life(w);
    head_fields(w);
    head_signature(w);
    records(w);
    who_and_when(w);
    writer.file
}

fn life(w: &mut Writer) {
    let envelopes = vec![w.record(&R1, 1, 1), w.record(&R2, 1, 1)];
    let first = Draft { links: w.links(0..2), envelopes, ..Draft::default() };
    w.accept("1 genesis, first key, two records", 0, first, "a");
    let second =
        Draft { links: w.links(2..5), envelopes: vec![w.record(&R3, 1, 1)], ..Draft::default() };
    w.accept("2 three members and a record", 1, second, "a");
    let third =
        Draft { envelopes: vec![w.record(&R1, 2, 1)], removed: vec![R2], ..Draft::default() };
    w.accept("3 a change and a removal, by B", 2, third, "b");
    let fourth = Draft { links: w.links(5..6), ..Draft::default() };
    w.accept("4 B is revoked, head by the revoker", 3, fourth, "revoker");
    let fifth =
        Draft { links: w.links(6..7), envelopes: vec![w.record(&R1, 3, 2)], ..Draft::default() };
    w.accept("5 rotation and a record under the new key", 4, fifth, "a");
    let sixth = Draft { links: w.links(7..9), ..Draft::default() };
    w.accept("6 the passphrase adds C and rotates", 5, sixth, "passphrase");
    let seventh =
        Draft { envelopes: vec![w.record(&R2, 1, 3)], removed: vec![R3], ..Draft::default() };
    w.accept("7 C writes and removes", 6, seventh, "c");
    let eighth = Draft { links: w.links(9..10), ..Draft::default() };
    w.accept("8 the code erases", 7, eighth, "code");

    let between = vec![HeadHash::from_bytes([0x61; 32]), HeadHash::from_bytes([0x62; 32])];
    let healed = Draft { envelopes: vec![w.record(&R1, 5, 1)], between, ..Draft::default() };
    w.accept("healing of two lost heads", 2, healed, "a");
    let between = vec![HeadHash::from_bytes([0x61; 32])];
    let links = w.links(0..2);
    let healed = Draft { links, envelopes: vec![w.record(&R1, 5, 1)], between, removed: vec![] };
    w.accept("healing from nothing", 0, healed, "a");
}

/// A change by A after commit 2: what most refused commits are made from.
fn change(w: &mut Writer) -> Draft {
    Draft { envelopes: vec![w.record(&R1, 2, 1)], ..Draft::default() }
}

/// magic 0, fmt 4, suite 5, wallet 7, seq 39, prev 47, history 79, root 111, links 143, link 147,
/// signer 179, time 195
fn head_fields(w: &mut Writer) {
    let draft = change(w);
    let good = w.head(2, &draft, "a").encode();
    for (name, why, head) in [
        ("head: magic", REFUSED, put(&good, 0, b"HFln")),
        ("head: format 0", REFUSED, put(&good, 4, &[0])),
        ("head: format 2", UPDATE, put(&good, 4, &[2])),
        ("head: suite 0", REFUSED, put(&good, 5, &[0, 0])),
        ("head: suite 2", UPDATE, put(&good, 5, &[0, 2])),
        ("head: cut", REFUSED, good[..202].to_vec()),
        ("head: trailing byte", REFUSED, [&good[..], &[0]].concat()),
    ] {
        w.raw(name, why, 2, &draft, "a", &head);
    }
    w.refuse("head: wallet", 2, &draft, "a", |head| head.wallet = WalletId::from_bytes([9; 32]));
    w.refuse("head: seq skips", 2, &draft, "a", |head| head.seq = 4);
    w.refuse("head: seq stays", 2, &draft, "a", |head| head.seq = 2);
    w.refuse("head: seq 0", 2, &draft, "a", |head| head.seq = 0);
    let old = w.commits[0].0.hash();
    w.refuse("head: prev is an older head", 2, &draft, "a", |head| head.prev = old);
    w.refuse("head: prev 0", 2, &draft, "a", |head| head.prev = HeadHash::ZERO);
    let stale = w.commits[1].0.history;
    w.refuse("head: history of the head before", 2, &draft, "a", |head| head.history = stale);
    let old = w.commits[1].0.root;
    w.refuse("head: root without the change", 2, &draft, "a", |head| head.root = old);
    w.refuse("head: root 0", 2, &draft, "a", |head| head.root = Root::ZERO);
    w.refuse("head: number of links", 2, &draft, "a", |head| head.links = 6);
    let older = w.wallet.links[3].hash();
    w.refuse("head: last link", 2, &draft, "a", |head| head.link = older);
    let b = w.keys("b").id();
    w.refuse("head: signer is another member", 2, &draft, "a", |head| {
        head.signer = b;
    });
    w.refuse("head: signer is a stranger", 2, &draft, "stranger", nothing);
    let first = Draft { links: w.links(0..2), ..Draft::default() };
    let prev = HeadHash::from_bytes([1; 32]);
    w.refuse("first head: prev not 0", 0, &first, "a", |head| head.prev = prev);
    w.refuse("first head: seq 2", 0, &first, "a", |head| head.seq = 2);
    w.refuse("a wallet that exists already", 2, &first, "a", |head| {
        head.seq = 1;
        head.prev = HeadHash::ZERO;
    });
}

fn head_signature(w: &mut Writer) {
    let draft = change(w);
    let head = w.head(2, &draft, "a");
    let mut rng = w.wallet.actors.fork();
    let signed: SignedHead = sign_head(&mut rng, w.keys("a"), &head).unwrap();
    let good = signed.signature().encode();
    let high = es256::other_form(signed.signature().signature);
    let by_b = sign_head(&mut rng, w.keys("b"), &Head { signer: w.keys("b").id(), ..head });
    let by_b = by_b.unwrap().signature().signature;
    for (name, signature) in [
        ("head signature: altered", flip(&good, 79)),
        ("head signature: high s", put(&good, 16, &high)),
        ("head signature: another's", put(&good, 16, &by_b)),
        ("head signature: under another name", put(&good, 0, w.keys("b").id().as_bytes())),
        ("head signature: cut", good[..79].to_vec()),
        ("head signature: two", [&good[..], &good[..]].concat()),
        ("head signature: none", vec![]),
    ] {
        let entry = Writer::entry(2, &draft, &head.encode(), &signature);
        w.file.refuse(name, REFUSED, entry);
    }
}

fn records(w: &mut Writer) {
    let id = w.wallet.id();
    let cases = [
        ("record: version stays", w.record(&R1, 1, 1)),
        ("record: version skips", w.record(&R1, 3, 1)),
        ("record: a later generation", w.record(&R1, 2, 2)),
        ("record: another purpose", {
            let key = LocalKey::from_key(Secret32::new(&[9; 32]));
            key.seal(&mut w.wallet.actors.rng, &id, &R1, 2, b"value").unwrap()
        }),
        ("record: another wallet", flip(&w.record(&R1, 2, 1), 8)),
        ("record: version 0", put(&w.record(&R1, 2, 1), 56, &[0; 8])),
        ("record: cut", w.record(&R1, 2, 1)[..900].to_vec()),
    ];
    for (name, envelope) in cases {
        let draft = Draft { envelopes: vec![envelope], ..Draft::default() };
        w.refuse(name, 2, &draft, "a", nothing);
    }
    let later = put(&w.record(&R1, 2, 1), 5, &[0, 2]);
    let draft = Draft { envelopes: vec![later], ..Draft::default() };
    let head = w.head(2, &draft, "a").encode();
    w.raw("record: suite 2", UPDATE, 2, &draft, "a", &head);

    let unsorted = vec![w.record(&R2, 2, 1), w.record(&R1, 2, 1)];
    let draft = Draft { envelopes: unsorted, ..Draft::default() };
    w.refuse("records unsorted", 2, &draft, "a", nothing);
    let one = w.record(&R1, 2, 1);
    let draft = Draft { envelopes: vec![one.clone(), one.clone()], ..Draft::default() };
    w.refuse("a record twice", 2, &draft, "a", nothing);
    let draft = Draft { envelopes: vec![one.clone()], removed: vec![R1], ..Draft::default() };
    w.refuse("a record written and removed", 2, &draft, "a", nothing);
    let draft = Draft { removed: vec![R2, R1], ..Draft::default() };
    w.refuse("removals unsorted", 2, &draft, "a", nothing);
    let absent = RecordId::from_bytes([7; 16]);
    let draft = Draft { removed: vec![absent], ..Draft::default() };
    w.refuse("a removal of what is not there", 2, &draft, "a", nothing);
    let between = vec![HeadHash::from_bytes([0x61; 32])];
    let draft = Draft { envelopes: vec![one], between, ..Draft::default() };
    w.refuse("healing: seq as if nothing were between", 2, &draft, "a", |head| head.seq = 3);
    let short = w.head(2, &Draft::default(), "a").history;
    w.refuse("healing: history without those between", 2, &draft, "a", |head| head.history = short);
    let older = Draft { envelopes: vec![w.record(&R1, 1, 1)], ..draft };
    w.refuse("healing: a version that is held", 2, &older, "a", nothing);
}

fn who_and_when(w: &mut Writer) {
    let stale = Draft { envelopes: vec![w.record(&R1, 4, 1)], ..Draft::default() };
    w.refuse("a record under the key before", 5, &stale, "a", nothing);
    let due = Draft { envelopes: vec![w.record(&R1, 3, 1)], ..Draft::default() };
    w.refuse("a change while a rotation is due", 4, &due, "a", nothing);
    w.refuse("a change by a revoked device", 4, &due, "b", nothing);
    let revoked = Draft { links: w.links(5..6), ..due.clone() };
    w.refuse("a change together with a revocation", 3, &revoked, "a", nothing);
    let change = Draft { envelopes: vec![w.record(&R1, 4, 3)], ..Draft::default() };
    w.refuse("a change by the code", 6, &change, "code", nothing);
    w.refuse("a change by the passphrase", 6, &change, "passphrase", nothing);
    let erase = Draft { links: w.links(9..10), removed: vec![R1], ..Draft::default() };
    w.refuse("a removal together with the erasure", 7, &erase, "a", nothing);
    w.refuse("anything after the erasure", 8, &Draft::default(), "a", nothing);
    let skipped = Draft { links: w.links(3..4), ..Draft::default() };
    w.refuse("a link is missing", 1, &skipped, "a", nothing);
    let genesis = Draft { links: w.links(0..1), ..Draft::default() };
    w.refuse("the first rotation is missing", 0, &genesis, "a", nothing);
    let mut links = w.links(2..5);
    links.swap(0, 1);
    let draft = Draft { links, ..Draft::default() };
    w.refuse("links out of order", 1, &draft, "a", nothing);
    let first = Draft { links: w.links(0..2), ..Draft::default() };
    w.refuse("the first head by the code", 0, &first, "code", nothing);
}
