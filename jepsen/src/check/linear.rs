//! Linearizability of one object: is there an order of single steps, each between the beginning and the end
//! of its operation, that explains every answer?
//!
//! The search of Wing and Gong with the two ideas of Lowe: an operation takes its step no sooner than the end
//! of some operation needs it (*just in time*), and a configuration that was seen is not searched again
//! (*memo*). It goes over the history once, from end to end of operations, and keeps every configuration
//! that explains what was answered so far: the state, and which of the open operations have taken their
//! step. Where none is left, no order explains the history up to that line, and it is the first such line.
//!
//! Two rules keep the configurations few, whatever the model. An open operation that fits and leaves the
//! state as it is takes its step at once: whoever can go on without it can go on with it. An operation of
//! unknown outcome that has taken its step in every configuration is forgotten; the others stay open to the
//! end.
//!
//! The problem is NP-complete. A [`Budget`] of steps and configurations bounds the search, by counting and
//! not by the clock, so that a history has the same verdict on every machine.

mod bits;
#[cfg(test)]
mod tests;

use bits::Bits;
use std::{collections::HashSet, hash::Hash};

/// What an object does with one operation at a time.
pub trait Model {
    /// What it holds.
    type State: Clone + Eq + Hash;
    /// An operation together with its answer.
    type Op;

    /// What it holds before the first operation.
    fn initial(&self) -> Self::State;

    /// What it holds after `op`, or `None` if `op` cannot have been answered as it was in this state.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;
}

/// An operation and its place in the history. Operations that did not happen are left out.
#[derive(Clone, Debug)]
pub struct Call<O> {
    /// What was done.
    pub op: O,
    /// Where it begins. No two places of a history are the same.
    pub begin: usize,
    /// Where it ends; `None` if its outcome is unknown: then it may happen at any time, or never.
    pub end: Option<usize>,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// How often the model is asked.
    pub steps: u64,
    /// How many configurations are kept at a time.
    pub configurations: usize,
}

impl Default for Budget {
    /// A few seconds, and a few hundred MiB.
    fn default() -> Self {
        Budget { steps: 1_000_000_000, configurations: 500_000 }
    }
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<S> {
    /// There is an order.
    Linear,
    /// There is none.
    Stuck(Stuck<S>),
    /// The budget is used up; the place that was reached.
    Exhausted(usize),
}

/// Where no order goes on. Numbers are indices of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck<S> {
    /// The operation whose end nothing explains. What ends later has no part in it.
    pub call: usize,
    /// What else was open at that moment.
    pub open: Vec<usize>,
    /// What the object may have held, in all orders that explain everything before.
    pub states: Vec<S>,
}

/// Looks for an order of `calls`.
pub fn check<M: Model>(model: &M, calls: &[Call<M::Op>], budget: Budget) -> Outcome<M::State> {
    let mut places: Vec<(usize, usize, bool)> = Vec::with_capacity(calls.len() * 2);
    for (index, call) in calls.iter().enumerate() {
        places.push((call.begin, index, true));
        places.extend(call.end.map(|end| (end, index, false)));
    }
    places.sort_unstable();
    let mut search = Search::new(model, calls, budget);
    for (place, index, begins) in places {
        let next = if begins { search.begin(index) } else { search.end(index) };
        match next {
            Ok(()) => {}
            Err(Halt::Spent) => return Outcome::Exhausted(place),
            Err(Halt::Stuck(stuck)) => return Outcome::Stuck(stuck),
        }
    }
    Outcome::Linear
}

/// One way to explain what was answered so far.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration<S> {
    state: S,
    /// The slots of open operations that have taken their step.
    stepped: Bits,
}

/// Why a search ends early.
enum Halt<S> {
    Spent,
    Stuck(Stuck<S>),
}

/// The model, and how often it may still be asked.
struct Steps<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Op>],
    left: u64,
}

impl<M: Model> Steps<'_, M> {
    fn step(&mut self, state: &M::State, index: usize) -> Result<Option<M::State>, Halt<M::State>> {
        self.left = self.left.checked_sub(1).ok_or(Halt::Spent)?;
        Ok(self.model.step(state, &self.calls[index].op))
    }
}

struct Search<'a, M: Model> {
    steps: Steps<'a, M>,
    configurations: usize,
    /// Open operations: slot and index, in the order of their beginnings.
    open: Vec<(usize, usize)>,
    /// Slots that are free below `slots`.
    free: Vec<usize>,
    slots: usize,
    ways: HashSet<Configuration<M::State>>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Op>], budget: Budget) -> Self {
        let first = Configuration { state: model.initial(), stepped: Bits::default() };
        Search {
            steps: Steps { model, calls, left: budget.steps },
            configurations: budget.configurations,
            open: Vec::new(),
            free: Vec::new(),
            slots: 0,
            ways: HashSet::from([first]),
        }
    }

    fn begin(&mut self, index: usize) -> Result<(), Halt<M::State>> {
        let slot = self.free.pop().unwrap_or(self.slots);
        self.slots = self.slots.max(slot + 1);
        self.open.push((slot, index));
        let mut ways = HashSet::with_capacity(self.ways.len());
        for mut way in std::mem::take(&mut self.ways) {
            if self.steps.step(&way.state, index)?.as_ref() == Some(&way.state) {
                way.stepped.set(slot);
            }
            ways.insert(way);
        }
        self.ways = ways;
        Ok(())
    }

    /// Keeps the ways in which the operation takes its step before its end.
    fn end(&mut self, index: usize) -> Result<(), Halt<M::State>> {
        let Some(&(slot, _)) = self.open.iter().find(|(_, open)| *open == index) else {
            return Ok(());
        };
        let mut kept = HashSet::new();
        let mut seen = std::mem::take(&mut self.ways);
        let mut unsearched: Vec<_> = seen.iter().cloned().collect();
        while let Some(way) = unsearched.pop() {
            if way.stepped.has(slot) {
                kept.insert(way);
                continue;
            }
            for next in self.nexts(&way)? {
                if !seen.contains(&next) {
                    seen.insert(next.clone());
                    unsearched.push(next);
                }
            }
            if seen.len() > self.configurations {
                return Err(Halt::Spent);
            }
        }
        if kept.is_empty() {
            return Err(Halt::Stuck(self.stuck(index, seen)));
        }
        self.ways = kept;
        self.close(&[(slot, index)]);
        self.forget();
        Ok(())
    }

    /// Every way that is one changing step further.
    fn nexts(
        &mut self,
        way: &Configuration<M::State>,
    ) -> Result<Vec<Configuration<M::State>>, Halt<M::State>> {
        let mut nexts = Vec::new();
        for &(slot, index) in self.open.iter().filter(|(slot, _)| !way.stepped.has(*slot)) {
            let Some(state) = self.steps.step(&way.state, index)? else { continue };
            let mut next = Configuration { state, stepped: way.stepped.clone() };
            next.stepped.set(slot);
            nexts.push(next);
        }
        for next in &mut nexts {
            self.settle(next)?;
        }
        Ok(nexts)
    }

    /// Takes every step that now fits and changes nothing.
    fn settle(&mut self, way: &mut Configuration<M::State>) -> Result<(), Halt<M::State>> {
        for &(slot, index) in &self.open {
            if !way.stepped.has(slot)
                && self.steps.step(&way.state, index)?.as_ref() == Some(&way.state)
            {
                way.stepped.set(slot);
            }
        }
        Ok(())
    }

    /// Forgets operations of unknown outcome that have taken their step in every way.
    fn forget(&mut self) {
        let calls = self.steps.calls;
        let everywhere: Vec<_> = self
            .open
            .iter()
            .copied()
            .filter(|&(slot, index)| {
                calls[index].end.is_none() && self.ways.iter().all(|way| way.stepped.has(slot))
            })
            .collect();
        if !everywhere.is_empty() {
            self.close(&everywhere);
        }
    }

    /// Frees the slots of operations that have taken their step in every way.
    fn close(&mut self, stepped: &[(usize, usize)]) {
        self.open.retain(|open| !stepped.contains(open));
        self.free.extend(stepped.iter().map(|(slot, _)| slot));
        let ways = std::mem::take(&mut self.ways).into_iter().map(|mut way| {
            stepped.iter().for_each(|(slot, _)| way.stepped.clear(*slot));
            way
        });
        self.ways = ways.collect();
    }

    fn stuck(&self, call: usize, seen: HashSet<Configuration<M::State>>) -> Stuck<M::State> {
        let mut states = HashSet::new();
        states.extend(seen.into_iter().map(|way| way.state));
        Stuck {
            call,
            open: self.open.iter().map(|&(_, index)| index).filter(|open| *open != call).collect(),
            states: states.into_iter().collect(),
        }
    }
}
