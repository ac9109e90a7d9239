//! A stream to one peer that is kept standing.
//!
//! A link dials, greets, and then carries frames both ways until something breaks; then everybody
//! who waits on it is told, and it dials again, after a pause that grows up to half a second and ends
//! at once when the peer itself calls here. Callers never dial: they find the link up, or learn why not.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use proto::peer::Hello;
use proto::peer::peer_client::PeerClient;
use rand::RngExt;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use types::NodeId;

use crate::peer::MESSAGE_BYTES;
use crate::peer::connector::{Connector, Purpose};
use crate::peer::handshake;
use crate::peer::pool::Context;

/// Frames that may wait to be sent. Each is at most one message.
const OUTBOUND: usize = 64;
/// From the first packet to the peer's greeting.
const GREET: Duration = Duration::from_secs(3);
const PAUSE_MIN: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What is spoken over a link: frames, and what they mean to those who wait.
pub(crate) trait Protocol: Send + Sync + Sized + 'static {
    type Frame: Send + 'static;
    const PURPOSE: Purpose;

    /// The state of one standing connection, which sends through `out`.
    fn new(out: mpsc::Sender<Self::Frame>) -> Self;
    fn greet(hello: Hello) -> Self::Frame;
    fn greeting(frame: Self::Frame) -> Option<Hello>;
    fn open(
        client: PeerClient<Channel>,
        frames: ReceiverStream<Self::Frame>,
    ) -> impl Future<Output = Result<Streaming<Self::Frame>, Status>> + Send;
    /// Takes in one frame. An error breaks the connection.
    fn receive(&self, frame: Self::Frame) -> Result<(), &'static str>;
    /// Tells everybody who waits that nothing more will come.
    fn closed(&self, reason: &str);
}

enum State<P> {
    Connecting,
    Up(Arc<P>),
    Down(Arc<str>),
}

/// The link of one use to one peer.
pub(crate) struct Link<P> {
    state: watch::Receiver<State<P>>,
    poke: Arc<Notify>,
    _stop: DropGuard,
}

impl<P: Protocol> Link<P> {
    pub(crate) fn start(context: Arc<Context>, peer: NodeId) -> Self {
        let (state, seen) = watch::channel(State::Connecting);
        let (stop, poke) = (context.stopping.child_token(), Arc::new(Notify::new()));
        let keeper = Keeper { context, peer, state, poke: poke.clone() };
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! { () = keeper.keep() => {}, () = stopped.cancelled() => {} }
        });
        Link { state: seen, poke, _stop: stop.drop_guard() }
    }

    /// The standing connection. Waits only while the first attempt is under way.
    pub(crate) async fn get(&self, deadline: Duration) -> Result<Arc<P>, String> {
        let mut state = self.state.clone();
        let known =
            timeout(deadline, state.wait_for(|state| !matches!(state, State::Connecting))).await;
        match known {
            Ok(Ok(state)) => match &*state {
                State::Up(connection) => Ok(connection.clone()),
                State::Down(reason) => Err(reason.to_string()),
                State::Connecting => Err("connecting".to_owned()),
            },
            Ok(Err(_)) => Err("this node is stopping".to_owned()),
            Err(_) => Err("connecting".to_owned()),
        }
    }

    /// The peer is there: try now.
    pub(crate) fn poke(&self) {
        self.poke.notify_one();
    }
}

struct Keeper<P> {
    context: Arc<Context>,
    peer: NodeId,
    state: watch::Sender<State<P>>,
    poke: Arc<Notify>,
}

impl<P> Drop for Keeper<P> {
    fn drop(&mut self) {
        self.state.send_replace(State::Down("this node is stopping".into()));
    }
}

impl<P: Protocol> Keeper<P> {
    async fn keep(&self) {
        let mut pause = PAUSE_MIN;
        let mut told = String::new();
        loop {
            match self.connect().await {
                Ok((connection, frames)) => {
                    pause = PAUSE_MIN;
                    told.clear();
                    self.context.metrics.connected(P::PURPOSE, 1);
                    self.state.send_replace(State::Up(connection.clone()));
                    let reason = pump(connection.as_ref(), frames).await;
                    self.context.metrics.connected(P::PURPOSE, -1);
                    tracing::info!(peer = %self.peer, link = ?P::PURPOSE, reason, "connection lost");
                    self.state.send_replace(State::Down(reason.clone().into()));
                    connection.closed(&reason);
                }
                Err(reason) => {
                    // Said once per reason: a peer that is away for hours is one line, not thousands.
                    if told != reason {
                        tracing::warn!(peer = %self.peer, link = ?P::PURPOSE, reason, "cannot connect");
                        told.clone_from(&reason);
                    }
                    self.state.send_replace(State::Down(reason.into()));
                }
            }
            let jitter = rand::rng().random_range(0.75..1.25);
            let _ = timeout(pause.mul_f64(jitter), self.poke.notified()).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn connect(&self) -> Result<(Arc<P>, Streaming<P::Frame>), String> {
        let context = &self.context;
        let node = context.roster.load().get(self.peer).cloned();
        let node = node.ok_or_else(|| format!("node {} is not in the registry", self.peer))?;
        let hello =
            handshake::hello(&context.identity.load(), &node).map_err(|error| error.to_string())?;
        let greeted = timeout(GREET, async {
            let connector = Connector::to(context.host.clone(), &node, P::PURPOSE);
            let channel = connector.connect().await.map_err(|error| crate::error::chain(&error))?;
            let client = PeerClient::new(channel)
                .max_decoding_message_size(MESSAGE_BYTES)
                .max_encoding_message_size(MESSAGE_BYTES);
            let (out, frames) = mpsc::channel(OUTBOUND);
            // The channel is new and has room.
            let _ = out.try_send(P::greet(hello));
            let stream = P::open(client, ReceiverStream::new(frames)).await;
            let mut stream = stream.map_err(|status| status.message().to_owned())?;
            let first = stream.message().await.map_err(|status| status.message().to_owned())?;
            let answer = first.and_then(P::greeting).ok_or("the peer did not greet")?;
            let from = handshake::check(
                &context.identity.load(),
                &context.roster.load(),
                connector.found(),
                &answer,
            )
            .map_err(|error| error.to_string())?;
            if from.id != self.peer {
                return Err(format!("node {} answered in place of node {}", from.id, self.peer));
            }
            Ok((Arc::new(P::new(out)), stream))
        });
        greeted.await.unwrap_or_else(|_| Err("the peer did not greet in time".to_owned()))
    }
}

async fn pump<P: Protocol>(connection: &P, mut frames: Streaming<P::Frame>) -> String {
    loop {
        match frames.message().await {
            Ok(Some(frame)) => {
                if let Err(reason) = connection.receive(frame) {
                    return reason.to_owned();
                }
            }
            Ok(None) => return "the peer closed it".to_owned(),
            Err(status) => return status.message().to_owned(),
        }
    }
}

/// Where a server's streams end too when the node stops.
pub(crate) fn until_stopped(
    stopping: &CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let stopping = stopping.clone();
    async move { stopping.cancelled().await }
}
