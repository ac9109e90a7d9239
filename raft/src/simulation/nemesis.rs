//! What goes wrong, and when: faults drawn from the seed, one over the other, each with its end.

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use store::Column;
use store::engine::memory::Crash;
use tokio::time::sleep;
use types::GroupId;

use super::disk::Unreadable;
use super::machine::Machine;
use super::network::{Network, Weather};
use super::stage::Stage;
use super::{DCS, WALLETS};

/// Does everything bad.
pub(super) struct Nemesis {
    machines: Vec<Arc<Machine>>,
    network: Arc<Network>,
    stage: Arc<Stage>,
}

type Links = Vec<(u64, u64)>;

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
            machine.disk.pace(0, 2);
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

    /// The links between two sets of nodes, both ways.
    fn between(one: &[u64], other: &[u64]) -> Links {
        let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| a != b).flat_map(|(a, b)| [(a, b), (b, a)]).collect()
    }

    fn cut(self: &Arc<Self>) {
        let order = self.shuffled();
        let (half, middle) = (order.len() / 2, order[order.len() / 2]);
        let victim = self.somebody().id;
        let others: Vec<u64> = self.all().into_iter().filter(|id| *id != victim).collect();
        let (what, links): (&str, Links) = match self.stage.time(0, 6).as_millis() {
            0 => ("halves", Self::between(&order[..half], &order[half..])),
            1 => ("isolated", Self::between(&[victim], &others)),
            2 => ("deaf", others.iter().map(|other| (*other, victim)).collect()),
            3 => ("mute", others.iter().map(|other| (victim, *other)).collect()),
            // Two halves that both reach the one in the middle.
            4 => {
                let sides = (&order[..half], &order[half + 1..]);
                self.stage.note(format_args!("bridge over n{middle}"));
                ("bridge", Self::between(sides.0, sides.1))
            }
            // Everybody reaches two neighbours, and nobody reaches the same majority as another.
            5 => {
                let n = order.len();
                let far = |a: usize, b: usize| a != b && (a + 1) % n != b && (b + 1) % n != a;
                let pairs = (0..n).flat_map(|a| (0..n).map(move |b| (a, b)));
                (
                    "ring",
                    pairs.filter(|(a, b)| far(*a, *b)).map(|(a, b)| (order[a], order[b])).collect(),
                )
            }
            _ => {
                let here: Vec<u64> =
                    self.all().into_iter().filter(|id| dc(*id) == dc(victim)).collect();
                let there: Vec<u64> =
                    self.all().into_iter().filter(|id| dc(*id) != dc(victim)).collect();
                ("data centre", Self::between(&here, &there))
            }
        };
        let time = self.stage.time(200, 5_000);
        self.stage.count("cuts", 1);
        self.stage.note(format_args!("cut {what} (n{victim}) for {} ms", time.as_millis()));
        self.network.cut(&links);
        let this = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            this.network.mend(&links);
        });
    }

    fn crash(self: &Arc<Self>) {
        let machine = self.somebody();
        let crash = if self.stage.chance(0.5) { Crash::Power } else { Crash::Process };
        machine.crash(crash);
        self.restart(machine);
    }

    fn power_of_all(self: &Arc<Self>) {
        self.stage.count("power losses of all", 1);
        for machine in &self.machines {
            machine.crash(Crash::Power);
            self.restart(machine.clone());
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
        self.stage.count("slow disks", 1);
        self.stage.note(format_args!("n{}'s disk is slow ({slow} ms)", machine.id));
        machine.disk.pace(slow / 2, slow);
        tokio::spawn(async move {
            sleep(time).await;
            machine.disk.pace(0, 2);
        });
    }

    fn weather(self: &Arc<Self>) {
        let (delay, time) =
            (self.stage.time(5, 150).as_millis() as u64, self.stage.time(500, 5_000));
        let loss = self.stage.time(0, 30).as_millis() as f64 / 100.0;
        self.stage.count("bad weather", 1);
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
        let links = Self::between(&[machine.id], &others);
        self.stage.count("holds", 1);
        self.stage.note(format_args!("n{} is held for {} ms", machine.id, time.as_millis()));
        self.network.cut(&links);
        let long = time.as_millis() as u64;
        machine.disk.pace(long, long);
        let this = self.clone();
        tokio::spawn(async move {
            sleep(time).await;
            machine.disk.pace(0, 2);
            this.network.mend(&links);
        });
    }

    fn transfer(self: &Arc<Self>) {
        let Some(leader) = self.machines.iter().find(|machine| machine.leads(WALLETS)) else {
            return;
        };
        let Some(group) = leader.node().and_then(|node| node.inner.group(WALLETS)) else { return };
        let to = self.somebody().id;
        if to == leader.id {
            return;
        }
        self.stage.count("transfers", 1);
        self.stage.note(format_args!("n{} is to hand {} over to n{to}", leader.id, show(WALLETS)));
        tokio::spawn(async move {
            // Refused where it cannot be.
            let _ = group.raft.trigger().transfer_leader(to).await;
        });
    }
}

fn dc(node: u64) -> &'static str {
    DCS[node as usize - 1]
}

fn show(group: GroupId) -> String {
    format!("g{group}")
}
