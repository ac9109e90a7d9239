//! The formats on disk and wire, frozen.
//!
//! `tests/formats/v001_*.hex` were written once, from the histories below, and are never edited: each
//! line is a name and bytes. What is written today must be the same, and what was written then must
//! be read. A file that is missing is written when `FREEZE=1` is set, by the release that begins a
//! new version.
//!
//! Every frozen value and command is also read and written again by [`independent`], which shares
//! nothing with the library that the codec uses: the bytes can outlive it.

use std::path::PathBuf;
use std::sync::Arc;

use store::command::{Placing, SystemCommand, SystemReply};
use store::engine::Direction;
use store::engine::memory::MemoryEngine;
use store::keys::Key;
use store::{
    Batch, Column, Command, Durability, Engine, Machine, Payload, Policy, Reader, Reply,
    StateDigest,
};
use types::ids::{GroupId, HeadHash, NodeId};
use types::member::MemberKind;
use types::node::NodeState;
use types::rejection::Rejection;

use crate::restore;
use crate::support::act::{act, bootstrap, node};
use crate::support::replica::{GROUP, Replica};
use crate::support::wallet::{Draft, Edit, device, locator, member, record};

use independent::Value;

mod independent;
mod shapes;

/// Every command, named, for group 0.
fn system_commands() -> Vec<(&'static str, Command)> {
    let placing = Placing {
        group: GroupId(3),
        replaces: 1,
        voters: [1, 2, 3].map(NodeId).into(),
        learners: vec![NodeId(4)],
    };
    let acts = vec![
        ("register_node", SystemCommand::RegisterNode(node("d", "dc1", 4))),
        ("update_node", {
            let (peer, endpoint) = ("d2.example:7001".into(), "https://d2.example:7000".into());
            SystemCommand::UpdateNode { node: NodeId(4), peer, endpoint }
        }),
        ("set_placement", SystemCommand::SetPlacement(placing)),
        (
            "set_node_state",
            SystemCommand::SetNodeState { node: NodeId(4), state: NodeState::Draining },
        ),
        ("set_policy", SystemCommand::SetPolicy(Policy { receipts: 300, ..Policy::default() })),
        ("allow_single_dc", SystemCommand::AllowSingleDc(true)),
        ("add_epoch", SystemCommand::AddEpoch { epoch: 1, commitment: [1; 32] }),
        ("add_second_epoch", SystemCommand::AddEpoch { epoch: 2, commitment: [2; 32] }),
        ("destroy_epoch", SystemCommand::DestroyEpoch { epoch: 1 }),
        (
            "note_backup",
            SystemCommand::NoteBackup {
                backup: [3; 32],
                verified: true,
                time_ms: 1_700_000_000_123,
            },
        ),
    ];
    let acts =
        (1..).zip(acts).map(|(number, (name, command))| (name, act(number, number, command)));
    std::iter::once(("bootstrap", bootstrap(Policy::default()))).chain(acts).collect()
}

/// Pushes that leave a row of every kind behind, for the group of the wallet.
fn wallet_commands() -> Vec<(&'static str, Command)> {
    let (phone, tablet) = (device("phone"), device("tablet"));
    let (code, revoker) =
        (member(MemberKind::RecoveryCode, "code"), member(MemberKind::Revoker, "revoker"));
    let write = |name: &str| Edit::Write(record(name), name.as_bytes().repeat(40));
    let draft = Draft::in_group(vec![phone, code, revoker]);
    let (create, draft) =
        draft.push(&phone, &[write("a"), write("b"), Edit::Add(tablet)], 1_700_000_000_123);
    let (change, draft) =
        draft.push(&tablet, &[write("a"), Edit::Remove(record("b"))], 1_700_000_001_000);
    let (heal, draft) =
        draft.heal(&phone, &[write("c")], &[HeadHash::from_bytes([8; 32])], 1_700_000_002_000);
    let (revoke, _) =
        draft.push(&code, &[Edit::Revoke(tablet.id()), Edit::Rotate], 1_700_000_003_000);
    let pushes = [("create", create), ("change", change), ("heal", heal), ("revoke", revoke)];
    pushes.map(|(name, push)| (name, Command::Push(Box::new(push)))).into()
}

/// Every step that brings a backup into a group, with one fact beyond it.
fn restore_commands() -> Vec<(&'static str, Command)> {
    let [_, wallets] = groups();
    let rows = restore::rows_of(&wallets);
    let place = wallets.reader().journal_end().unwrap();
    let fact = wallets.reader().journal(place - 1).unwrap().facts.remove(0);
    let (backup, first) = ([4; 32], 0);
    let acts = [
        ("begin_restore", SystemCommand::BeginRestore { backup }),
        (
            "restore_rows",
            SystemCommand::RestoreRows { backup, first, rows: restore::encode(&rows[..2]) },
        ),
        ("restore_facts", SystemCommand::RestoreFacts { backup, facts: vec![fact] }),
        (
            "finish_restore",
            SystemCommand::FinishRestore {
                backup,
                rows: rows.len() as u64,
                digest: StateDigest::from_bytes([5; 32]),
            },
        ),
    ];
    acts.map(|(name, command)| (name, act(1, 1, command))).into()
}

/// The two groups after all of it.
fn groups() -> [Replica; 2] {
    let mut system = Replica::in_memory(GroupId::SYSTEM);
    let mut wallets = Replica::in_memory(GROUP);
    for (name, command) in system_commands() {
        assert!(matches!(system.apply(&command), Reply::System(_)), "{name}");
    }
    wallets.apply(&bootstrap(Policy::default()));
    for (name, command) in wallet_commands() {
        let reply = wallets.apply(&command);
        assert!(matches!(reply, Reply::Pushed { .. }), "{name}: {reply:?}");
    }
    wallets.apply_payloads(vec![Payload::Membership(b"a membership".to_vec())]);
    [system, wallets]
}

fn rows(replica: &Replica) -> Vec<(Key, Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        rows.push((Key::decode(key).unwrap().1, key.to_vec(), value.to_vec()));
        std::ops::ControlFlow::Continue(())
    };
    replica.engine().scan(Column::State, &[], &[0xff; 8], Direction::Forward, visit).unwrap();
    rows
}

type Lines = Vec<(String, Vec<u8>)>;

fn all_rows() -> Lines {
    let rows = groups().iter().flat_map(rows).collect::<Vec<_>>();
    let lines = rows.into_iter().flat_map(|(kind, key, value)| {
        let name = kind.kind().replace(' ', "_");
        [(format!("key_of_{name}"), key), (name, value)]
    });
    lines.collect()
}

fn all_commands() -> Lines {
    let commands = system_commands().into_iter().chain(wallet_commands()).chain(restore_commands());
    commands.map(|(name, command)| (name.to_owned(), command.encode().unwrap())).collect()
}

/// Every reply, named, with every reason to say no.
fn replies() -> Vec<(&'static str, Reply)> {
    let (what, code) = ("records".to_owned(), "voters".to_owned());
    let (named, found) = (HeadHash::from_bytes([1; 32]), HeadHash::from_bytes([2; 32]));
    let message = "every majority must span two data centres".to_owned();
    let rejections = [
        ("not_found", Rejection::NotFound),
        ("exists", Rejection::Exists),
        ("conflict", Rejection::Conflict { named, found, found_seq: 300 }),
        ("member_inactive", Rejection::MemberInactive),
        ("rotation_due", Rejection::RotationDue),
        ("quota_full", Rejection::QuotaFull { what, limit: 10_000 }),
        ("wrong_group", Rejection::WrongGroup),
        ("request_reused", Rejection::RequestReused),
        ("too_old", Rejection::TooOld),
        ("erased", Rejection::Erased),
        ("refused", Rejection::Refused { code, message }),
    ];
    let done = [
        ("nothing", Reply::Nothing),
        ("pushed", Reply::Pushed { seq: 70_000, head: HeadHash::from_bytes([3; 32]) }),
        ("done", Reply::System(SystemReply::Done)),
        ("registered", Reply::System(SystemReply::Registered { node: NodeId(4) })),
        ("placed", Reply::System(SystemReply::Placed { version: 2 })),
        ("restored", Reply::System(SystemReply::Restored { rows: 300, finished: true })),
    ];
    let rejected = rejections.map(|(name, rejection)| (name, Reply::Rejected(rejection)));
    done.into_iter().chain(rejected).collect()
}

fn all_replies() -> Lines {
    replies().into_iter().map(|(name, reply)| (name.to_owned(), reply.encode())).collect()
}

fn all_frames() -> Lines {
    let mut lines = Vec::new();
    for mut group in groups() {
        let name = format!("frame_of_group_{}", group.machine().group());
        let mut source = group.machine().snapshot().unwrap();
        while let Some(frame) = source.next_frame().unwrap() {
            lines.push((name.clone(), frame));
        }
    }
    lines
}

fn all_leaves() -> Lines {
    let leaves = groups().into_iter().flat_map(|group| {
        let reader = group.reader();
        let leaf = move |n| reader.audit_leaf(n).unwrap();
        (0..).map_while(leaf).collect::<Vec<_>>()
    });
    leaves.map(|leaf| ("leaf".to_owned(), leaf)).collect()
}

/// The lines of a frozen file, after holding what is written today against them.
fn frozen(file: &str, today: &Lines) -> Lines {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(file);
    if !path.exists() && std::env::var_os("FREEZE").is_some() {
        let lines: String =
            today.iter().map(|(name, bytes)| format!("{name} {}\n", hex::encode(bytes))).collect();
        std::fs::write(&path, lines).unwrap();
    }
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Lines = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, bytes)| (name.to_owned(), hex::decode(bytes).unwrap()))
        .collect();
    for (now, then) in today.iter().zip(&lines) {
        assert_eq!(now, then, "{file}: written today, and frozen");
    }
    assert_eq!(today.len(), lines.len(), "{file}");
    lines
}

#[test]
fn rows_of_a_restore_are_written_as_ever() {
    let [_, wallets] = groups();
    let mut behind = Replica::in_memory(GROUP);
    behind.apply(&bootstrap(Policy::default()));
    let (name, first) = wallet_commands().remove(0);
    assert!(matches!(behind.apply(&first), Reply::Pushed { .. }), "{name}");
    let rows = restore::rows_of(&behind);
    let told = wallets.reader().journal(behind.reader().journal_end().unwrap()).unwrap().facts;
    let restored = restore::restored(&rows, told);
    let rows = self::rows(&restored).into_iter();
    let own = rows.filter(|(key, ..)| matches!(key, Key::Floor(_) | Key::Restore));
    let lines: Lines = own
        .flat_map(|(kind, key, value)| {
            shapes::of_row(&kind).check(kind.kind(), &value);
            let name = kind.kind().replace(' ', "_");
            [(format!("key_of_{name}"), key), (name, value)]
        })
        .collect();
    assert_eq!(frozen("v001_restore.hex", &lines).len(), 4);
}

#[test]
fn rows_are_written_as_ever() {
    let lines = frozen("v001_rows.hex", &all_rows());
    let kinds: std::collections::BTreeSet<_> = lines.iter().map(|(name, _)| name).collect();
    assert_eq!(
        kinds.len(),
        2 * 27,
        "a key and a value of every table but two, which only a restore writes"
    );
}

#[test]
fn rows_of_version_1_are_read() {
    let lines = frozen("v001_rows.hex", &all_rows());
    let engine = Arc::new(MemoryEngine::new());
    let mut batch = Batch::new();
    for pair in lines.chunks_exact(2) {
        batch.put(Column::State, &pair[0].1, &pair[1].1);
    }
    engine.write(batch, Durability::Unlogged).unwrap();
    let [system, wallets] = groups();
    for group in [&system, &wallets] {
        let machine = Machine::open(engine.clone(), group.reader().group()).unwrap();
        assert_eq!(machine.digest(), group.digest());
        assert_eq!(machine.reader().unwrap().recount().unwrap(), group.digest());
    }
    let (then, now) = (Reader::open(&*engine, GroupId::SYSTEM).unwrap(), system.reader());
    assert_eq!(then.cluster().unwrap(), now.cluster().unwrap());
    assert_eq!(then.nodes().unwrap(), now.nodes().unwrap());
    assert_eq!(then.placements().unwrap(), now.placements().unwrap());
    assert_eq!(then.epochs().unwrap(), now.epochs().unwrap());
    let (then, now) = (Reader::open(&*engine, GROUP).unwrap(), wallets.reader());
    let wallet = now.locator(locator("code")).unwrap()[0];
    assert_eq!(then.stored(wallet).unwrap(), now.stored(wallet).unwrap());
    assert_eq!(then.links(wallet, 0).unwrap(), now.links(wallet, 0).unwrap());
    assert_eq!(then.trail(wallet).unwrap(), now.trail(wallet).unwrap());
    assert_eq!(then.changes_since(wallet, 1).unwrap(), now.changes_since(wallet, 1).unwrap());
    assert_eq!(then.applied().unwrap(), now.applied().unwrap());
}

#[test]
fn commands_are_written_as_ever_and_read() {
    let lines = frozen("v001_commands.hex", &all_commands());
    let commands = system_commands().into_iter().chain(wallet_commands()).chain(restore_commands());
    for ((name, bytes), (_, command)) in lines.iter().zip(commands) {
        assert_eq!(Command::decode(bytes).unwrap(), command, "{name}");
    }
}

#[test]
fn replies_are_written_as_ever_and_read() {
    let lines = frozen("v001_replies.hex", &all_replies());
    for ((name, bytes), (_, reply)) in lines.iter().zip(replies()) {
        assert_eq!(Reply::decode(bytes).unwrap(), reply, "{name}");
    }
}

#[test]
fn snapshots_are_written_as_ever_and_taken_in() {
    let lines = frozen("v001_snapshot.hex", &all_frames());
    for group in groups() {
        let id = group.reader().group();
        let mut other = Replica::in_memory(id);
        let mut sink = other.machine().begin_install();
        let name = format!("frame_of_group_{id}");
        lines
            .iter()
            .filter(|(of, _)| *of == name)
            .for_each(|(_, frame)| sink.frame(frame).unwrap());
        other.machine().finish_install(sink).unwrap();
        assert_eq!(other.digest(), group.digest());
        other.check();
    }
}

#[test]
fn backups_are_written_as_ever_and_read() {
    let [mut system, mut wallets] = groups();
    let files = crate::backups::files([&mut system, &mut wallets]);
    crate::backups::read_frozen(&frozen("v001_backup.hex", &files));
}

#[test]
fn audit_leaves_are_written_as_ever() {
    frozen("v001_audit.hex", &all_leaves());
}

#[test]
fn an_independent_decoder_reads_every_row_and_writes_the_same_bytes() {
    for (key, _, value) in groups().iter().flat_map(rows) {
        shapes::of_row(&key).check(key.kind(), &value);
    }
}

#[test]
fn an_independent_decoder_reads_every_command_and_writes_the_same_bytes() {
    for (name, bytes) in all_commands() {
        shapes::command().check(&name, &bytes);
    }
}

#[test]
fn an_independent_decoder_reads_what_was_meant() {
    let [_, wallets] = groups();
    let is_it = |key: &Key| matches!(key, Key::Entry(_, id) if *id == record("a"));
    let (key, _, bytes) = rows(&wallets).into_iter().find(|(key, ..)| is_it(key)).unwrap();
    let Some(Value::List(fields)) = shapes::of_row(&key).read(&bytes) else {
        panic!("an entry has fields")
    };
    let [version, _, size, seq, _] = &fields[..] else { panic!("an entry has five of them") };
    assert_eq!([version, size, seq], [&Value::Number(2), &Value::Number(40), &Value::Number(2)]);
}
