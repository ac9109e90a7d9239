//! The switch: one thread that reads the packets of every namespace, holds each for as long as its link
//! asks, and writes it where it goes.
//!
//! Buffers are used again, and a packet is copied by nobody but the kernel, unless it is duplicated. The
//! links are behind one lock, which the thread holds for one burst: what [`Switch::set`] sets is in
//! force when it returns.

use super::{
    Counters, Cut, End, Layout, Link, NetError,
    lane::Lane,
    packet,
    space::{MTU, Space},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    io::{self, PipeReader, PipeWriter},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};
use tun_rs::SyncDevice;

/// Packets of one namespace that are taken before the others get their turn.
const BURST: usize = 64;
/// Packets under way at one time, so that a flood into a slow link does not fill the memory.
const UNDER_WAY: usize = 16_384;
/// How much the thread may go before others, as far as the system lets it: a switch does not wait for
/// the machines at its ports.
const NICE: i32 = -10;

/// Running switch. Dropping it ends it, and the namespaces with it.
pub(super) struct Switch {
    spaces: Vec<Space>,
    core: Arc<Shared>,
    /// Closing it is what ends the thread.
    until: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Switch {
    /// Makes a namespace for each node and for the clients, and joins them.
    pub(super) fn start(layout: &Layout, seed: u64) -> Result<Switch, NetError> {
        let (mut spaces, mut devices) = (Vec::new(), Vec::new());
        let ends = layout.ends();
        for end in &ends {
            let space = Space::new()?;
            devices.push(space.connect(packet::address(*end), *end == End::Clients)?);
            spaces.push(space);
        }
        let core =
            Arc::new(Shared { gate: Mutex::new(()), core: Mutex::new(Core::new(layout, seed)) });
        let thread_failed = |source| NetError::NoThread { source };
        let (ending, until) = io::pipe().map_err(thread_failed)?;
        let shared = core.clone();
        let thread = thread::Builder::new()
            .name("switch".into())
            .spawn(move || run(&devices, &ending, &shared))
            .map_err(thread_failed)?;
        Ok(Switch { spaces, core, until: Some(until), thread: Some(thread) })
    }

    /// The namespace of an end.
    pub(super) fn space(&self, end: End) -> Option<&Space> {
        match end {
            End::Node(n) => self.spaces.get(n).filter(|_| n + 1 < self.spaces.len()),
            End::Clients => self.spaces.last(),
        }
    }

    pub(super) fn set(&self, lane: usize, link: &Link) {
        if let Some(lane) = self.core.lock().lanes.get_mut(lane) {
            lane.set(link.clone());
        }
    }

    pub(super) fn heal(&self) {
        self.core.lock().lanes.iter_mut().for_each(Lane::heal);
    }

    pub(super) fn counters(&self) -> Vec<Counters> {
        self.core.lock().lanes.iter().map(Lane::counters).collect()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.until = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was said where it happened.
            let _ = thread.join();
        }
    }
}

/// Everything but the devices, for the thread and for who sets links.
struct Shared {
    /// Whoever waits for the core holds it. Without it the thread, which goes straight from burst to
    /// burst, would keep others waiting for as long as there is traffic.
    gate: Mutex<()>,
    core: Mutex<Core>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Core> {
        let _next = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A packet in a buffer that is as long as packets get.
struct Frame {
    bytes: Box<[u8]>,
    length: usize,
}

impl Frame {
    fn packet(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn packet_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

/// A packet under way.
struct UnderWay {
    due: u64,
    /// Which comes first of two that are due at one time.
    turn: u64,
    /// Which device it goes to.
    to: usize,
    /// Which link it is on, and its number there. None for an answer of the switch itself.
    on: Option<(usize, u64)>,
    frame: Frame,
}

impl Ord for UnderWay {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.turn).cmp(&(other.due, other.turn))
    }
}

impl PartialOrd for UnderWay {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for UnderWay {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for UnderWay {}

/// Links and packets.
struct Core {
    nodes: usize,
    lanes: Vec<Lane>,
    queue: BinaryHeap<Reverse<UnderWay>>,
    turn: u64,
    free: Vec<Frame>,
}

impl Core {
    fn new(layout: &Layout, seed: u64) -> Core {
        let lanes = super::pairs(layout).enumerate().map(|(n, (from, to))| {
            // Any two links are drawn from different seeds, and a link keeps its own in every run.
            Lane::new(layout.base(from, to), seed.wrapping_add(n as u64))
        });
        let nodes = layout.nodes().len();
        let lanes = lanes.collect();
        Core { nodes, lanes, queue: BinaryHeap::new(), turn: 0, free: Vec::new() }
    }

    fn frame(&mut self) -> Frame {
        self.free
            .pop()
            .unwrap_or_else(|| Frame { bytes: vec![0; MTU].into_boxed_slice(), length: 0 })
    }

    /// A packet came out of a namespace.
    fn enter(&mut self, from: usize, mut frame: Frame, now: u64) {
        let Some(to) = packet::destination(frame.packet(), self.nodes) else {
            return self.free.push(frame);
        };
        let to = super::index(to, self.nodes);
        let lane = super::lane(from, to, self.nodes);
        let length = frame.length;
        if self.queue.len() >= UNDER_WAY {
            self.lanes[lane].overrun();
            return self.free.push(frame);
        }
        match self.lanes[lane].enter(now, length) {
            Some(passage) => {
                let on = Some((lane, passage.number));
                if passage.twice {
                    let mut copy = self.frame();
                    copy.bytes[..length].copy_from_slice(frame.packet());
                    copy.length = length;
                    self.under_way(passage.due, to, on, copy);
                }
                if let Some((place, flip)) = passage.damage {
                    packet::damage(frame.packet_mut(), place, flip);
                }
                self.under_way(passage.due, to, on, frame);
            }
            None if self.lanes[lane].link().cut == Some(Cut::Refuse) => {
                let mut answer = self.frame();
                match packet::reset(frame.packet(), &mut answer.bytes) {
                    Some(length) => {
                        answer.length = length;
                        self.under_way(now, from, None, answer);
                    }
                    None => self.free.push(answer),
                }
                self.free.push(frame);
            }
            None => self.free.push(frame),
        }
    }

    fn under_way(&mut self, due: u64, to: usize, on: Option<(usize, u64)>, frame: Frame) {
        self.turn += 1;
        self.queue.push(Reverse(UnderWay { due, turn: self.turn, to, on, frame }));
    }

    /// The next packet that is due and comes out.
    fn leave(&mut self, now: u64) -> Option<UnderWay> {
        while self.queue.peek().is_some_and(|next| next.0.due <= now) {
            let Reverse(next) = self.queue.pop()?;
            if next.on.is_none_or(|(lane, number)| self.lanes[lane].leave(number)) {
                return Some(next);
            }
            self.free.push(next.frame);
        }
        None
    }
}

fn run(devices: &[SyncDevice], ending: &PipeReader, core: &Shared) {
    // Without the right to it, it goes at the pace of the others.
    let _ = rustix::process::nice(NICE);
    let since = Instant::now();
    let now = || u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut polled: Vec<PollFd<'_>> = devices
        .iter()
        .map(|device| PollFd::new(device, PollFlags::IN))
        .chain([PollFd::new(ending, PollFlags::IN)])
        .collect();
    let mut wait = None;
    loop {
        let waited = poll(&mut polled, wait.as_ref());
        if polled.last().is_some_and(|ending| !ending.revents().is_empty()) {
            return;
        }
        let mut core = core.lock();
        for (port, device) in devices.iter().enumerate() {
            if waited.is_ok() && !polled[port].revents().is_empty() {
                read(&mut core, port, device, &now);
            }
        }
        while let Some(next) = core.leave(now()) {
            let sent = devices[next.to].send(next.frame.packet());
            if let (Err(_), Some((lane, _))) = (sent, next.on) {
                core.lanes[lane].not_taken();
            }
            core.free.push(next.frame);
        }
        wait = core.queue.peek().map(|next| timespec(next.0.due.saturating_sub(now())));
    }
}

/// Takes a burst of packets from one namespace.
fn read(core: &mut Core, port: usize, device: &SyncDevice, now: &impl Fn() -> u64) {
    for _ in 0..BURST {
        let mut frame = core.frame();
        match device.recv(&mut frame.bytes) {
            Ok(length) => {
                frame.length = length;
                core.enter(port, frame, now());
            }
            Err(_) => return core.free.push(frame),
        }
    }
}

fn timespec(nanoseconds: u64) -> Timespec {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    Timespec { tv_sec: seconds as _, tv_nsec: rest as _ }
}
