//! Many clients at once, each doing one thing after the other until time is up.

use super::target::Target;
use crate::failure::Failure;
use anyhow::anyhow;
use hdrhistogram::Histogram;
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How much, and for how long.
pub(super) struct Load {
    pub(super) clients: usize,
    pub(super) measure: Duration,
    pub(super) size: usize,
}

/// What came out.
pub(super) struct Measured {
    /// How long each operation took, in microseconds.
    pub(super) latency: Histogram<u64>,
    /// How long it was measured.
    pub(super) took: Duration,
    /// CPU time of all nodes; none when they are not on this machine.
    pub(super) cpu_nodes: Option<Duration>,
    /// CPU time of the clients.
    pub(super) cpu_client: Option<Duration>,
    /// Elections meanwhile, over all groups; none when the nodes are not this bench's.
    pub(super) elections: Option<u64>,
}

/// The longest operation that is told apart from longer ones, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;
/// Significant digits of a latency.
const DIGITS: u8 = 3;

pub(super) fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).map_err(Failure::unavailable)
}

pub(super) fn record(latency: &mut Histogram<u64>, took: Duration) {
    latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).max(1));
}

/// Runs each actor until the time is up. An operation that began in time counts, also when it ends
/// later: to leave out the slow ones at the end would flatter.
///
/// The first error of any client ends the whole: figures of a run with errors would mean nothing.
pub(super) async fn drive<Actor, Act, Acting>(
    target: &Target,
    load: &Load,
    actors: Vec<Actor>,
    act: Act,
) -> Result<Measured, Failure>
where
    Actor: Send + 'static,
    Act: Fn(Actor) -> Acting + Clone + Send + Sync + 'static,
    Acting: Future<Output = Result<Actor, Failure>> + Send,
{
    let cpu_before = (target.cpu_nodes(), Target::cpu_client());
    let terms_before = target.terms().await;
    let began = Instant::now();
    let until = began + load.measure;
    let mut clients = JoinSet::new();
    for mut actor in actors {
        let act = act.clone();
        clients.spawn(async move {
            let mut latency = histogram()?;
            while Instant::now() < until {
                let begun = Instant::now();
                actor = act(actor).await?;
                record(&mut latency, begun.elapsed());
            }
            Ok::<_, Failure>(latency)
        });
    }
    let mut latency = histogram()?;
    while let Some(ended) = clients.join_next().await {
        let one =
            ended.map_err(|error| Failure::unavailable(anyhow!("a client ended: {error}")))??;
        latency.add(one).map_err(Failure::unavailable)?;
    }
    let took = began.elapsed();
    if latency.is_empty() {
        return Err(Failure::unavailable(anyhow!(
            "nothing was done within the time; give more --seconds"
        )));
    }
    let since = |now: Option<Duration>, before: Option<Duration>| {
        now.zip(before).map(|(n, b)| n.saturating_sub(b))
    };
    Ok(Measured {
        latency,
        took,
        cpu_nodes: since(target.cpu_nodes(), cpu_before.0),
        cpu_client: since(Target::cpu_client(), cpu_before.1),
        elections: target
            .terms()
            .await
            .zip(terms_before)
            .map(|(now, before)| now.saturating_sub(before)),
    })
}

/// Makes `count` of something, several at a time.
pub(super) async fn prepare<T, Make, Making>(count: usize, make: Make) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    Make: Fn(usize) -> Making,
    Making: Future<Output = Result<T, Failure>> + Send + 'static,
{
    const AT_ONCE: usize = 16;
    let mut made = Vec::with_capacity(count);
    let mut under_way = JoinSet::new();
    let mut next = 0;
    while made.len() < count {
        while next < count && under_way.len() < AT_ONCE {
            under_way.spawn(make(next));
            next += 1;
        }
        let Some(one) = under_way.join_next().await else { break };
        made.push(one.map_err(|error| Failure::unavailable(anyhow!("a client ended: {error}")))??);
    }
    Ok(made)
}
