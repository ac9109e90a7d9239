//! What of a plan this machine has not: rights and tools, tried out on a process and a disk that harm nobody.
//!
//! Only what is missing at all times counts here. A fault that could be had and was not put in, because the
//! cluster had no leader to harm at that moment, is for the verdict of its run.

use server::cluster::Scratch;
use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Act, Plan, acts::Harm};
use crate::{
    inject::{
        Skipped,
        calls::{Injected, SYNCS},
        clock::{Boot, Clock},
        disk::LossyDisk,
        rations::{self, Ration},
    },
    net::{Effect, Layout, Net},
};

/// What a fault needs beyond processes and links that can be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Switch,
    Filter,
    Disk,
    Calls,
    Clock,
    Boot,
    Groups,
    Files,
}

impl Need {
    fn of(act: &Act) -> Option<Need> {
        match act {
            Act::Packets(Harm::Lossy | Harm::Disordered | Harm::Corrupted, _) => Some(Need::Switch),
            Act::Filter(_) => Some(Need::Filter),
            Act::Power(_) | Act::PowerInSync | Act::DiskFull(_) => Some(Need::Disk),
            Act::SlowSync(..) | Act::FailSync(_) => Some(Need::Calls),
            Act::Jump(..) | Act::Drift(..) => Some(Need::Clock),
            Act::Boot(_) => Some(Need::Boot),
            Act::Processor(..) | Act::Memory(..) => Some(Need::Groups),
            Act::Files(_) => Some(Need::Files),
            _ => None,
        }
    }

    fn tried(self, proxy: bool) -> Result<(), Skipped> {
        match self {
            Need::Switch | Need::Filter if proxy => Err(Skipped("the network is the proxy".into())),
            Need::Switch => switch().map(drop),
            Need::Filter => match switch()?.can(Effect::Filter) {
                true => Ok(()),
                false => Err(Skipped("there is no nft".into())),
            },
            Need::Disk => {
                let scratch = scratch()?;
                LossyDisk::mount(&scratch.path().join("disk"), 16)?.lose_power()
            }
            Need::Clock => Clock::right(scratch()?.path().join("clock")).map(drop),
            Need::Boot => Boot::new().map(drop),
            Need::Calls => Injected::into(Victim::new()?.pid(), SYNCS, "delay_enter=1").map(drop),
            Need::Groups => Ration::processor(Victim::new()?.pid(), 50).map(drop),
            Need::Files => rations::files(Victim::new()?.pid(), 100).map(drop),
        }
    }
}

/// Why a run of this plan would prove nothing here: what is missing, if less than half of the plan or nothing of
/// it is to be had. Empty if the run can be made.
pub fn missing(plan: &Plan, proxy: bool) -> Vec<String> {
    let mut tried: BTreeMap<Need, Result<(), Skipped>> = BTreeMap::new();
    let mut had = 0;
    for need in plan.steps.iter().map(|step| Need::of(&step.act)) {
        had += usize::from(
            need.is_none_or(|need| tried.entry(need).or_insert_with(|| need.tried(proxy)).is_ok()),
        );
    }
    if plan.steps.is_empty() || (had > 0 && had * 2 >= plan.steps.len()) {
        return Vec::new();
    }
    tried.into_values().filter_map(Result::err).map(|skipped| skipped.to_string()).collect()
}

fn switch() -> Result<Net, Skipped> {
    let told = |error: &dyn std::fmt::Display| Skipped(error.to_string());
    let layout = Layout::of(3, Duration::ZERO, Duration::ZERO).map_err(|error| told(&error))?;
    Net::switch(&layout, 0).map_err(|error| told(&error))
}

fn scratch() -> Result<Scratch, Skipped> {
    Scratch::new("holdfast-jepsen-trial").map_err(|error| Skipped(error.to_string()))
}

/// A process that does nothing. Ended when dropped.
struct Victim(Child);

impl Victim {
    fn new() -> Result<Victim, Skipped> {
        let mut command = Command::new("sleep");
        let child = command.arg("60").stdin(Stdio::null()).spawn();
        child.map(Victim).map_err(|error| Skipped(format!("sleep cannot be started: {error}")))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
