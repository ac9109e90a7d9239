//! Replicas that apply the same log end in the same bytes, whatever happens to them in between.

use proptest::prelude::*;
use store::engine::memory::Crash;
use store::{Command, Payload, Reply};

use crate::support::history::{Step, World, step};
use crate::support::replica::{GROUP, Replica};

#[derive(Clone, Debug)]
enum Event {
    /// Commands, applied one by one here and as one run there.
    Run(Vec<Step>),
    Flush,
    Crash(Crash),
    Snapshot,
    Blank,
    Membership(Vec<u8>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => prop::collection::vec(step(), 1..8).prop_map(Event::Run),
        1 => Just(Event::Flush),
        2 => prop_oneof![Just(Crash::Process), Just(Crash::Power)].prop_map(Event::Crash),
        1 => Just(Event::Snapshot),
        1 => Just(Event::Blank),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Event::Membership),
    ]
}

struct Pair {
    world: World,
    steady: Replica,
    shaky: Replica,
}

impl Pair {
    fn new(shaky: Replica) -> Self {
        let mut pair = Pair { world: World::new(), steady: Replica::in_memory(GROUP), shaky };
        let begin = pair.world.bootstrap();
        assert_eq!(pair.steady.apply(&begin), pair.shaky.apply(&begin));
        pair
    }

    fn take(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Run(steps) => {
                let commands: Vec<Command> = steps
                    .iter()
                    .filter_map(|step| self.world.take(step))
                    .map(|(command, _)| command)
                    .collect();
                let one_by_one: Vec<Reply> =
                    commands.iter().map(|command| self.steady.apply(command)).collect();
                prop_assert_eq!(self.shaky.apply_all(&commands), one_by_one);
            }
            Event::Flush => {
                let position = self.shaky.machine().flush().unwrap();
                prop_assert_eq!(position, self.steady.machine().applied().position);
            }
            Event::Crash(crash) => self.shaky.restart(*crash),
            Event::Snapshot => self.shaky.install(&self.steady),
            Event::Blank => self.both(Payload::Blank),
            Event::Membership(bytes) => self.both(Payload::Membership(bytes.clone())),
        }
        prop_assert_eq!(self.steady.digest(), self.shaky.digest());
        prop_assert_eq!(self.steady.machine().applied(), self.shaky.machine().applied());
        Ok(())
    }

    fn both(&mut self, payload: Payload) {
        for replica in [&mut self.steady, &mut self.shaky] {
            assert_eq!(replica.apply_payloads(vec![payload.clone()]), [Reply::Nothing]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn replicas_agree_when_one_crashes(events in prop::collection::vec(event(), 1..24)) {
        let mut pair = Pair::new(Replica::in_memory(GROUP));
        for event in &events {
            pair.take(event)?;
        }
        pair.steady.check();
        pair.shaky.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn replicas_agree_when_one_is_on_disk(events in prop::collection::vec(event(), 1..16)) {
        let mut pair = Pair::new(Replica::on_disk(GROUP));
        for event in &events {
            pair.take(event)?;
        }
        pair.steady.check();
        pair.shaky.check();
    }
}

#[test]
fn a_flushed_state_needs_no_log() {
    let mut world = World::new();
    let mut replica = Replica::on_disk(GROUP);
    replica.apply(&world.bootstrap());
    for wallet in 0..3 {
        let (writes, removes) = (vec![(1, 100), (2, 200)], Vec::new());
        let by = crate::support::history::By::Phone;
        let links = crate::support::history::Links::None;
        let step = Step::Push { wallet, behind: 0, by, writes, removes, links };
        replica.apply(&world.take(&step).unwrap().0);
    }
    let durable = replica.machine().flush().unwrap();
    assert_eq!(durable, replica.machine().applied().position);
    let digest = replica.digest();
    replica.forget_log();
    replica.restart(Crash::Process);
    assert_eq!(replica.machine().applied().position, durable);
    assert_eq!(replica.digest(), digest);
    replica.check();
}
