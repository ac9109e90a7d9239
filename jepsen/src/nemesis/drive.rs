//! Puts the faults of a plan in at their times, takes them back, and writes both down.

use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    Act, Plan, Step,
    act::{self, Begun, Felt, NotBegun},
};
use crate::{
    history::{Fault, Phase, Planned, Recorder, State},
    world::{World, WorldError},
};

/// Between two looks at the nodes.
const LOOK: Duration = Duration::from_millis(100);

impl Act {
    /// Its name in histories.
    pub fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            Ok(Value::Object(fields)) => fields.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

impl Plan {
    /// The plan as it stands in the first line of a history.
    pub fn written(&self) -> Vec<Planned> {
        let planned = |step: &Step| {
            let mut more = Map::new();
            more.insert("at_ms".to_owned(), millis(step.at));
            more.insert("lasts_ms".to_owned(), millis(step.lasts));
            more.insert("act".to_owned(), serde_json::to_value(step.act).unwrap_or_default());
            Planned { fault: step.act.name(), more }
        };
        self.steps.iter().map(planned).collect()
    }
}

fn millis(time: Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

/// Goes through a plan. `began` is when the clients did. Afterwards every fault is taken back.
///
/// # Errors
/// The harness could not go on.
pub async fn drive(
    world: &mut World,
    plan: &Plan,
    recorder: &Recorder,
    began: Instant,
) -> Result<(), WorldError> {
    let mut waiting = plan.steps.iter().enumerate().collect::<std::collections::VecDeque<_>>();
    let mut in_place: BTreeMap<usize, Begun> = BTreeMap::new();
    while !waiting.is_empty() || !in_place.is_empty() {
        let now = began.elapsed();
        let due = in_place.keys().copied().find(|number| {
            let step = &plan.steps[*number];
            step.at + step.lasts <= now
        });
        if let Some(number) = due {
            if let Some(begun) = in_place.remove(&number) {
                end(world, &plan.steps[number], begun, recorder).await?;
            }
        } else if let Some((number, step)) = waiting.pop_front_if(|(_, step)| step.at <= now) {
            if let Some(begun) = begin(world, number, step, recorder).await? {
                in_place.insert(number, begun);
            }
        } else {
            world.supervise()?;
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

async fn begin(
    world: &mut World,
    number: usize,
    step: &Step,
    recorder: &Recorder,
) -> Result<Option<Begun>, WorldError> {
    let mut random = StdRng::seed_from_u64(step.seed);
    let mut fault = Fault {
        phase: Phase::Start,
        state: State::Installed,
        reason: String::new(),
        targets: Vec::new(),
        felt: Felt::new(),
    };
    match act::begin(world, &step.act, number, &mut random).await {
        Ok(begun) => {
            fault.targets.clone_from(&begun.targets);
            recorder.fault(&step.act.name(), &fault);
            Ok(Some(begun))
        }
        Err(NotBegun::Skipped(skipped)) => {
            fault.state = State::Skipped;
            fault.reason = skipped.to_string();
            recorder.fault(&step.act.name(), &fault);
            Ok(None)
        }
        Err(NotBegun::World(error)) => Err(error),
    }
}

async fn end(
    world: &mut World,
    step: &Step,
    begun: Begun,
    recorder: &Recorder,
) -> Result<(), WorldError> {
    let felt = begun.undo.end(world).await?;
    let fault = Fault {
        phase: Phase::Stop,
        state: State::Installed,
        reason: String::new(),
        targets: begun.targets,
        felt,
    };
    recorder.fault(&step.act.name(), &fault);
    Ok(())
}
