//! Vectors of envelopes, one and more for each purpose.

use serde_json::{Value, json};
use types::{
    Argon2Cost, EnvelopeHeader, PassphraseFront, Purpose, RecordId, Secret, Suite, WalletId,
};

use super::actors::{WALLET_KEYS, Wallet};
use super::{File, REFUSED, UPDATE, flip, hex, put};
use crate::kdf::derive;
use crate::passphrase::argon2id;
use crate::{
    DataKey, DeviceKeys, EpochKey, EpochKeys, ExportWriter, LocalKey, MemberKeys, OuterPlace,
    Secret32, WalletKey, envelope,
};

pub(super) const DATA_KEY: [u8; 32] = [0xdd; 32];
pub(super) const EPOCH_KEY: [u8; 32] = [0xee; 32];
const PASSPHRASE: &str = "correct horse battery staple";
const ID: RecordId = RecordId::from_bytes([0x1d; 16]);

/// What stands beside an envelope: what opens it, and where it stands.
fn entry(purpose: Purpose, wallet: &WalletId, id: &RecordId, version: u64, gen_: u32) -> Value {
    json!({
        "purpose": purpose as u8,
        "wallet": hex(wallet),
        "id": hex(id),
        "version": version,
        "generation": gen_,
    })
}

struct Writer {
    wallet: Wallet,
    file: File,
}

impl Writer {
    fn accept(&mut self, name: &str, mut entry: Value, key: Value, content: &[u8], bytes: &[u8]) {
        entry["name"] = json!(name);
        entry["content"] = hex(content);
        entry["bytes"] = hex(bytes);
        for (field, value) in key.as_object().unwrap() {
            entry[field] = value.clone();
        }
        self.file.accept(entry);
    }

    /// Refuses these bytes where the accepted envelope `of` stands.
    fn refuse(&mut self, of: &str, name: &str, why: &str, bytes: &[u8]) {
        let entry = json!({ "of": of, "bytes": hex(bytes) });
        self.file.refuse(&format!("{of}: {name}"), why, entry);
    }
}

pub(super) fn envelopes() -> File {
    let mut writer = Writer { wallet: Wallet::new(), file: File::new("envelopes") };
    records(&mut writer);
    history(&mut writer);
    server(&mut writer);
    local(&mut writer);
    device_keys(&mut writer);
    export(&mut writer);
    writer.file
}

fn records(w: &mut Writer) {
    let (wallet, key) = (w.wallet.id(), w.wallet.key(2));
    let with = json!({ "key": hex(WALLET_KEYS[1]) });
    let rng = &mut w.wallet.actors.fork();
    let place = entry(Purpose::Record, &wallet, &ID, 3, 2);
    for (name, length) in [("record", 11), ("empty record", 0), ("2 KiB record", 2044)] {
        let data: Vec<u8> = (0..length).map(|at: usize| at as u8).collect();
        let bytes = key.seal_record(rng, &ID, 3, &data).unwrap();
        w.accept(name, place.clone(), with.clone(), &data, &bytes);
    }
    let good = key.seal_record(rng, &ID, 3, b"data").unwrap();
    let other = RecordId::from_bytes([0x2d; 16]);
    let elsewhere =
        WalletKey::new(WalletId::from_bytes([9; 32]), 2, Secret32::new(&WALLET_KEYS[1]));
    let another_key = WalletKey::new(wallet, 2, Secret32::new(&[9; 32]));
    for (name, bytes) in [
        ("of another id", key.seal_record(rng, &other, 3, b"data")),
        ("of another version", key.seal_record(rng, &ID, 2, b"data")),
        ("of another generation", w.wallet.key(1).seal_record(rng, &ID, 3, b"data")),
        ("of another wallet", elsewhere.seal_record(rng, &ID, 3, b"data")),
        ("under another key", another_key.seal_record(rng, &ID, 3, b"data")),
    ] {
        w.refuse("record", name, REFUSED, &bytes.unwrap());
    }
    // magic 0, fmt 4, suite 5, purpose 7, wallet 8, id 40, version 56, gen 64, salt 68, commit 100, ct 132
    for (name, why, bytes) in [
        ("magic", REFUSED, put(&good, 0, b"HFhd")),
        ("format 0", REFUSED, put(&good, 4, &[0])),
        ("format 2", UPDATE, put(&good, 4, &[2])),
        ("suite 0", REFUSED, put(&good, 5, &[0, 0])),
        ("suite 2", UPDATE, put(&good, 5, &[0, 2])),
        ("purpose 0", REFUSED, put(&good, 7, &[0])),
        ("purpose 4", REFUSED, put(&good, 7, &[4])),
        ("purpose 9", UPDATE, put(&good, 7, &[9])),
        ("wallet", REFUSED, flip(&good, 8)),
        ("id", REFUSED, flip(&good, 40)),
        ("version", REFUSED, flip(&good, 63)),
        ("version 0", REFUSED, put(&good, 56, &[0; 8])),
        ("generation", REFUSED, flip(&good, 67)),
        ("generation 0", REFUSED, put(&good, 64, &[0; 4])),
        ("salt", REFUSED, flip(&good, 68)),
        ("commitment", REFUSED, flip(&good, 100)),
        ("ciphertext", REFUSED, flip(&good, 132)),
        ("tag", REFUSED, flip(&good, good.len() - 1)),
        ("cut", REFUSED, good[..good.len() - 1].to_vec()),
        ("trailing byte", REFUSED, [&good[..], &[0]].concat()),
        ("header alone", REFUSED, good[..68].to_vec()),
    ] {
        w.refuse("record", name, why, &bytes);
    }
    let header = EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::Record,
        wallet,
        id: ID,
        version: 3,
        generation: 2,
    };
    let record: Secret32 = derive(&Secret32::new(&WALLET_KEYS[1]), &[b"record"]);
    let padded = |length: u32, size: usize| {
        let mut padded = vec![0; size];
        padded[..4].copy_from_slice(&length.to_be_bytes());
        padded
    };
    for (name, content) in [
        ("not zero after the data", put(&padded(4, 1024), 1023, &[1])),
        ("not zero right after the data", put(&padded(4, 1024), 8, &[1])),
        ("longer padding than needed", padded(4, 2048)),
        ("more data than there is", padded(1021, 1024)),
        ("far more data than there is", padded(u32::MAX, 1024)),
        ("not a padded length", padded(4, 1000)),
    ] {
        let bytes = envelope::seal(rng, &record, &header, &content);
        w.refuse("record", name, REFUSED, &bytes);
    }
}

fn history(w: &mut Writer) {
    let types::LinkPayload::Rotate(rotate) = w.wallet.links[6].link().payload.clone() else {
        panic!("link 6 rotates");
    };
    let wallet = w.wallet.id();
    let place = entry(Purpose::History, &wallet, &RecordId::ZERO, 0, 2);
    let key = json!({ "key": hex(WALLET_KEYS[1]), "wk_commit": hex(w.wallet.key(1).commit()) });
    w.accept("history", place, key, &WALLET_KEYS[0], &rotate.history);
    let good = rotate.history;
    for (name, bytes) in [
        ("purpose", put(&good, 7, &[7])),
        ("wallet", flip(&good, 8)),
        ("id", flip(&good, 40)),
        ("version", flip(&good, 63)),
        ("generation", put(&good, 67, &[3])),
        ("generation 1", put(&good, 67, &[1])),
        ("ciphertext", flip(&good, 140)),
        ("cut", good[..179].to_vec()),
    ] {
        w.refuse("history", name, REFUSED, &bytes);
    }
    let header = EnvelopeHeader {
        suite: Suite::P256,
        purpose: Purpose::History,
        wallet,
        id: RecordId::ZERO,
        version: 0,
        generation: 2,
    };
    let key: Secret32 = derive(&Secret32::new(&WALLET_KEYS[1]), &[b"history"]);
    let other = envelope::seal(&mut w.wallet.actors.rng, &key, &header, &[9; 32]);
    w.refuse("history", "a key that the commitment does not fit", REFUSED, &other);
}

fn server(w: &mut Writer) {
    let wallet = w.wallet.id();
    let rng = &mut w.wallet.actors.fork();
    let data_key = DataKey::from_key(Secret32::new(&DATA_KEY));
    let place = OuterPlace { table: 1, key: ID.as_bytes(), version: 3 };
    let sealed = data_key.seal(rng, &wallet, &place, b"sealed already");
    let id = types::Envelope::parse(sealed.as_bytes()).unwrap().header.id;
    let context = json!({ "key": hex(DATA_KEY), "table": 1, "inner_key": hex(ID) });
    let described = entry(Purpose::Outer, &wallet, &id, 3, 0);
    w.accept("outer", described, context, b"sealed already", sealed.as_bytes());
    for (name, table, key, version) in [
        ("of another table", 2, [0x1d; 16], 3),
        ("of another key", 1, [0x2d; 16], 3),
        ("of another version", 1, [0x1d; 16], 4),
    ] {
        let place = OuterPlace { table, key: &key, version };
        let other = data_key.seal(rng, &wallet, &place, b"sealed already");
        w.refuse("outer", name, REFUSED, other.as_bytes());
    }
    let elsewhere = data_key.seal(rng, &WalletId::from_bytes([9; 32]), &place, b"sealed already");
    w.refuse("outer", "of another wallet", REFUSED, elsewhere.as_bytes());
    let good = sealed.as_bytes();
    w.refuse("outer", "purpose", REFUSED, &put(good, 7, &[7]));
    w.refuse("outer", "wallet 0", REFUSED, &put(good, 8, &[0; 32]));
    w.refuse("outer", "generation", REFUSED, &flip(good, 67));
    w.refuse("outer", "ciphertext", REFUSED, &flip(good, 132));
    w.refuse("outer", "tag", REFUSED, &flip(good, good.len() - 1));

    let file = [&b"HFek\x01\x00\x01\x00\x00\x00\x05"[..], &EPOCH_KEY].concat();
    let epoch = EpochKey::from_file(&Secret::new(file)).unwrap();
    let wrapped = epoch.wrap(rng, &wallet, &data_key).unwrap();
    let described = entry(Purpose::DataKey, &wallet, &RecordId::ZERO, 0, 5);
    let context = json!({ "key": hex(EPOCH_KEY) });
    w.accept("data key", described, context, &DATA_KEY, wrapped.as_bytes());
    let good = wrapped.as_bytes();
    w.refuse("data key", "purpose", REFUSED, &put(good, 7, &[8]));
    w.refuse("data key", "wallet", REFUSED, &flip(good, 8));
    w.refuse("data key", "wallet 0", REFUSED, &put(good, 8, &[0; 32]));
    w.refuse("data key", "epoch", REFUSED, &flip(good, 67));
    w.refuse("data key", "ciphertext", REFUSED, &flip(good, 132));

    let sealed = epoch.to_sealed_file(rng, &passphrase(), Argon2Cost::FLOOR);
    let described = entry(Purpose::EpochKey, &WalletId::ZERO, &RecordId::ZERO, 0, 5);
    w.accept("epoch key", described, stretched(&sealed), &EPOCH_KEY, &sealed);
    front(w, "epoch key", &sealed);
    w.refuse("epoch key", "purpose", REFUSED, &put(&sealed, 28 + 7, &[6]));
    w.refuse("epoch key", "wallet", REFUSED, &flip(&sealed, 28 + 8));
    w.refuse("epoch key", "epoch", REFUSED, &flip(&sealed, 28 + 67));
}

fn local(w: &mut Writer) {
    let wallet = w.wallet.id();
    let rng = &mut w.wallet.actors.fork();
    let key = LocalKey::from_key(Secret32::new(&[0x10; 32]));
    let sealed = key.seal(rng, &wallet, &ID, 3, b"value").unwrap();
    let described = entry(Purpose::Local, &wallet, &ID, 3, 0);
    w.accept("local", described, json!({ "key": hex([0x10; 32]) }), b"value", &sealed);
    w.refuse("local", "purpose", REFUSED, &put(&sealed, 7, &[1]));
    w.refuse("local", "id", REFUSED, &flip(&sealed, 40));
    w.refuse("local", "version", REFUSED, &flip(&sealed, 63));
    w.refuse("local", "generation", REFUSED, &flip(&sealed, 67));
}

fn device_keys(w: &mut Writer) {
    let rng = &mut w.wallet.actors.fork();
    let keys = &w.wallet.actors.a;
    let sealed = keys.seal(rng, &passphrase(), Argon2Cost::FLOOR);
    let id = RecordId::from_bytes(*keys.member.id().as_bytes());
    let described = entry(Purpose::DeviceKeys, &WalletId::ZERO, &id, 0, 0);
    let content = keys.to_plain().expose().to_vec();
    w.accept("device keys", described, stretched(&sealed), &content, &sealed);
    front(w, "device keys", &sealed);
    w.refuse("device keys", "purpose", REFUSED, &put(&sealed, 28 + 7, &[8]));
    w.refuse("device keys", "wallet", REFUSED, &put(&sealed, 28 + 8, &[1]));
    w.refuse("device keys", "id", REFUSED, &flip(&sealed, 28 + 40));
    w.refuse("device keys", "tag", REFUSED, &flip(&sealed, sealed.len() - 1));
    let other: &DeviceKeys = &w.wallet.actors.b;
    let other = other.seal(rng, &passphrase(), Argon2Cost::FLOOR);
    w.refuse("device keys", "of another device", REFUSED, &other);
}

fn export(w: &mut Writer) {
    let wallet = w.wallet.id();
    let rng = &mut w.wallet.actors.fork();
    let begun = ExportWriter::begin(rng, &passphrase(), Argon2Cost::FLOOR, &wallet, b"manifest");
    let (mut export, first) = begun.unwrap();
    let second = export.part(rng, b"part").unwrap();
    let id = types::Envelope::parse(&first[28..]).unwrap().header.id;
    for (name, version, content, bytes) in
        [("export manifest", 1, &b"manifest"[..], &first), ("export part", 2, b"part", &second)]
    {
        let described = entry(Purpose::Export, &wallet, &id, version, 0);
        w.accept(name, described, stretched(bytes), content, bytes);
    }
    front(w, "export part", &second);
    w.refuse("export part", "the first part again", REFUSED, &first);
    w.refuse("export part", "id", REFUSED, &flip(&second, 28 + 40));
    w.refuse("export part", "version", REFUSED, &put(&second, 28 + 63, &[3]));
    w.refuse("export part", "version 0", REFUSED, &put(&second, 28 + 63, &[0]));
    w.refuse("export part", "cut", REFUSED, &second[..second.len() - 1]);
}

/// The parameters in front: salt 0, memory 16, passes 20, lanes 24.
fn front(w: &mut Writer, of: &str, sealed: &[u8]) {
    w.refuse(of, "salt", REFUSED, &flip(sealed, 0));
    w.refuse(of, "other memory", REFUSED, &put(sealed, 16, &65_537_u32.to_be_bytes()));
    w.refuse(of, "memory too low", REFUSED, &put(sealed, 16, &65_535_u32.to_be_bytes()));
    w.refuse(of, "memory too high", REFUSED, &put(sealed, 16, &0x0010_0001_u32.to_be_bytes()));
    w.refuse(of, "other passes", REFUSED, &put(sealed, 20, &4_u32.to_be_bytes()));
    w.refuse(of, "passes too few", REFUSED, &put(sealed, 20, &2_u32.to_be_bytes()));
    w.refuse(of, "passes too many", REFUSED, &put(sealed, 20, &17_u32.to_be_bytes()));
    w.refuse(of, "lanes", REFUSED, &put(sealed, 24, &1_u32.to_be_bytes()));
}

fn passphrase() -> Secret {
    Secret::new(PASSPHRASE.as_bytes().to_vec())
}

/// The passphrase, and what Argon2id makes of it for readers that do not have Argon2id.
fn stretched(sealed: &[u8]) -> Value {
    let (front, _) = PassphraseFront::split(sealed).unwrap();
    let stretched = argon2id(&front, PASSPHRASE.as_bytes());
    json!({ "passphrase": PASSPHRASE, "stretched": hex(stretched.expose()) })
}
