//! The first reader of the frozen vectors: this crate, through its own door.

use serde_json::Value;
use types::{
    Accepted, Challenge, Commit, FormatError, HeadHash, LinkHash, Locator, Member, MemberSignature,
    Membership, RecordId, Secret, SignedHead, SignedLink, Stored, WalletId, WrappedSeal, accept,
};

use super::{File, UPDATE};
use crate::server::{DataKey, EpochKey, EpochKeys, OuterPlace};
use crate::{
    CodeError, DeviceKeys, ExportReader, LocalKey, MemberKeys, RecoveryCode, RevokerCode,
    SealError, Secret32, SoftwareMember, WalletKey, check_member, verify_challenge, verify_head,
    verify_link,
};

/// How a reading went wrong: may a newer version read it, or is it just refused?
#[derive(Debug, PartialEq)]
enum Refusal {
    Update,
    Refused,
}

impl From<FormatError> for Refusal {
    fn from(error: FormatError) -> Self {
        if error.is_update() { Self::Update } else { Self::Refused }
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Format(error) => error.into(),
            _ => Self::Refused,
        }
    }
}

impl From<types::Refused> for Refusal {
    fn from(error: types::Refused) -> Self {
        if error.is_update() { Self::Update } else { Self::Refused }
    }
}

macro_rules! refused {
    ($($error:ty),*) => {
        $(impl From<$error> for Refusal {
            fn from(_: $error) -> Self {
                Self::Refused
            }
        })*
    };
}
refused!(crate::SignatureRefused, types::LinkRefused, CodeError, (u32, types::LinkRefused));

impl File {
    /// Refuses every entry that must be, and for the reason it must be.
    fn refuse_all<T>(&self, read: impl Fn(&Value) -> Result<T, Refusal>) {
        for entry in &self.refuse {
            let expected = if entry["why"] == UPDATE { Refusal::Update } else { Refusal::Refused };
            assert_eq!(read(entry).err(), Some(expected), "{}", entry["name"]);
        }
    }

    fn accepted(&self, name: &Value) -> &Value {
        self.accept.iter().find(|entry| entry["name"] == *name).unwrap()
    }
}

fn bytes(entry: &Value, field: &str) -> Vec<u8> {
    let text = entry[field].as_str().unwrap_or_else(|| panic!("{field} in {}", entry["name"]));
    hex::decode(text).unwrap()
}

fn array<const N: usize>(entry: &Value, field: &str) -> [u8; N] {
    bytes(entry, field).try_into().unwrap()
}

fn number(entry: &Value, field: &str) -> u64 {
    entry[field].as_u64().unwrap()
}

pub(super) fn members(file: &File) {
    let read = |entry: &Value| -> Result<Member, Refusal> {
        let member = Member::parse(&bytes(entry, "bytes"))?;
        check_member(&member)?;
        Ok(member)
    };
    for entry in &file.accept {
        let member = read(entry).unwrap();
        assert_eq!(member.id().as_bytes()[..], bytes(entry, "id"));
        assert_eq!(member.kind() as u64, number(entry, "kind"));
        assert_eq!(member.encode(), bytes(entry, "bytes"));
    }
    file.refuse_all(read);
}

pub(super) fn codes(file: &File) {
    let read = |entry: &Value, field: &str| -> Result<([u8; 16], SoftwareMember), Refusal> {
        let text = entry[field].as_str().unwrap();
        Ok(if entry["kind"] == "recovery" {
            let code = RecoveryCode::parse(text)?;
            (*code.0.expose(), code.member_keys())
        } else {
            let code = RevokerCode::parse(text)?;
            (*code.0.expose(), code.member_keys())
        })
    };
    for entry in &file.accept {
        let (seed, keys) = read(entry, "text").unwrap();
        assert_eq!(seed, array(entry, "seed"));
        assert_eq!(read(entry, "typed").unwrap().0, seed);
        let shown = match &entry["kind"] {
            kind if kind == "recovery" => RecoveryCode(crate::SecretArray::new(&seed)).reveal(),
            _ => RevokerCode(crate::SecretArray::new(&seed)).reveal(),
        };
        assert_eq!(shown.as_str(), entry["text"]);
        assert_eq!(keys.member().encode(), bytes(entry, "member"));
        let locator = Locator::parse(&bytes(entry, "locator")).unwrap();
        assert_eq!(keys.member().locator(), Some(&locator));
        let (sign, seal) = keys.scalars();
        assert_eq!(sign.expose()[..], bytes(entry, "sign"));
        let seal = seal.map(|seal| hex::encode(seal.expose()));
        assert_eq!(seal.as_deref(), entry["seal"].as_str());
    }
    file.refuse_all(|entry| read(entry, "text"));
}

pub(super) fn challenges(file: &File) {
    let read = |entry: &Value| -> Result<Vec<u8>, Refusal> {
        let challenge = Challenge::parse(&bytes(entry, "challenge"))?;
        let member = Member::parse(&bytes(entry, "member"))?;
        let signature =
            MemberSignature { member: member.id(), signature: array(entry, "signature") };
        verify_challenge(&member, &challenge, &signature)?;
        Ok(challenge.encode())
    };
    for entry in &file.accept {
        assert_eq!(read(entry), Ok(bytes(entry, "challenge")), "{}", entry["name"]);
    }
    file.refuse_all(read);
}

pub(super) fn seals(file: &File) {
    let read = |entry: &Value| -> Result<WalletKey, Refusal> {
        let member = Member::parse(&bytes(entry, "member"))?;
        let keys = Opener { member, scalar: array(entry, "scalar") };
        let seal = WrappedSeal::parse(&bytes(entry, "seal"))?;
        let wallet = WalletId::parse(&bytes(entry, "wallet"))?;
        let generation = number(entry, "generation") as u32;
        let commit = array(entry, "wk_commit");
        Ok(WalletKey::open_seal(&keys, wallet, generation, &commit, &seal)?)
    };
    for entry in &file.accept {
        let opened = read(entry).unwrap();
        let raw = Secret32::new(&array(entry, "wallet_key"));
        let expected = WalletKey::new(*opened.wallet(), opened.generation(), raw);
        assert_eq!(opened.commit(), expected.commit());
    }
    file.refuse_all(|entry| read(entry).map(drop));
}

/// A member of whom only the seal key is at hand, as if it lived in hardware.
struct Opener {
    member: Member,
    scalar: [u8; 32],
}

impl MemberKeys for Opener {
    fn member(&self) -> &Member {
        &self.member
    }
    fn sign(&self, _: &mut dyn rand::CryptoRng, _: &[u8]) -> Result<[u8; 64], SealError> {
        Err(SealError::KeyUnavailable("this key only opens".into()))
    }
    fn agree(&self, peer: &types::PublicKey) -> Result<Secret32, SealError> {
        let key = crate::hazmat::AgreementKey::from_scalar(&self.scalar).unwrap();
        key.agree(peer.as_bytes()).ok_or(SealError::DoesNotOpen)
    }
}

pub(super) fn envelopes(file: &File) {
    for entry in &file.accept {
        let bytes_ = bytes(entry, "bytes");
        assert_eq!(open(file, entry, &bytes_), Ok(bytes(entry, "content")), "{}", entry["name"]);
    }
    file.refuse_all(|entry| open(file, file.accepted(&entry["of"]), &bytes(entry, "bytes")));
}

/// Opens `sealed` where the accepted envelope `entry` stands; gives the content.
fn open(file: &File, entry: &Value, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let wallet = WalletId::parse(&bytes(entry, "wallet")).unwrap();
    let id = RecordId::parse(&bytes(entry, "id")).unwrap();
    let (version, generation) = (number(entry, "version"), number(entry, "generation") as u32);
    let key = || Secret32::new(&array(entry, "key"));
    let passphrase = || Secret::new(entry["passphrase"].as_str().unwrap().as_bytes().to_vec());
    let secret = match number(entry, "purpose") {
        1 => WalletKey::new(wallet, generation, key()).open_record(&id, version, sealed)?,
        2 => {
            let commit = array(entry, "wk_commit");
            let opened = WalletKey::new(wallet, generation, key()).open_history(sealed, &commit)?;
            assert_eq!(opened.generation(), generation - 1);
            return Ok(bytes(entry, "content"));
        }
        3 => {
            let inner = bytes(entry, "inner_key");
            let place = OuterPlace { table: number(entry, "table") as u8, key: &inner, version };
            let sealed = sealed.to_vec().into();
            return Ok(DataKey::from_key(key()).open(&wallet, &place, &sealed)?);
        }
        4 => LocalKey::from_key(key()).open(&wallet, &id, version, sealed)?,
        5 => return open_export(file, entry, &passphrase(), &wallet, sealed),
        6 => {
            let device = types::MemberId::from_bytes(*id.as_bytes());
            DeviceKeys::open(&passphrase(), &device, sealed)?.to_plain()
        }
        7 => {
            let epoch = epoch_key(generation, key().expose());
            let opened = epoch.open(&wallet, &sealed.to_vec().into())?;
            return Ok(opened.key().expose().to_vec());
        }
        8 => {
            let opened = EpochKey::from_sealed_file(&passphrase(), sealed)?;
            if opened.epoch() != generation {
                return Err(Refusal::Refused);
            }
            Secret::new(opened.to_file().expose()[11..].to_vec())
        }
        other => panic!("purpose {other}"),
    };
    Ok(secret.expose().to_vec())
}

fn epoch_key(epoch: u32, key: &[u8]) -> EpochKey {
    let file = [&b"HFek\x01\x00\x01"[..], &epoch.to_be_bytes(), key].concat();
    EpochKey::from_file(&Secret::new(file)).unwrap()
}

fn open_export(
    file: &File,
    entry: &Value,
    passphrase: &Secret,
    wallet: &WalletId,
    sealed: &[u8],
) -> Result<Vec<u8>, Refusal> {
    if number(entry, "version") == 1 {
        let (_, manifest) = ExportReader::begin(passphrase, wallet, sealed)?;
        return Ok(manifest.expose().to_vec());
    }
    let first = bytes(file.accepted(&"export manifest".into()), "bytes");
    let (mut reader, _) = ExportReader::begin(passphrase, wallet, &first)?;
    Ok(reader.part(sealed)?.expose().to_vec())
}

fn signed_link(entry: &Value) -> Result<SignedLink, Refusal> {
    Ok(SignedLink::parse(&bytes(entry, "link"), &bytes(entry, "signatures"))?)
}

/// The membership after `link`, signatures and all.
fn admit(before: Option<&Membership>, link: &SignedLink) -> Result<Membership, Refusal> {
    let after = match before {
        None => Membership::genesis(link)?,
        Some(before) => {
            let mut after = before.clone();
            after.admit(link)?;
            after
        }
    };
    verify_link(&after, link)?;
    Ok(after)
}

pub(super) fn links(file: &File) {
    let mut memberships: Vec<Membership> = vec![];
    for entry in &file.accept {
        let link = signed_link(entry).unwrap();
        let after = admit(memberships.last(), &link).unwrap();
        assert_eq!(link.hash(), LinkHash::parse(&bytes(entry, "hash")).unwrap());
        assert_eq!(after.wallet().as_bytes()[..], bytes(entry, "wallet"));
        assert_eq!(u64::from(after.generation()), number(entry, "generation"));
        assert_eq!(after.rotation_due(), entry["rotation_due"]);
        let mut active: Vec<_> = after.active_members().map(|state| state.id.to_string()).collect();
        active.sort();
        assert_eq!(serde_json::json!(active), entry["active"]);
        memberships.push(after);
    }
    file.refuse_all(|entry| {
        let before = (number(entry, "after") as usize).checked_sub(1).map(|at| &memberships[at]);
        admit(before, &signed_link(entry)?)
    });
}

/// What is held after a commit.
type Held = (SignedHead, Accepted);

fn take(before: Option<&Held>, entry: &Value) -> Result<Held, Refusal> {
    let list = |field: &str| entry[field].as_array().unwrap().iter();
    let decoded = |field: &str| -> Vec<Vec<u8>> {
        list(field).map(|text| hex::decode(text.as_str().unwrap()).unwrap()).collect()
    };
    let ids = decoded("removed").iter().map(|id| RecordId::parse(id)).collect::<Result<_, _>>()?;
    let between = decoded("between").into_iter().map(|id| HeadHash::parse(&id));
    let commit = Commit {
        head: SignedHead::parse(&bytes(entry, "head"), &bytes(entry, "signature"))?,
        between: between.collect::<Result<_, _>>()?,
        links: list("links").map(signed_link).collect::<Result<_, _>>()?,
        envelopes: decoded("envelopes"),
        removed: ids,
    };
    let stored = before.map(|(head, held)| Stored {
        head: head.head(),
        head_hash: head.hash(),
        history: &held.history,
        membership: &held.membership,
        entries: &held.entries,
    });
    let accepted = accept(stored.as_ref(), &commit)?;
    for link in &commit.links {
        verify_link(&accepted.membership, link)?;
    }
    verify_head(&accepted.membership, &commit.head)?;
    Ok((commit.head, accepted))
}

pub(super) fn commits(file: &File) {
    let mut held: Vec<Held> = vec![];
    let before = |held: &[Held], entry: &Value| {
        (number(entry, "after") as usize).checked_sub(1).map(|at| held[at].clone())
    };
    for entry in &file.accept {
        let after = take(before(&held, entry).as_ref(), entry)
            .unwrap_or_else(|error| panic!("{error:?} {}", entry["name"]));
        assert_eq!(after.0.hash().as_bytes()[..], bytes(entry, "hash"));
        let entries = after.1.entries.as_slice().iter().map(|entry| {
            serde_json::json!([entry.id.to_string(), entry.version, entry.body_hash.to_string()])
        });
        assert_eq!(serde_json::Value::from_iter(entries), entry["entries"]);
        if number(entry, "after") as usize == held.len() {
            held.push(after);
        }
    }
    file.refuse_all(|entry| take(before(&held, entry).as_ref(), entry).map(drop));
}
