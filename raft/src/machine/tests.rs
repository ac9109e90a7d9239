#![allow(clippy::unwrap_used)]

use crate::registry::Registry;
use store::engine::memory::MemoryEngine;

use super::*;
use crate::metrics::NodeMetrics;

fn machine() -> StateMachine {
    let metrics = NodeMetrics::register(&mut Registry::default()).group(GroupId(2));
    let engine = Arc::new(MemoryEngine::new());
    StateMachine::new(Cell::open(engine, GroupId(2), metrics, FatalSignal::new()).unwrap(), 10_000)
}

/// Building a snapshot lets the log be purged, and a replica that is being sent the state needs the
/// entries behind it.
#[tokio::test]
async fn a_snapshot_waits_while_the_state_is_sent() {
    let mut machine = machine();
    let one = SnapshotData::pin(&machine.cell).await.unwrap();
    let other = SnapshotData::pin(&machine.cell).await.unwrap();
    assert!(machine.try_create_snapshot_builder(false).await.is_none());
    drop(one);
    assert!(machine.try_create_snapshot_builder(false).await.is_none());
    assert!(machine.try_create_snapshot_builder(true).await.is_some(), "an order is an order");
    drop(other);
    assert!(machine.try_create_snapshot_builder(false).await.is_some());
}

/// One transfer after another must not let the log grow without end.
#[tokio::test]
async fn a_snapshot_does_not_wait_for_ever() {
    let mut machine = machine();
    let _sending = SnapshotData::pin(&machine.cell).await.unwrap();
    assert!(machine.try_create_snapshot_builder(false).await.is_none());
    machine.put_off = machine.put_off.and_then(|since| since.checked_sub(PUT_OFF));
    assert!(machine.try_create_snapshot_builder(false).await.is_some());
    assert!(machine.try_create_snapshot_builder(false).await.is_none(), "the next one waits anew");
}

/// openraft counts on from there at the start, and at every later one.
#[test]
fn a_state_that_stands_where_nothing_can_is_damage() {
    let opened = |term, index| {
        let engine = Arc::new(MemoryEngine::new());
        let mut machine = Machine::open(engine.clone(), GroupId(2)).unwrap();
        let position = store::Position { term, leader: 1, index };
        machine.apply(&[store::Entry { position, payload: store::Payload::Blank }]).unwrap();
        let metrics = NodeMetrics::register(&mut Registry::default()).group(GroupId(2));
        Cell::open(engine, GroupId(2), metrics, FatalSignal::new())
    };
    assert!(opened(bounds::END - 1, bounds::END - 1).is_ok());
    for (term, index) in [(1, bounds::END), (1, u64::MAX), (u64::MAX, 1)] {
        let fault = opened(term, index).err().unwrap();
        assert_eq!(fault.damage(), Some(store::Damage::State), "{fault}");
    }
}
