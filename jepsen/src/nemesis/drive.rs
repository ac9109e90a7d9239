//! Puts the faults of a plan in at their times, takes them back, and writes both down.

use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    CALM, Plan, Step,
    act::{self, Begun, Left, NotBegun},
};
use crate::{
    history::{Fault, Moment, Phase, Planned, Recorder, State},
    world::{World, WorldError},
};

/// How long a fault lasts at least that begins late, because those before it took their time.
const LEAST: Duration = Duration::from_secs(2);
/// Between two looks at the nodes.
const LOOK: Duration = Duration::from_millis(100);

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

/// Goes through a plan. `began` is when the clients did. Afterwards every fault is taken back, as far as that can
/// be done, and the last time of calm is over.
///
/// # Errors
/// The harness could not go on.
pub async fn drive(
    world: &mut World,
    plan: &Plan,
    recorder: &Recorder,
    began: Instant,
) -> Result<(), WorldError> {
    let mut course = Course { plan, recorder, began, in_place: BTreeMap::new() };
    let mut went = course.go(world).await;
    // Of a harness that cannot go on nothing stays behind in the cluster.
    while let Some((number, (begun, _))) = course.in_place.pop_first() {
        let ended = end(world, &plan.steps[number], begun, recorder).await;
        went = went.and(ended);
    }
    went
}

/// A plan that is gone through.
struct Course<'a> {
    plan: &'a Plan,
    recorder: &'a Recorder,
    began: Instant,
    /// Faults by their number in the plan, and until when they last.
    in_place: BTreeMap<usize, (Begun, Duration)>,
}

impl Course<'_> {
    async fn go(&mut self, world: &mut World) -> Result<(), WorldError> {
        let mut waiting = self.plan.steps.iter().enumerate().collect::<VecDeque<_>>();
        let mut calms = self.plan.calms.iter().copied().collect::<VecDeque<_>>();
        let mut over = Duration::ZERO;
        while !waiting.is_empty() || !self.in_place.is_empty() || !calms.is_empty() {
            world.supervise()?;
            let now = self.began.elapsed();
            let due = self.in_place.iter().find(|(_, (_, until))| *until <= now);
            if let Some(number) = due.map(|(number, _)| *number) {
                if let Some((begun, _)) = self.in_place.remove(&number) {
                    end(world, &self.plan.steps[number], begun, self.recorder).await?;
                    over = self.began.elapsed();
                }
                continue;
            }
            let next = waiting.front().map(|(_, step)| *step);
            // Faults may have taken longer than planned: it is calm for as long all the same.
            if let Some(calm) = calms.front().copied()
                && next.is_none_or(|step| step.at >= calm)
            {
                if self.in_place.is_empty() && calm.max(over + CALM) <= now {
                    calms.pop_front();
                } else {
                    tokio::time::sleep(LOOK).await;
                }
                continue;
            }
            let free = |step: &Step| {
                let mut others = self.in_place.keys().map(|number| &self.plan.steps[*number].act);
                !others.any(|other| step.act.waits_for(other))
            };
            match waiting.pop_front_if(|(_, step)| step.at <= now && free(step)) {
                Some((number, step)) => self.begin(world, number, step).await?,
                None => tokio::time::sleep(LOOK).await,
            }
        }
        Ok(())
    }

    async fn begin(
        &mut self,
        world: &mut World,
        number: usize,
        step: &Step,
    ) -> Result<(), WorldError> {
        let Some(begun) = begin(world, number, step, self.recorder).await? else { return Ok(()) };
        let now = self.began.elapsed();
        let until = match begun.done {
            true => now,
            false => (now + step.lasts.min(LEAST)).max(step.at + step.lasts),
        };
        self.in_place.insert(number, (begun, until));
        Ok(())
    }
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
            fault.since = Some(recorder.ns_of(begun.struck.unwrap_or(before)));
            fault.from = begun.from.map(|from| recorder.ns_of(from));
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
        Err(NotBegun::Refused(reason)) => {
            fault.state = State::Refused;
            fault.reason = reason;
            None
        }
        Err(NotBegun::World(error)) => return Err(error),
    };
    let name = step.act.name();
    recorder.fault(&name, &fault);
    if matches!(fault.state, State::Unclear | State::Refused) {
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
    let Left { felt, moments, refused, wrong, unclear } = begun.undo.end(world).await?;
    let moment =
        |(at, group): (Instant, u32)| Moment { since: recorder.ns_of(at), group: u64::from(group) };
    let mut fault = Fault {
        targets: begun.targets,
        felt,
        moments: moments.into_iter().map(moment).collect(),
        refused,
        wrong,
        ..Fault::of_phase(Phase::Stop)
    };
    if let Some(reason) = unclear {
        fault.state = State::Unclear;
        fault.reason = reason;
    }
    recorder.fault(&step.act.name(), &fault);
    Ok(())
}
