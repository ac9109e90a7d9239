//! Snapshots: what arrives is what was sent, or nothing is taken in.

use std::sync::Arc;

use store::engine::memory::{Crash, MemoryEngine};
use store::engine::rocks::RocksEngine;
use store::snapshot::{SnapshotRefused, format};
use store::{Column, Engine, EngineView, Machine, Policy, SnapshotError, SnapshotSource};
use types::ids::GroupId;

use crate::support::act;
use crate::support::faulty::FaultyEngine;
use crate::support::replica::{GROUP, Replica, SMALL, copy_of};
use crate::support::wallet::{Draft, Edit, device, record};

/// A replica with one wallet of `records` records, some of them large.
fn filled(records: usize) -> Replica {
    let mut replica = Replica::in_memory(GROUP);
    replica.apply(&act::bootstrap(Policy::default()));
    let phone = device("phone");
    let mut draft = Draft::in_group(vec![phone]);
    for n in 0..records {
        let body = vec![n as u8; 1 + (n * 37_003) % 200_000];
        let (push, next) = draft.push(&phone, &[Edit::Write(record(&n.to_string()), body)], 1_000);
        let reply = replica.apply(&store::Command::Push(Box::new(push)));
        assert!(matches!(reply, store::Reply::Pushed { .. }), "{reply:?}");
        draft = next;
    }
    replica
}

fn frames(replica: &mut Replica) -> Vec<Vec<u8>> {
    let mut source = replica.machine().snapshot().unwrap();
    std::iter::from_fn(|| source.next_frame().unwrap()).collect()
}

fn take(machine: &Machine, frames: &[Vec<u8>]) -> Result<store::SnapshotSink, SnapshotError> {
    let mut sink = machine.begin_install();
    frames.iter().try_for_each(|frame| sink.frame(frame))?;
    Ok(sink)
}

fn refusal(error: SnapshotError) -> SnapshotRefused {
    match error {
        SnapshotError::Refused(why) => why,
        SnapshotError::Fault(fault) => panic!("a bad snapshot is not this node's fault: {fault}"),
    }
}

/// How many keys of the state there are, of any life of any group.
fn keys(engine: &dyn EngineView) -> usize {
    let mut count = 0;
    engine
        .scan(Column::State, &[], &[0xff; 8], store::engine::Direction::Forward, &mut |_, _| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    count
}

#[test]
fn a_snapshot_shows_the_moment_it_was_taken() {
    let mut replica = filled(3);
    let mut source = replica.machine().snapshot().unwrap();
    let digest = replica.digest();
    replica.apply(&act::act(1, 0, store::command::SystemCommand::SetPolicy(Policy::FLOOR)));
    assert_ne!(replica.digest(), digest);
    let mut other = Replica::in_memory(GROUP);
    let mut sink = other.machine().begin_install();
    while let Some(frame) = source.next_frame().unwrap() {
        assert!(frame.len() <= format::FRAME_MAX);
        sink.frame(&frame).unwrap();
    }
    other.machine().finish_install(sink).unwrap();
    assert_eq!(other.digest(), digest);
    other.check();
}

#[test]
fn a_large_state_comes_in_many_frames_and_an_empty_one_in_two() {
    let mut replica = filled(40);
    let sent = frames(&mut replica);
    assert!(sent.len() > 10, "{} frames", sent.len());
    assert!(sent.iter().all(|frame| frame.len() < format::FRAME_TARGET + 300_000));
    let empty = frames(&mut Replica::in_memory(GROUP));
    assert_eq!(empty.len(), 2);
    let mut other = Replica::in_memory(GROUP);
    let sink = take(other.machine(), &empty).unwrap();
    let meta = other.machine().finish_install(sink).unwrap();
    assert_eq!((meta.group, meta.position), (GROUP, None));
}

#[test]
fn every_flipped_byte_of_every_frame_is_refused() {
    let mut replica = filled(2);
    let sent = frames(&mut replica);
    let mut other = Replica::in_memory(GROUP);
    for (at, frame) in sent.iter().enumerate() {
        // Every byte of the frame's own fields; of the rest, one in a hundred.
        for byte in (0..frame.len())
            .filter(|byte| *byte < 100 || byte % 101 == 0 || *byte + 5 > frame.len())
        {
            let mut damaged = sent.clone();
            damaged[at][byte] ^= 1 << (byte % 8);
            let error = take(other.machine(), &damaged).map(|_| ()).unwrap_err();
            assert!(
                matches!(refusal(error), SnapshotRefused::Frame { number, .. } if number == at as u64)
            );
        }
    }
    assert_eq!(keys(&**other.engine()), 0, "what was refused leaves nothing behind");
}

#[test]
fn cut_repeated_moved_and_missing_frames_are_refused() {
    let mut replica = filled(12);
    let sent = frames(&mut replica);
    let mut other = Replica::in_memory(GROUP);
    let error = take(other.machine(), &[sent[0].clone(), sent[2].clone()]).map(|_| ()).unwrap_err();
    assert!(matches!(refusal(error), SnapshotRefused::Frame { number: 1, .. }));
    let error = take(other.machine(), &[sent[0].clone(), sent[0].clone()]).map(|_| ()).unwrap_err();
    assert!(matches!(refusal(error), SnapshotRefused::Frame { number: 1, .. }));
    for cut in [0, 1, 17, sent[1].len() - 1] {
        let error = take(other.machine(), &[sent[0].clone(), sent[1][..cut].to_vec()])
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(refusal(error), SnapshotRefused::Frame { number: 1, .. }));
    }
    for short in 0..sent.len() {
        let sink = take(other.machine(), &sent[..short]).unwrap();
        assert_eq!(sink.verify().unwrap_err(), SnapshotRefused::Unfinished);
        let error = other.machine().finish_install(sink).unwrap_err();
        assert_eq!(refusal(error), SnapshotRefused::Unfinished);
    }
    let mut more = take(other.machine(), &sent).unwrap();
    assert!(more.frame(sent.last().unwrap()).is_err(), "nothing follows the end");
    drop(more);
    assert_eq!(keys(&**other.engine()), 0);
}

#[test]
fn a_snapshot_of_another_group_is_refused() {
    let sent = frames(&mut filled(1));
    let mut other = Replica::in_memory(GroupId(7));
    let error = take(other.machine(), &sent).map(|_| ()).unwrap_err();
    assert_eq!(refusal(error), SnapshotRefused::Group { found: GROUP, expected: GroupId(7) });
}

#[test]
fn a_snapshot_that_is_older_than_the_state_is_refused() {
    let mut replica = filled(1);
    let old = frames(&mut replica);
    replica.apply(&act::act(1, 0, store::command::SystemCommand::SetPolicy(Policy::FLOOR)));
    let digest = replica.digest();
    let sink = take(replica.machine(), &old).unwrap();
    let error = replica.machine().finish_install(sink).unwrap_err();
    assert_eq!(refusal(error), SnapshotRefused::Older);
    assert_eq!(replica.digest(), digest);
    replica.check();
}

#[test]
fn rows_that_are_not_what_the_header_announced_are_refused() {
    // The header of one state in front of the rows of another, which has as many.
    let policy = |policy: Policy| {
        let mut replica = Replica::in_memory(GROUP);
        replica.apply(&act::bootstrap(policy));
        frames(&mut replica)
    };
    let (one, other) = (policy(Policy::default()), policy(Policy::FLOOR));
    let mut replica = Replica::in_memory(GROUP);
    let sink = take(replica.machine(), &[&one[..1], &other[1..]].concat()).unwrap();
    assert_eq!(sink.verify().unwrap_err(), SnapshotRefused::Digest, "found before it is installed");
    let error = replica.machine().finish_install(sink).unwrap_err();
    assert_eq!(refusal(error), SnapshotRefused::Digest);
    let mut short = one.clone();
    short.remove(1);
    let error = take(replica.machine(), &short).map(|_| ()).unwrap_err();
    assert!(matches!(refusal(error), SnapshotRefused::Frame { number: 1, .. }));
}

#[test]
fn two_snapshots_can_be_received_at_once() {
    let sent = frames(&mut filled(4));
    let mut other = Replica::in_memory(GROUP);
    let mut slow = other.machine().begin_install();
    slow.frame(&sent[0]).unwrap();
    slow.frame(&sent[1]).unwrap();
    let quick = take(other.machine(), &sent).unwrap();
    other.machine().finish_install(quick).unwrap();
    other.check();
    sent[2..].iter().for_each(|frame| slow.frame(frame).unwrap());
    other.machine().finish_install(slow).unwrap();
    other.check();
    let rows = keys(&**other.engine());
    other.restart(Crash::Power);
    assert_eq!(keys(&**other.engine()), rows, "no life but the present one is left");
}

/// The disk fails after each possible number of steps, then power is lost: the group is afterwards
/// what it was, or the snapshot, and never anything else; and fetching again succeeds.
#[test]
fn an_install_killed_at_any_step_leaves_the_old_state_or_the_new() {
    kill_at_every_step(1, || {
        let memory = Arc::new(MemoryEngine::new());
        let crash = memory.clone();
        let after = move || -> Left {
            crash.crash(Crash::Power);
            (crash, None)
        };
        (memory, after)
    });
}

/// The same on disk, where the process dies.
#[test]
fn an_install_on_disk_killed_at_any_step_leaves_the_old_state_or_the_new() {
    kill_at_every_step(3, || {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(RocksEngine::open(directory.path(), SMALL).unwrap());
        let after = move || -> Left {
            let copy = copy_of(directory.path());
            (Arc::new(RocksEngine::open(copy.path(), SMALL).unwrap()), Some(copy))
        };
        (engine, after)
    });
}

/// What a crash leaves: the engine that comes back, and the folder it needs.
type Left = (Arc<dyn Engine>, Option<tempfile::TempDir>);

/// Runs the install with an engine that fails after 0, `stride`, 2 `stride`, … steps. `make` gives an
/// engine, and what to call for what a crash leaves of it.
fn kill_at_every_step<E: Engine + 'static, A: FnOnce() -> Left>(
    stride: usize,
    make: impl Fn() -> (Arc<E>, A),
) {
    let sent = frames(&mut filled(12));
    let new = SnapshotSource::open(&**filled(12).engine(), GROUP).unwrap().meta().digest;
    let (mut olds, mut news) = (0, 0);
    for steps in (0..).step_by(stride) {
        let (engine, crash) = make();
        let old = begin(engine.clone());

        let faulty = Arc::new(FaultyEngine::new(engine.clone(), steps));
        let opened = Machine::open(faulty.clone(), GROUP);
        let outcome = opened.map_err(SnapshotError::from).and_then(|mut machine| {
            let sink = take(&machine, &sent)?;
            machine.finish_install(sink)
        });
        assert_eq!(outcome.is_err(), faulty.failed());
        let finished = !faulty.failed();
        let (back, _folder) = crash();

        let mut machine = Machine::open(back, GROUP).unwrap();
        let digest = machine.digest();
        assert_eq!(machine.reader().unwrap().recount().unwrap(), digest);
        assert!(digest == old || digest == new, "neither old nor new after {steps} steps");
        *(if digest == old { &mut olds } else { &mut news }) += 1;

        let sink = take(&machine, &sent).unwrap();
        machine.finish_install(sink).unwrap();
        assert_eq!(machine.digest(), new);
        assert_eq!(machine.reader().unwrap().recount().unwrap(), new);
        if finished {
            break;
        }
    }
    assert!(olds > 2 && news >= 1, "{olds} times the old state, {news} times the new one");
}

/// A group that began and is durable; its digest.
fn begin(engine: Arc<dyn Engine>) -> store::StateDigest {
    let mut machine = Machine::open(engine, GROUP).unwrap();
    let command = act::bootstrap(Policy::FLOOR).encode().unwrap();
    let position = store::Position { term: 1, leader: 1, index: 0 };
    let payload = store::Payload::Command(command);
    machine.apply(&[store::Entry { position, payload }]).unwrap();
    machine.flush().unwrap();
    machine.digest()
}
