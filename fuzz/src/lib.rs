//! What every parser is held to, whatever it is given.
//!
//! Promises of each function here: no input makes it panic; what is signed or hashed, and was read, is
//! written again as the very bytes that were read, so that no such object has two forms; anything else
//! comes back as the same value. libFuzzer drives them in `targets/`, with a short campaign in `make test`
//! and a longer one in `make fuzz`; `tests/corpus.rs` drives them with what was frozen and with damaged
//! copies of it.
//!
//! Parsers that are private to `raft` and `api` are reached in builds with `--cfg fuzzing` only, which
//! those for libFuzzer are; in all builds they have property tests beside them.

#![allow(clippy::panic, clippy::expect_used, reason = "a finding is a panic")]

use std::path::PathBuf;
use std::sync::Arc;

use client::Record;
use client::credential::{Credential, Format};
use prost::Message;
use proto::v1;
use seal::{DeviceKeys, EpochKey, RecoveryCode, RevokerCode, ServerKeyring, Session, dpop};
use server::config::Config;
use server::settings::Source;
use store::audit::AuditRecord;
use store::backup::{Manifest, Reach, Segment, SignedFile, SignedKind, chunk};
use store::engine::memory::MemoryEngine;
use store::keys::Key;
use store::{Command, Machine, Reply};
use types::{
    Challenge, Commit, Envelope, GroupId, Head, Link, Member, MemberSignature, PassphraseFront,
    PublicKey, Secret, SignedHead, SignedLink, WrappedSeal,
};

/// Objects that are signed or sealed, and how they are stored.
pub fn signed(data: &[u8]) {
    if let Ok(member) = Member::parse(data) {
        assert_eq!(member.encode(), data, "a member has one form");
    }
    if let Ok(head) = Head::parse(data) {
        assert_eq!(head.encode(), data, "a head has one form");
    }
    if let Ok(head) = SignedHead::from_stored(data) {
        assert_eq!(head.to_stored(), data, "a signed head has one form");
    }
    if let Ok(link) = Link::parse(data) {
        assert_eq!(link.encode().as_deref(), Ok(data), "a link has one form");
    }
    if let Ok(link) = SignedLink::from_stored(data) {
        assert_eq!(link.to_stored(), data, "a signed link has one form");
    }
    if let Ok(challenge) = Challenge::parse(data) {
        assert_eq!(challenge.encode(), data, "a challenge has one form");
    }
    if let Ok(seal) = WrappedSeal::parse(data) {
        assert_eq!(seal.encode(), data, "a seal has one form");
    }
    if let Ok(signature) = MemberSignature::parse(data) {
        assert_eq!(signature.encode(), data, "a signature has one form");
    }
    if let Ok(envelope) = Envelope::parse(data) {
        assert!(data.starts_with(&envelope.header.encode()), "a header has one form");
    }
    if let Ok((front, rest)) = PassphraseFront::split(data) {
        assert_eq!([front.encode().as_slice(), rest].concat(), data, "a front has one form");
    }
    let _ = PublicKey::parse(data);
}

/// Texts of strangers, and key files: codes, tokens, proofs.
pub fn texts(data: &[u8]) {
    let secret = Secret::new(data.to_vec());
    if let Ok(key) = EpochKey::from_file(&secret) {
        assert_eq!(key.to_file().expose(), data, "a key file has one form");
    }
    if let Ok(keys) = DeviceKeys::from_plain(&secret) {
        assert_eq!(keys.to_plain().expose(), data, "device keys have one form");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(code) = RecoveryCode::parse(text) {
        let shown = code.reveal();
        let again = RecoveryCode::parse(shown.as_str()).expect("what is shown is read");
        assert_eq!(again.reveal().as_str(), shown.as_str());
    }
    let _ = RevokerCode::parse(text);
    let request = dpop::Request { method: "POST", uri: "/holdfast.v1.Wallets/Pull", token: "t" };
    assert!(dpop::check(text, &request, 1_700_000_000).is_err(), "nobody has signed this");
    let locked = ServerKeyring::locked();
    assert!(Session::check(&locked, text, 0).is_err(), "a locked server takes no token");
}

/// What is replicated and what is stored: commands, replies, audit leaves, keys.
pub fn commands(data: &[u8]) {
    if let Ok(command) = Command::decode(data) {
        let again = command.encode().ok().and_then(|bytes| Command::decode(&bytes).ok());
        assert_eq!(again, Some(command), "a command comes back");
    }
    if let Ok(reply) = Reply::decode(data) {
        assert_eq!(Reply::decode(&reply.encode()).ok(), Some(reply), "a reply comes back");
    }
    if let Ok((prefix, key)) = Key::decode(data) {
        assert_eq!(&key.encode(prefix)[..], data, "a key has one form");
    }
    if let Ok(leaf) = AuditRecord::parse(data) {
        assert_eq!(leaf.encode().as_slice(), data, "a leaf has one form");
    }
}

/// A snapshot as a peer might send it: each frame behind its length in three bytes.
pub fn snapshots(data: &[u8]) {
    let engine = Arc::new(MemoryEngine::new());
    let mut machine = Machine::open(engine, GroupId(2)).expect("an empty group opens");
    let before = machine.digest();
    let mut sink = machine.begin_install();
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<3>() {
        let length = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize;
        let (frame, behind) = behind.split_at(length.min(behind.len()));
        if sink.frame(frame).is_err() {
            assert_eq!(machine.digest(), before, "a refused snapshot changes nothing");
            return;
        }
        rest = behind;
    }
    if machine.finish_install(sink).is_ok() {
        let counted = machine.reader().and_then(|reader| reader.recount());
        assert_eq!(counted.ok(), Some(machine.digest()), "the digest is that of the state");
    } else {
        assert_eq!(machine.digest(), before, "a refused snapshot changes nothing");
    }
}

/// A file of an archive: whatever parses is written back as it was.
pub fn backups(data: &[u8]) {
    let _ = chunk::read_keyed(data);
    if let Ok(file) = SignedFile::parse(SignedKind::Manifest, data)
        && let Ok(manifest) = Manifest::parse(file.content)
    {
        assert_eq!(manifest.encode(), file.content, "a manifest has one form");
    }
    if let Ok(file) = SignedFile::parse(SignedKind::Segment, data)
        && let Ok(segment) = Segment::parse(file.content)
    {
        assert_eq!(segment.encode(), file.content, "a segment has one form");
    }
    if let Ok(file) = SignedFile::parse(SignedKind::Reach, data)
        && let Ok(reach) = Reach::parse(file.content)
    {
        assert_eq!(reach.encode(), file.content, "a reach has one form");
    }
}

/// Requests as a stranger sends them: a byte to choose the message, then the message.
pub fn requests(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    match kind % 7 {
        0 => drop(v1::CreateRequest::decode(body).map(|request| commit(request.commit))),
        1 => drop(v1::PushRequest::decode(body).map(|request| commit(request.commit))),
        2 => drop(v1::PullRequest::decode(body)),
        3 => drop(v1::OpenSessionRequest::decode(body)),
        4 => drop(v1::SignedHead::decode(body).map(|head| SignedHead::try_from(&head).is_ok())),
        5 => drop(v1::SignedLink::decode(body).map(|link| SignedLink::try_from(&link).is_ok())),
        _ => drop(v1::PullReply::decode(body)),
    }
}

fn commit(commit: Option<v1::Commit>) {
    let Some(Ok(commit)) = commit.as_ref().map(Commit::try_from) else { return };
    let again = v1::Commit::from(&commit);
    assert!(Commit::try_from(&again).is_ok(), "what was read can be sent on");
}

/// Credentials as an issuer, or a thief, may have made them, and records as another device wrote them.
pub fn credentials(data: &[u8]) {
    for format in [Format::SdJwtVc, Format::Mdoc, Format::HolderKey, Format::Opaque] {
        let _ = Credential::read_as(format, data);
    }
    let _ = Credential::read(data);
    if let Ok(record) = Record::decode(data) {
        let written = record.encode();
        let again = Record::decode(&written).expect("what was written is read");
        assert_eq!(again, record, "a record comes back");
    }
}

/// What peers say to each other.
#[cfg(fuzzing)]
pub fn peers(data: &[u8]) {
    raft::fuzzing::said(data);
}

/// What stands in the log of a group, and in the files beside it.
#[cfg(fuzzing)]
pub fn logs(data: &[u8]) {
    raft::fuzzing::stored(data);
}

/// Requests over HTTP/JSON.
#[cfg(fuzzing)]
pub fn json(data: &[u8]) {
    api::fuzzing::request(data);
}

/// A configuration file.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = PathBuf::from("/nowhere/config.toml");
    if let Ok(source) = Source::parse(file, text.to_owned()) {
        let _ = Config::check(source);
    }
}
