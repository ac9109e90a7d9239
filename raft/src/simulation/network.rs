//! The network between the nodes: byte streams, as TCP gives them, over links that the seed disturbs.
//!
//! A stream loses nothing and keeps its order as long as it stands, so what happens to packets shows as
//! it does to programs: what is lost comes late, by as many retransmissions as it takes, and holds up
//! what is behind it; duplicates are dropped by the receiver. A link that is cut carries nothing, in its
//! direction, until it is whole again, and then what had been sent before, however old. Connections of
//! one pair are independent: what is sent on one may come before what was sent earlier on another, or on
//! the one before it. A process that dies resets its connections; a machine that loses power does not say
//! so.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::stage::Stage;

/// Bytes that a socket takes before its writer waits.
const BUFFER: usize = 1 << 20;
/// The pause before a packet is sent again; it doubles.
const RETRANSMIT: Duration = Duration::from_millis(200);
/// The pause before a connection is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A connection that came in, and the node that called.
pub(super) struct Incoming {
    pub(super) stream: DuplexStream,
    pub(super) from: u64,
}

/// How links are, all alike.
#[derive(Clone, Copy)]
pub(super) struct Weather {
    pub(super) delay_ms: (u64, u64),
    /// The part of what is sent that is lost at each attempt.
    pub(super) loss: f64,
}

impl Weather {
    /// Two or three milliseconds between data centres.
    pub(super) const FAIR: Weather = Weather { delay_ms: (1, 3), loss: 0.0 };
}

pub(super) struct Network {
    stage: Arc<Stage>,
    state: Mutex<State>,
    /// Counts changes of links, so that whoever waits for one looks again.
    changed: watch::Sender<u64>,
}

struct State {
    weather: Weather,
    /// What cuts a link (from, to), and how often each does.
    cuts: BTreeMap<(u64, u64), BTreeMap<&'static str, u32>>,
    listeners: BTreeMap<u64, mpsc::UnboundedSender<Incoming>>,
    /// Machines without power.
    dark: BTreeMap<u64, ()>,
    connections: Vec<Connection>,
}

struct Connection {
    between: (u64, u64),
    reset: CancellationToken,
}

impl Network {
    pub(super) fn new(stage: Arc<Stage>) -> Arc<Self> {
        let state = State {
            weather: Weather::FAIR,
            cuts: BTreeMap::new(),
            listeners: BTreeMap::new(),
            dark: BTreeMap::new(),
            connections: Vec::new(),
        };
        Arc::new(Network { stage, state: Mutex::new(state), changed: watch::Sender::new(0) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.send_modify(|count| *count += 1);
    }

    /// A node's machine is there, and takes connections from now on.
    pub(super) fn up(&self, node: u64) -> mpsc::UnboundedReceiver<Incoming> {
        let (listener, incoming) = mpsc::unbounded_channel();
        self.reset(node);
        self.change(|state| {
            state.dark.remove(&node);
            state.listeners.insert(node, listener);
        });
        incoming
    }

    /// A node's process is gone; with `dark` its machine too.
    pub(super) fn down(&self, node: u64, dark: bool) {
        self.change(|state| {
            state.listeners.remove(&node);
            if dark {
                state.dark.insert(node, ());
            }
        });
        if !dark {
            self.reset(node);
        }
    }

    fn reset(&self, node: u64) {
        self.state().connections.retain(|connection| {
            let (from, to) = connection.between;
            let ends = from == node || to == node;
            if ends {
                connection.reset.cancel();
            }
            !ends && !connection.reset.is_cancelled()
        });
    }

    /// Cuts these links, once more if they are cut already. What does not get through is counted as `felt`.
    pub(super) fn cut(&self, felt: &'static str, links: &[(u64, u64)]) {
        self.change(|state| {
            for link in links {
                *state.cuts.entry(*link).or_default().entry(felt).or_default() += 1;
            }
        });
    }

    /// Undoes one [`Network::cut`].
    pub(super) fn mend(&self, felt: &'static str, links: &[(u64, u64)]) {
        self.change(|state| {
            for link in links {
                let Some(cuts) = state.cuts.get_mut(link) else { continue };
                if let Some(count) = cuts.get_mut(felt) {
                    *count = count.saturating_sub(1);
                }
                cuts.retain(|_, count| *count > 0);
            }
        });
    }

    pub(super) fn weather(&self, weather: Weather) {
        self.change(|state| state.weather = weather);
    }

    /// Ends everything that disturbs the network, but for machines without power.
    pub(super) fn calm(&self) {
        self.change(|state| {
            state.cuts.clear();
            state.weather = Weather::FAIR;
        });
    }

    fn passes(&self, from: u64, to: u64) -> bool {
        let state = self.state();
        !state.dark.contains_key(&from)
            && !state.dark.contains_key(&to)
            && state.cuts.get(&(from, to)).is_none_or(BTreeMap::is_empty)
    }

    /// Counts something that a link does not carry now, for everything that cuts it.
    fn count_held(&self, from: u64, to: u64) {
        let cuts = self.state().cuts.get(&(from, to)).cloned().unwrap_or_default();
        for felt in cuts.into_keys() {
            self.stage.count(felt, 1);
        }
    }

    /// How long what is sent now is under way, if nothing cuts the link.
    fn delay(&self) -> Duration {
        let Weather { delay_ms: (from, to), loss } = self.state().weather;
        let mut delay = self.stage.time(from, to);
        let mut again = RETRANSMIT;
        while loss > 0.0 && self.stage.chance(loss) {
            self.stage.count("segments lost", 1);
            delay += again;
            again *= 2;
        }
        if delay > Duration::from_millis(Weather::FAIR.delay_ms.1) {
            self.stage.count("segments late", 1);
        }
        delay
    }

    /// Waits until a link carries something.
    async fn passable(&self, from: u64, to: u64) {
        if self.passes(from, to) {
            return;
        }
        self.count_held(from, to);
        let mut changed = self.changed.subscribe();
        while !self.passes(from, to) {
            if changed.changed().await.is_err() {
                return;
            }
        }
        // Somebody has to try again first.
        sleep(self.stage.time(0, RETRANSMIT.as_millis() as u64)).await;
    }

    /// Connects one node to another. Waits for as long as nobody answers.
    pub(super) async fn connect(self: &Arc<Self>, from: u64, to: u64) -> io::Result<DuplexStream> {
        loop {
            sleep(self.delay() + self.delay()).await;
            if self.passes(from, to) && self.passes(to, from) {
                break;
            }
            self.stage.count("connections refused or unanswered", 1);
            sleep(ASK_AGAIN).await;
        }
        let Some(listener) = self.state().listeners.get(&to).cloned() else {
            self.stage.count("connections refused or unanswered", 1);
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let ((here, near), (there, far)) = (duplex(BUFFER), duplex(BUFFER));
        let reset = CancellationToken::new();
        let ((near_out, near_in), (far_out, far_in)) = (split(near), split(far));
        for (link, read, write) in [((from, to), near_out, far_in), ((to, from), far_out, near_in)]
        {
            let (network, reset) = (self.clone(), reset.clone());
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = reset.cancelled() => {}
                    () = network.carry(link, read, write) => {}
                }
            });
        }
        self.state().connections.push(Connection { between: (from, to), reset });
        self.stage.note(format_args!("n{from} connects to n{to}"));
        listener
            .send(Incoming { stream: there, from })
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
        Ok(here)
    }

    /// One direction of one connection.
    async fn carry(
        &self,
        (from, to): (u64, u64),
        mut read: ReadHalf<DuplexStream>,
        mut write: WriteHalf<DuplexStream>,
    ) {
        let (sent, mut under_way) = mpsc::unbounded_channel::<(Instant, Bytes)>();
        let sending = async move {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = read.read(&mut buffer).await {
                let arrives = Instant::now() + self.delay();
                let segment = Bytes::copy_from_slice(&buffer[..length]);
                if sent.send((arrives, segment)).is_err() {
                    return;
                }
            }
        };
        let arriving = async move {
            while let Some((arrives, segment)) = under_way.recv().await {
                sleep_until(arrives).await;
                self.passable(from, to).await;
                if write.write_all(&segment).await.is_err() {
                    return;
                }
            }
            self.passable(from, to).await;
            let _ = write.shutdown().await;
        };
        tokio::join!(sending, arriving);
    }
}
