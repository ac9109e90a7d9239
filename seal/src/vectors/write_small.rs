//! Vectors of members, codes, challenges and seals.

use serde_json::json;
use types::{Challenge, ChallengeUse, ClusterId, Suite, WalletId};

use super::actors::{Actors, WALLET_KEYS, Wallet};
use super::{File, REFUSED, UPDATE, flip, hex, put};
use crate::{MemberKeys, RecoveryCode, RevokerCode, SecretArray, SoftwareMember, sign_challenge};

pub(super) fn members() -> File {
    let mut file = File::new("members");
    let actors = Actors::new();
    let four: [(&str, &dyn MemberKeys); 4] = [
        ("device", &actors.a.member),
        ("recovery code", &actors.code),
        ("passphrase", &actors.passphrase),
        ("revoker", &actors.revoker),
    ];
    for (name, keys) in four {
        file.accept(json!({
            "name": name,
            "bytes": hex(keys.member().encode()),
            "kind": keys.member().kind() as u8,
            "id": hex(keys.id()),
        }));
    }
    let [device, code, passphrase, revoker] = four.map(|(_, keys)| keys.member().encode());
    // kind 0, flags 1, nkeys 2, use 3, alg 4, len 6, key 8, use 73, alg 74, len 76, key 78, ext_len 143, ext 145
    let mut bad = |name: &str, why: &str, bytes: Vec<u8>| {
        file.refuse(name, why, json!({ "bytes": hex(bytes) }));
    };
    bad("kind 0", REFUSED, put(&device, 0, &[0]));
    bad("kind 5", UPDATE, put(&device, 0, &[5]));
    bad("flags", REFUSED, put(&device, 1, &[1]));
    bad("one key", REFUSED, put(&device, 2, &[1]));
    bad("no key", REFUSED, put(&device, 2, &[0]));
    bad("revoker with a seal key", REFUSED, put(&device, 0, &[4]));
    bad("use of the first key", REFUSED, put(&device, 3, &[2]));
    bad("use of the second key", REFUSED, put(&device, 73, &[1]));
    bad("algorithm of the sign key", REFUSED, put(&device, 4, &[0, 0x10]));
    bad("algorithm of the seal key", REFUSED, put(&device, 74, &[0, 1]));
    bad("length of the sign key", REFUSED, put(&device, 6, &[0, 64]));
    bad("length of the seal key", REFUSED, put(&device, 76, &[0, 64]));
    bad("sign key not uncompressed", REFUSED, put(&device, 8, &[6]));
    bad("seal key not uncompressed", REFUSED, put(&device, 78, &[2]));
    bad("sign key off the curve", REFUSED, flip(&device, 72));
    bad("seal key off the curve", REFUSED, flip(&device, 142));
    bad("sign key at infinity", REFUSED, put(&device, 9, &[0; 64]));
    bad("twice the same key", REFUSED, put(&device, 78, &device[8..73]));
    bad("extension length of a device", REFUSED, put(&device, 143, &[0, 16]));
    bad("extension length of a code", REFUSED, put(&code, 143, &[0, 28]));
    bad("memory too low", REFUSED, put(&passphrase, 161, &65_535_u32.to_be_bytes()));
    bad("memory too high", REFUSED, put(&passphrase, 161, &0x0010_0001_u32.to_be_bytes()));
    bad("passes too few", REFUSED, put(&passphrase, 165, &2_u32.to_be_bytes()));
    bad("passes too many", REFUSED, put(&passphrase, 165, &17_u32.to_be_bytes()));
    bad("lanes", REFUSED, put(&passphrase, 169, &1_u32.to_be_bytes()));
    bad("cut", REFUSED, revoker[..revoker.len() - 1].to_vec());
    bad("trailing byte", REFUSED, [&device[..], &[0]].concat());
    bad("empty", REFUSED, vec![]);
    file
}

pub(super) fn codes() -> File {
    let mut file = File::new("codes");
    let seed = |byte: u8| core::array::from_fn(|at| byte.wrapping_add(at as u8 * 17));
    for (at, seed) in [[0; 16], [0xff; 16], seed(1), seed(0x9d)].into_iter().enumerate() {
        let code = RecoveryCode(SecretArray::new(&seed));
        let text = code.reveal();
        let entry = |kind: &str, keys: &SoftwareMember, text: &str| {
            let (sign, seal) = keys.scalars();
            json!({
                "name": format!("{kind} {}", at + 1),
                "kind": kind,
                "seed": hex(seed),
                "text": text,
                "typed": text.to_lowercase().replace('0', "O").replace('1', "l").replace('-', " "),
                "sign": hex(sign.expose()),
                "seal": seal.map(|seal| hex(seal.expose())),
                "member": hex(keys.member().encode()),
                "locator": hex(keys.member().locator().unwrap()),
            })
        };
        file.accept(entry("recovery", &code.member_keys(), text.as_str()));
        let code = RevokerCode(SecretArray::new(&seed));
        file.accept(entry("revoker", &code.member_keys(), code.reveal().as_str()));
    }
    let good = RecoveryCode(SecretArray::new(&seed(1)));
    let good = good.reveal().as_str().to_owned();
    let mut bad = |name: &str, kind: &str, text: &str| {
        file.refuse(name, REFUSED, json!({ "kind": kind, "text": text }));
    };
    let other = |at: usize| {
        let letter = if good.as_bytes()[at] == b'7' { "8" } else { "7" };
        let mut text = good.clone();
        text.replace_range(at..=at, letter);
        text
    };
    bad("first character", "recovery", &other(0));
    bad("last character of the seed", "recovery", &other(30));
    bad("last check character", "recovery", &other(33));
    bad("two characters exchanged", "recovery", &{
        let mut bytes = good.clone().into_bytes();
        bytes.swap(1, 2);
        String::from_utf8(bytes).unwrap()
    });
    bad("the other kind", "revoker", &good);
    bad("a character short", "recovery", &good[..33]);
    bad("a character more", "recovery", &format!("{good}0"));
    bad("a letter that is not used", "recovery", &format!("U{}", &good[1..]));
    bad("another sign", "recovery", &good.replace('-', "_"));
    bad("empty", "recovery", "");
    file
}

pub(super) fn challenges() -> File {
    let mut file = File::new("challenges");
    let mut wallet = Wallet::new();
    let id = wallet.id();
    let actors = &mut wallet.actors;
    let ephemeral = *actors.stranger.member.member().sign();
    let challenge = |usage, wallet, keys: &dyn MemberKeys| Challenge {
        suite: Suite::P256,
        usage,
        cluster: ClusterId::from_bytes([0x63; 16]),
        wallet,
        member: keys.id(),
        nonce: [0x6e; 32],
        ephemeral,
        expires_s: 1_800_000_000,
    };
    let device = challenge(ChallengeUse::Session, id, &actors.a.member);
    let code = challenge(ChallengeUse::Recovery, WalletId::ZERO, &actors.code);
    let revoker = challenge(ChallengeUse::Recovery, WalletId::ZERO, &actors.revoker);
    let mut entry = |challenge: &Challenge, member: &dyn MemberKeys, signer: &dyn MemberKeys| {
        let signature = sign_challenge(&mut actors.rng, signer, challenge).unwrap();
        json!({
            "challenge": hex(challenge.encode()),
            "member": hex(member.member().encode()),
            "signature": hex(signature.signature),
        })
    };
    for (name, challenge, keys) in [
        ("device", &device, &actors.a.member),
        ("recovery code", &code, &actors.code),
        ("revoker", &revoker, &actors.revoker),
    ] {
        let mut entry = entry(challenge, keys, keys);
        entry["name"] = json!(name);
        file.accept(entry);
    }
    let a = &actors.a.member;
    let wrong = [
        ("device with use 2", Challenge { usage: code.usage, wallet: WalletId::ZERO, ..device }),
        ("another member", Challenge { member: code.member, ..device }),
    ];
    for (name, challenge) in wrong {
        file.refuse(name, REFUSED, entry(&challenge, a, a));
    }
    let wrong = Challenge { usage: device.usage, wallet: id, ..code };
    file.refuse("code with use 1", REFUSED, entry(&wrong, &actors.code, &actors.code));
    file.refuse("signed by another", REFUSED, entry(&device, a, &actors.b.member));

    // magic 0, fmt 4, suite 5, use 7, cluster 8, wallet 24, member 56, nonce 72, key 104, expires 169
    let good = device.encode();
    let mut rng = actors.fork();
    let mut raw = |name: &str, why: &str, bytes: Vec<u8>, signed: &[u8]| {
        let message = types::hash::signed_message("holdfast/1 challenge", signed);
        let signature = actors.a.member.sign(&mut rng, &message).unwrap();
        let entry = json!({
            "challenge": hex(&bytes),
            "member": hex(actors.a.member.member().encode()),
            "signature": hex(signature),
        });
        file.refuse(name, why, entry);
    };
    let shapes = [
        ("magic", REFUSED, put(&good, 0, b"HFhd")),
        ("format 0", REFUSED, put(&good, 4, &[0])),
        ("format 2", UPDATE, put(&good, 4, &[2])),
        ("suite 0", REFUSED, put(&good, 5, &[0, 0])),
        ("suite 2", UPDATE, put(&good, 5, &[0, 2])),
        ("use 0", REFUSED, put(&good, 7, &[0])),
        ("use 3", REFUSED, put(&good, 7, &[3])),
        ("use 1 without a wallet", REFUSED, put(&good, 24, &[0; 32])),
        ("use 2 with a wallet", REFUSED, put(&good, 7, &[2])),
        ("key not uncompressed", REFUSED, put(&good, 104, &[3])),
        ("cut", REFUSED, good[..176].to_vec()),
        ("trailing byte", REFUSED, [&good[..], &[0]].concat()),
    ];
    for (name, why, bytes) in shapes {
        raw(name, why, bytes.clone(), &bytes);
    }
    // Well-formed, but not what was signed.
    let fields = [("cluster", 8), ("wallet", 24), ("nonce", 72), ("key", 105), ("expiry", 176)];
    for (name, at) in fields {
        raw(&format!("{name} altered"), REFUSED, flip(&good, at), &good);
    }
    file
}

pub(super) fn seals() -> File {
    let mut file = File::new("seals");
    let mut wallet = Wallet::new();
    let key = wallet.key(2);
    let (id, commit) = (wallet.id(), key.commit());
    let actors = &mut wallet.actors;
    let mut sealed = |keys: &SoftwareMember| {
        let seal = key.seal_to(&mut actors.rng, keys.member()).unwrap();
        let (_, scalar) = keys.scalars();
        (
            seal.encode(),
            json!({
                "member": hex(keys.member().encode()),
                "scalar": hex(scalar.unwrap().expose()),
                "wallet": hex(id),
                "generation": 2,
                "wk_commit": hex(commit),
                "wallet_key": hex(WALLET_KEYS[1]),
            }),
        )
    };
    let (good, context) = sealed(&actors.a.member);
    let (to_code, code_context) = sealed(&actors.code);
    for (name, seal, context) in [("device", &good, &context), ("code", &to_code, &code_context)] {
        let mut entry = context.clone();
        entry["name"] = json!(name);
        entry["seal"] = hex(seal);
        file.accept(entry);
    }
    let mut bad = |name: &str, why: &str, seal: Vec<u8>| {
        let mut entry = context.clone();
        entry["seal"] = hex(seal);
        file.refuse(name, why, entry);
    };
    // member 0, suite 16, len 18, enc 20, ct 85
    bad("member", REFUSED, flip(&good, 0));
    bad("suite 0", REFUSED, put(&good, 16, &[0, 0]));
    bad("suite 2", UPDATE, put(&good, 16, &[0, 2]));
    bad("length", REFUSED, put(&good, 18, &[0, 112]));
    bad("enc not uncompressed", REFUSED, put(&good, 20, &[2]));
    bad("enc off the curve", REFUSED, flip(&good, 84));
    bad("enc of another seal", REFUSED, put(&good, 20, &to_code[20..85]));
    bad("ciphertext", REFUSED, flip(&good, 85));
    bad("tag", REFUSED, flip(&good, 132));
    bad("to another member", REFUSED, to_code.clone());
    bad("another's under this name", REFUSED, put(&to_code, 0, &good[..16]));
    bad("cut", REFUSED, good[..132].to_vec());
    bad("trailing byte", REFUSED, [&good[..], &[0]].concat());
    let elsewhere = [
        ("another wallet", "wallet", hex([7; 32])),
        ("another generation", "generation", json!(3)),
        ("another commitment", "wk_commit", hex([7; 32])),
    ];
    for (name, field, value) in elsewhere {
        let mut entry = context.clone();
        entry["seal"] = hex(&good);
        entry[field] = value;
        file.refuse(name, REFUSED, entry);
    }
    file
}
