//! Puts the faults of a plan in at their times, takes them back, and writes both down.

use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    Act, CALM, Plan, Step,
    act::{self, Begun, NotBegun},
};
use crate::{
    history::{Fault, Phase, Planned, Recorder, State},
    world::{World, WorldError},
};

/// How long a fault lasts at least that begins late, because those before it took their time.
const LEAST: Duration = Duration::from_secs(2);
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
    let mut waiting = plan.steps.iter().enumerate().collect::<VecDeque<_>>();
    let mut in_place: BTreeMap<usize, (Begun, Duration)> = BTreeMap::new();
    let mut calms = plan.calms.iter().copied().collect::<VecDeque<_>>();
    let mut over = Duration::ZERO;
    while !waiting.is_empty() || !in_place.is_empty() || !calms.is_empty() {
        world.supervise()?;
        let now = began.elapsed();
        // Faults may have taken longer than planned: it is calm for as long all the same.
        let calm = calms.front().filter(|calm| {
            in_place.is_empty() && waiting.front().is_none_or(|(_, step)| step.at >= **calm)
        });
        if let Some(until) = calm.map(|calm| (*calm).max(over + CALM)) {
            match until <= now {
                true => drop(calms.pop_front()),
                false => tokio::time::sleep(LOOK).await,
            }
            continue;
        }
        let due = in_place.iter().find(|(_, (_, until))| *until <= now);
        if let Some(number) = due.map(|(number, _)| *number) {
            if let Some((begun, _)) = in_place.remove(&number) {
                end(world, &plan.steps[number], begun, recorder).await?;
                over = began.elapsed();
            }
        } else if let Some((number, step)) = waiting.pop_front_if(|(_, step)| step.at <= now) {
            if let Some(begun) = begin(world, number, step, recorder).await? {
                let least = began.elapsed() + step.lasts.min(LEAST);
                in_place.insert(number, (begun, least.max(step.at + step.lasts)));
            }
        } else {
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
    let before = Instant::now();
    let begun = act::begin(world, &step.act, number, &mut random).await;
    let mut fault = Fault { since: Some(recorder.ns_of(before)), ..Fault::of_phase(Phase::Start) };
    let in_place = match begun {
        Ok(begun) => {
            fault.targets.clone_from(&begun.targets);
            fault.group = begun.group.map(u64::from);
            fault.since = Some(recorder.ns_of(begun.struck.unwrap_or(before)));
            Some(begun)
        }
        Err(NotBegun::Skipped(skipped)) => {
            fault.state = State::Skipped;
            fault.reason = skipped.to_string();
            fault.since = None;
            None
        }
        Err(NotBegun::Unclear(reason)) => {
            fault.state = State::Unclear;
            fault.reason = reason;
            None
        }
        Err(NotBegun::World(error)) => return Err(error),
    };
    let name = step.act.name();
    recorder.fault(&name, &fault);
    if fault.state == State::Unclear {
        recorder.fault(&name, &Fault::of_phase(Phase::Stop));
    }
    Ok(in_place)
}

async fn end(
    world: &mut World,
    step: &Step,
    begun: Begun,
    recorder: &Recorder,
) -> Result<(), WorldError> {
    let felt = begun.undo.end(world).await?;
    let fault = Fault { targets: begun.targets, felt, ..Fault::of_phase(Phase::Stop) };
    recorder.fault(&step.act.name(), &fault);
    Ok(())
}
