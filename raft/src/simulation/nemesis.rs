//! What goes wrong, and when: faults drawn from the seed, one over the other, each with its end.

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use store::Column;
use store::engine::memory::Crash;
use tokio::time::{Instant, sleep};
use types::GroupId;

use super::WALLETS;
use super::disk::Unreadable;
use super::machine::Machine;
use super::network::{Network, Weather};
use super::shapes::{Shape, both};
use super::stage::Stage;

/// Does everything bad.
pub(super) struct Nemesis {
    machines: Vec<Arc<Machine>>,
    network: Arc<Network>,
    stage: Arc<Stage>,
}

/// As what counts that a node which is held does not get.
const HELD: &str = "segments held before one that is held";
/// A leadership that is taken within this time was given: nobody stands for election before.
const GIVEN: Duration = Duration::from_millis(300);

impl Nemesis {
    pub(super) fn new(
        machines: &[Arc<Machine>],
        network: &Arc<Network>,
        stage: &Arc<Stage>,
    ) -> Arc<Self> {
        Arc::new(Nemesis {
            machines: machines.to_vec(),
            network: network.clone(),
            stage: stage.clone(),
        })
    }

    /// Brings one fault after the other until the time is over.
    pub(super) async fn rage(self: &Arc<Self>, until: Duration) {
        loop {
            sleep(self.stage.time(100, 2_500)).await;
            if self.stage.elapsed() >= until {
                return;
            }
            match self.stage.time(0, 99).as_millis() {
                0..30 => self.cut(),
                30..50 => self.crash(),
                50..56 => self.power_of_all(),
                56..68 => self.disk_error(),
                68..76 => self.slow_disk(),
                76..86 => self.weather(),
                86..94 => self.hold(),
                _ => self.transfer(),
            }
        }
    }

    /// Ends everything but what already lies down.
    pub(super) fn calm(&self) {
        self.network.calm();
        for machine in &self.machines {
            machine.disk.swift();
            machine.disk.whole();
        }
    }

    fn all(&self) -> Vec<u64> {
        self.machines.iter().map(|machine| machine.id).collect()
    }

    fn shuffled(&self) -> Vec<u64> {
        let mut all = self.all();
        self.stage.draw(|random| all.shuffle(random));
        all
    }

    /// Somebody; the leader more often than others.
    fn somebody(&self) -> Arc<Machine> {
        let leaders: Vec<_> =
            self.machines.iter().filter(|machine| machine.leads(WALLETS)).cloned().collect();
        let leader = if self.stage.chance(0.5) { self.stage.pick(&leaders) } else { None };
        leader.or_else(|| self.stage.pick(&self.machines)).unwrap_or(self.machines[0].clone())
    }

    fn cut(self: &Arc<Self>) {
        let (order, victim) = (self.shuffled(), self.somebody().id);
        let Some(shape) = self.stage.pick(&Shape::ALL) else { return };
        let (time, links) = (self.stage.time(200, 5_000), shape.links(&order, victim));
        self.stage.note(format_args!(
            "cut {} (n{victim}, {order:?}) for {} ms",
            shape.name(),
            time.as_millis()
        ));
        self.network.cut(shape.felt(), &links);
        let this = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            this.network.mend(shape.felt(), &links);
        });
    }

    fn crash(self: &Arc<Self>) {
        let machine = self.somebody();
        let crash = if self.stage.chance(0.5) { Crash::Power } else { Crash::Process };
        machine.crash(crash);
        self.restart(machine);
    }

    fn power_of_all(self: &Arc<Self>) {
        let mut died = 0;
        for machine in &self.machines {
            died += usize::from(machine.crash(Crash::Power));
            self.restart(machine.clone());
        }
        if died == self.machines.len() {
            self.stage.count("power losses of all", 1);
        }
    }

    /// Brings a machine back after a while, and until it stays.
    fn restart(self: &Arc<Self>, machine: Arc<Machine>) {
        let time = self.stage.time(50, 4_000);
        tokio::spawn(async move {
            sleep(time).await;
            machine.start().await;
        });
    }

    fn disk_error(self: &Arc<Self>) {
        let machine = self.somebody();
        let calls = self.stage.time(0, 12).as_millis() as u32;
        let columns = [None, Some(Column::Log), Some(Column::State)];
        let Some(column) = self.stage.pick(&columns).flatten() else {
            self.stage.note(format_args!("n{}'s disk fails in {calls} calls", machine.id));
            return machine.disk.fail_in(calls);
        };
        self.stage.note(format_args!("n{} cannot read {column} in {calls} calls", machine.id));
        machine.disk.fail_read(Unreadable { column, group: None, after: calls });
    }

    fn slow_disk(self: &Arc<Self>) {
        let (machine, time) = (self.somebody(), self.stage.time(500, 5_000));
        let slow = self.stage.time(20, 400).as_millis() as u64;
        self.stage.note(format_args!("n{}'s disk is slow ({slow} ms)", machine.id));
        machine.disk.slow("slow syncs", slow / 2, slow);
        tokio::spawn(async move {
            sleep(time).await;
            machine.disk.swift();
        });
    }

    fn weather(self: &Arc<Self>) {
        let (delay, time) =
            (self.stage.time(5, 150).as_millis() as u64, self.stage.time(500, 5_000));
        let loss = self.stage.time(0, 30).as_millis() as f64 / 100.0;
        self.stage.note(format_args!("delays up to {delay} ms, loss {loss}"));
        self.network.weather(Weather { delay_ms: (1, delay), loss });
        let this = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            this.network.weather(Weather::FAIR);
        });
    }

    /// Nothing gets through to a node, nor to its disk, for longer than an election takes.
    fn hold(self: &Arc<Self>) {
        let (machine, time) = (self.somebody(), self.stage.time(600, 3_000));
        let others: Vec<u64> = self.all().into_iter().filter(|id| *id != machine.id).collect();
        let links = both(&[machine.id], &others);
        self.stage.note(format_args!("n{} is held for {} ms", machine.id, time.as_millis()));
        self.network.cut(HELD, &links);
        let long = time.as_millis() as u64;
        machine.disk.slow("syncs held", long, long);
        let this = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            machine.disk.swift();
            this.network.mend(HELD, &links);
        });
    }

    /// Has a leadership handed over, and counts it when it was.
    fn transfer(self: &Arc<Self>) {
        let Some(leader) = self.machines.iter().find(|machine| machine.leads(WALLETS)) else {
            return;
        };
        let Some(group) = leader.node().and_then(|node| node.inner.group(WALLETS)) else { return };
        let (to, before) = (self.somebody(), leader.leadership(WALLETS));
        if to.id == leader.id {
            return;
        }
        self.stage.note(format_args!(
            "n{} is to hand {} over to n{}",
            leader.id,
            show(WALLETS),
            to.id
        ));
        let stage = self.stage.clone();
        tokio::spawn(async move {
            let until = Instant::now() + GIVEN;
            // Refused where it cannot be.
            let _ = group.raft.trigger().transfer_leader(to.id).await;
            while Instant::now() < until {
                if to.leadership(WALLETS) > before {
                    return stage.count("leaderships handed over", 1);
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
    }
}

fn show(group: GroupId) -> String {
    format!("g{group}")
}
