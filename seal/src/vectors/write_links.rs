//! Vectors of links: a whole chain, and links that may not follow a part of it.

use serde_json::json;
use types::hash::signed_message;
use types::link::LINK_TAG;
use types::{
    Genesis, Link, LinkPayload, Member, MemberId, MemberSignature, PublicKey, Revoke, Rotate,
    Suite, WalletId,
};

use super::actors::Wallet;
use super::{File, REFUSED, UPDATE, flip, hex, put};
use crate::{MemberKeys, RecoveryCode, SecretArray, SoftwareMember};

/// A wallet and the file that its refused links go to.
struct Writer {
    wallet: Wallet,
    file: File,
}

impl Writer {
    /// Refuses these bytes after the first `after` links, signed by `signers` in their order.
    fn raw(&mut self, name: &str, why: &str, after: usize, link: &[u8], signers: &[&str]) {
        let signers: Vec<_> = signers.iter().map(|name| (self.keys(name).id(), *name)).collect();
        self.signed_as(name, why, after, link, &signers);
    }

    /// As [`Writer::raw`], each signature under a member id of choice.
    fn signed_as(
        &mut self,
        name: &str,
        why: &str,
        after: usize,
        link: &[u8],
        signers: &[(MemberId, &str)],
    ) {
        let message = signed_message(LINK_TAG, link);
        let mut rng = self.wallet.actors.fork();
        let signatures: Vec<_> = signers
            .iter()
            .map(|(member, name)| {
                let signature = self.keys(name).sign(&mut rng, &message).unwrap();
                MemberSignature { member: *member, signature }
            })
            .collect();
        self.entry(name, why, after, link, &MemberSignature::encode_all(&signatures));
    }

    fn entry(&mut self, name: &str, why: &str, after: usize, link: &[u8], signatures: &[u8]) {
        let entry = json!({ "after": after, "link": hex(link), "signatures": hex(signatures) });
        self.file.refuse(name, why, entry);
    }

    /// Refuses this link after the first `after`.
    fn link(&mut self, name: &str, after: usize, link: &Link, signers: &[&str]) {
        self.raw(name, REFUSED, after, &link.encode().unwrap(), signers);
    }

    /// Refuses this payload after the first `after` links, signed by the first of `signers`.
    fn payload(&mut self, name: &str, after: usize, payload: LinkPayload, signers: &[&str]) {
        let signer = self.keys(signers[0]).id();
        let link = self.wallet.link(after, signer, payload);
        self.link(name, after, &link, signers);
    }

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

    fn member(&self, name: &str) -> Member {
        *self.keys(name).member()
    }

    fn revoke(&self, name: &str) -> LinkPayload {
        LinkPayload::Revoke(Revoke { member: self.keys(name).id(), reason: 0 })
    }
}

pub(super) fn links() -> File {
    let wallet = Wallet::new();
    let mut file = File::new("links");
    let names = [
        "0 genesis by a device, with a recovery code",
        "1 rotate to generation 1",
        "2 add a device",
        "3 add a revoker",
        "4 add a passphrase",
        "5 revoke a device, by the revoker",
        "6 rotate to generation 2",
        "7 add a device, by the passphrase",
        "8 rotate to generation 3, by the passphrase",
        "9 erase",
    ];
    for (name, (link, members)) in names.iter().zip(wallet.links.iter().zip(&wallet.members)) {
        let mut active: Vec<_> = members.active_members().map(|state| state.id).collect();
        active.sort_unstable();
        file.accept(json!({
            "name": name,
            "link": hex(link.bytes()),
            "signatures": hex(link.signature_bytes()),
            "hash": hex(link.hash()),
            "wallet": hex(members.wallet()),
            "generation": members.generation(),
            "rotation_due": members.rotation_due(),
            "active": active.iter().map(hex).collect::<Vec<_>>(),
        }));
    }
    let mut writer = Writer { wallet, file };
    common_fields(&mut writer);
    signatures(&mut writer);
    genesis(&mut writer);
    rotate(&mut writer);
    add(&mut writer);
    revoke_and_the_rest(&mut writer);
    writer.file
}

/// What all links have in common, on link 2 (A adds B): magic 0, fmt 4, suite 5, wallet 7, n 39, prev
/// 43, kind 75, signer 76, len 92, payload 96.
fn common_fields(w: &mut Writer) {
    let good = w.wallet.links[2].bytes().to_vec();
    let signers = ["a", "b"];
    let stranger = *w.keys("stranger").id().as_bytes();
    let cases = [
        ("magic", REFUSED, put(&good, 0, b"HFhd")),
        ("format 0", REFUSED, put(&good, 4, &[0])),
        ("format 2", UPDATE, put(&good, 4, &[2])),
        ("suite 0", REFUSED, put(&good, 5, &[0, 0])),
        ("suite 2", UPDATE, put(&good, 5, &[0, 2])),
        ("wallet", REFUSED, flip(&good, 38)),
        ("number", REFUSED, put(&good, 42, &[3])),
        ("number 0", REFUSED, put(&good, 42, &[0])),
        ("previous hash", REFUSED, flip(&good, 43)),
        ("kind 0", REFUSED, put(&good, 75, &[0])),
        ("kind 7", UPDATE, put(&good, 75, &[7])),
        ("kind of another payload", REFUSED, put(&good, 75, &[4])),
        ("payload length", REFUSED, flip(&good, 95)),
        ("cut", REFUSED, good[..good.len() - 1].to_vec()),
        ("trailing byte", REFUSED, [&good[..], &[0]].concat()),
    ];
    for (name, why, link) in cases {
        w.raw(name, why, 2, &link, &signers);
    }
    let link = put(&good, 76, &stranger);
    w.raw("signer who is no member", REFUSED, 2, &link, &["stranger", "b"]);
    w.raw("a link again", REFUSED, 3, &good, &signers);
    let past = w.wallet.links[3].bytes().to_vec();
    w.raw("a link too early", REFUSED, 2, &past, &["code", "revoker"]);
}

fn signatures(w: &mut Writer) {
    let link = w.wallet.links[2].bytes().to_vec();
    let good = w.wallet.links[2].signature_bytes();
    w.raw("new member's signature missing", REFUSED, 2, &link, &["a"]);
    w.raw("signer's signature missing", REFUSED, 2, &link, &["b"]);
    w.raw("signatures exchanged", REFUSED, 2, &link, &["b", "a"]);
    w.raw("one signature too many", REFUSED, 2, &link, &["a", "b", "code"]);
    w.entry("no signature", REFUSED, 2, &link, &[]);
    w.entry("signature cut", REFUSED, 2, &link, &good[..159]);
    w.entry("signer's signature altered", REFUSED, 2, &link, &flip(&good, 79));
    w.entry("new member's signature altered", REFUSED, 2, &link, &flip(&good, 159));
    w.entry("signature with r = 0", REFUSED, 2, &link, &put(&good, 16, &[0; 32]));
    w.entry("signature with s = 0", REFUSED, 2, &link, &put(&good, 48, &[0; 32]));
    let high = crate::es256::other_form(good[16..80].try_into().unwrap());
    w.entry("signature with the high s", REFUSED, 2, &link, &put(&good, 16, &high));
    let other = w.wallet.links[1].signature_bytes();
    w.entry("signature of another link", REFUSED, 2, &link, &put(&good, 0, &other));
}

fn genesis(w: &mut Writer) {
    let good = w.wallet.genesis();
    let (a, code) = (w.member("a"), w.member("code"));
    let second = RecoveryCode(SecretArray::new(&[9; 16])).member_keys();
    let with = |members: Vec<Member>| LinkPayload::Genesis(Genesis { members, ..good.clone() });
    w.payload("genesis without a device", 0, with(vec![code]), &["code"]);
    w.payload("genesis twice the same member", 0, with(vec![a, code, a]), &["a", "code"]);
    let passphrase = w.member("passphrase");
    w.payload("genesis with a passphrase", 0, with(vec![a, passphrase]), &["a", "passphrase"]);
    let b = w.member("b");
    w.payload("genesis not signed first by the first device", 0, with(vec![b, a]), &["a", "b"]);
    w.payload("genesis without every signature", 0, with(vec![a, code]), &["a"]);
    w.payload("a second genesis", 2, with(vec![a, code]), &["a", "code"]);
    two_codes(w, &second);
    let shared = Member::device(*b.sign(), *a.sign()).unwrap();
    let link = w.wallet.link(0, a.id(), with(vec![a, shared])).encode().unwrap();
    let signers = [(a.id(), "a"), (shared.id(), "b")];
    w.signed_as("genesis with one key in two members", REFUSED, 0, &link, &signers);
    let off_curve = PublicKey::parse(&flip(a.seal().unwrap().as_bytes(), 64)).unwrap();
    let off_curve = Member::device(*a.sign(), off_curve).unwrap();
    let link = w.wallet.link(0, off_curve.id(), with(vec![off_curve])).encode().unwrap();
    let signers = [(off_curve.id(), "a")];
    w.signed_as("genesis with a seal key off the curve", REFUSED, 0, &link, &signers);
    let bytes = w.wallet.links[0].bytes().to_vec();
    w.raw("genesis with a wallet", REFUSED, 0, &put(&bytes, 7, &[1]), &["a", "code"]);
    w.raw("genesis with a previous link", REFUSED, 0, &put(&bytes, 43, &[1]), &["a", "code"]);
    w.raw("genesis with number 1", REFUSED, 0, &put(&bytes, 42, &[1]), &["a", "code"]);
    w.raw("genesis of one member more", REFUSED, 0, &put(&bytes, 129, &[3]), &["a", "code"]);
    let first = LinkPayload::Erase;
    w.payload("another link than a rotation after the genesis", 1, first, &["code"]);
}

/// Two recovery codes in a genesis, signed by all three.
fn two_codes(w: &mut Writer, second: &SoftwareMember) {
    let members = vec![w.member("a"), w.member("code"), *second.member()];
    let payload = LinkPayload::Genesis(Genesis { members, ..w.wallet.genesis() });
    let link = w.wallet.link(0, w.keys("a").id(), payload);
    let mut rng = w.wallet.actors.fork();
    let keys: [&dyn MemberKeys; 3] = [w.keys("a"), w.keys("code"), second];
    let signed = crate::sign_link(&mut rng, &keys, &link).unwrap();
    let (bytes, signatures) = (signed.bytes().to_vec(), signed.signature_bytes());
    w.entry("genesis with two codes", REFUSED, 0, &bytes, &signatures);
}

fn rotate(w: &mut Writer) {
    let LinkPayload::Rotate(good) = w.wallet.links[6].link().payload.clone() else { panic!() };
    let LinkPayload::Rotate(first) = w.wallet.links[1].link().payload.clone() else { panic!() };
    let with = |change: &dyn Fn(&mut Rotate)| {
        let mut rotate = good.clone();
        change(&mut rotate);
        LinkPayload::Rotate(rotate)
    };
    w.payload("rotate back to generation 1", 6, LinkPayload::Rotate(first), &["a"]);
    w.payload("rotate without a seal", 6, with(&|r| r.seals.truncate(2)), &["a"]);
    let mut bytes = w.wallet.links[6].bytes().to_vec();
    // gen 96, commit 100, hist_len 132, hist 134 (180 bytes: fmt 138, purpose 141, wallet 142, gen 198), count 314, seals 315
    let skip = put(&put(&bytes, 99, &[3]), 201, &[3]);
    w.raw("rotate skips a generation", REFUSED, 6, &skip, &["a"]);
    w.raw("rotate to generation 0", REFUSED, 6, &put(&bytes, 99, &[0]), &["a"]);
    w.raw("history of another generation", REFUSED, 6, &put(&bytes, 201, &[3]), &["a"]);
    w.raw("history of another purpose", REFUSED, 6, &put(&bytes, 141, &[3]), &["a"]);
    w.raw("history of a later format", UPDATE, 6, &put(&bytes, 138, &[2]), &["a"]);
    w.raw("history of another wallet", REFUSED, 6, &flip(&bytes, 142), &["a"]);
    w.raw("history length", REFUSED, 6, &put(&bytes, 132, &[0, 179]), &["a"]);
    w.payload("rotate without history", 6, with(&|r| r.history.clear()), &["a"]);
    w.payload("seals unsorted", 6, with(&|r| r.seals.reverse()), &["a"]);
    w.payload("a seal twice", 6, with(&|r| r.seals.insert(1, r.seals[0].clone())), &["a"]);
    let revoked = w.wallet.key(2).seal_to(&mut w.wallet.actors.fork(), &w.member("b")).unwrap();
    let to_revoked = with(&|r| {
        r.seals.push(revoked.clone());
        r.seals.sort_by_key(|seal| seal.member);
    });
    w.payload("a seal to a revoked member", 6, to_revoked, &["a"]);
    let suite = 315 + 16;
    w.raw("seal with suite 2", UPDATE, 6, &put(&bytes, suite, &[0, 2]), &["a"]);
    w.raw("number of seals", REFUSED, 6, &put(&bytes, 314, &[2]), &["a"]);
    let signer = *w.keys("revoker").id().as_bytes();
    bytes = put(&bytes, 76, &signer);
    w.raw("rotate by the revoker", REFUSED, 6, &bytes, &["revoker"]);
    let history = good.history.clone();
    let LinkPayload::Rotate(mut first) = w.wallet.links[1].link().payload.clone() else { panic!() };
    first.history = history;
    w.payload("history in generation 1", 1, LinkPayload::Rotate(first), &["a"]);
}

fn add(w: &mut Writer) {
    let stranger = w.member("stranger");
    let add = w.wallet.add(stranger, 2);
    w.payload("add under another generation", 3, add, &["a", "stranger"]);
    let add = w.wallet.add(stranger, 1);
    w.payload("add a device by the revoker", 4, add, &["revoker", "stranger"]);
    let add = w.wallet.add(w.member("c"), 1);
    w.payload("add by a device that is revoked", 6, add, &["b", "c"]);
    let add = w.wallet.add(w.member("b"), 2);
    w.payload("add a revoked device again", 7, add, &["a", "b"]);
    let add = w.wallet.add(w.member("revoker"), 1);
    w.payload("add a revoker by a device", 3, add, &["a", "revoker"]);
    let add = w.wallet.add(w.member("passphrase"), 1);
    w.payload("add a passphrase by a device", 4, add, &["a", "passphrase"]);
    let second = RecoveryCode(SecretArray::new(&[9; 16])).member_keys();
    let add = w.wallet.add(*second.member(), 1);
    let link = w.wallet.link(3, w.keys("a").id(), add);
    let mut rng = w.wallet.actors.fork();
    let signed = crate::sign_link(&mut rng, &[w.keys("a"), &second], &link).unwrap();
    let (bytes, signatures) = (signed.bytes().to_vec(), signed.signature_bytes());
    w.entry("add a second code by a device", REFUSED, 3, &bytes, &signatures);
    // len 96, member 98 (145 bytes), gen 243, seal 247
    let good = w.wallet.links[2].bytes().to_vec();
    w.raw("member length", REFUSED, 2, &put(&good, 96, &[0, 144]), &["a", "b"]);
    w.raw("add under generation 0", REFUSED, 2, &put(&good, 246, &[0]), &["a", "b"]);
    w.raw("seal to another member", REFUSED, 2, &flip(&good, 247), &["a", "b"]);
    w.raw("member of kind 5", UPDATE, 2, &put(&good, 98, &[5]), &["a", "b"]);
    let LinkPayload::Add(mut without) = w.wallet.links[2].link().payload.clone() else { panic!() };
    without.seal = None;
    w.payload("add a device without a seal", 2, LinkPayload::Add(without), &["a", "b"]);
}

fn revoke_and_the_rest(w: &mut Writer) {
    for (name, target, after, signer) in [
        ("revoke oneself", "a", 5, "a"),
        ("revoke a stranger", "stranger", 5, "a"),
        ("revoke a revoked device", "b", 6, "a"),
        ("revoke the code by a device", "code", 5, "a"),
        ("revoke the revoker by a device", "revoker", 5, "a"),
        ("revoke the code by the revoker", "code", 5, "revoker"),
        ("revoke by the passphrase", "b", 5, "passphrase"),
    ] {
        let payload = w.revoke(target);
        w.payload(name, after, payload, &[signer]);
    }
    w.payload("lowest suite 1", 5, LinkPayload::MinSuite(Suite::P256), &["a"]);
    let link = w.wallet.link(5, w.keys("a").id(), LinkPayload::MinSuite(Suite::P256));
    let bytes = link.encode().unwrap();
    w.raw("lowest suite 0", REFUSED, 5, &put(&bytes, 96, &[0, 0]), &["a"]);
    w.raw("lowest suite 2", UPDATE, 5, &put(&bytes, 96, &[0, 2]), &["a"]);
    w.payload("erase by a device", 9, LinkPayload::Erase, &["a"]);
    let erase = w.wallet.links[9].bytes().to_vec();
    let long = put(&[&erase[..], &[0]].concat(), 95, &[1]);
    w.raw("erase with a payload", REFUSED, 9, &long, &["code"]);
    w.payload("a link after the erasure", 10, LinkPayload::Erase, &["code"]);
    let elsewhere = Link {
        wallet: WalletId::from_bytes([0x31; 32]),
        ..w.wallet.link(9, w.keys("code").id(), LinkPayload::Erase)
    };
    w.link("erase of another wallet", 9, &elsewhere, &["code"]);
}
