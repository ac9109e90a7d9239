//! When to leave. The first SIGTERM or SIGINT asks the node to drain; a second one ends it at
//! once, for whoever has no time left.

use std::io;

use signal_hook::low_level;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// 128 and the number of SIGTERM, as a shell reports a process that a signal ended.
const EXIT_AT_ONCE: i32 = 128 + 15;

/// No destructor runs: the engine's own threads are still at work.
fn end_at_once() -> ! {
    low_level::exit(EXIT_AT_ONCE)
}

/// Listens for signals from now on. The token is cancelled at the first one.
///
/// # Errors
/// The system refuses to deliver signals.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    let leave = CancellationToken::new();
    let first = leave.clone();
    tokio::spawn(async move {
        let name = signals.next().await;
        info!(signal = name, "leaving: draining first; a second signal ends this process at once");
        first.cancel();
        let name = signals.next().await;
        warn!(signal = name, "second signal: ending at once");
        end_at_once();
    });
    Ok(leave)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Ends the process as soon as its starter is gone: standard input is a pipe on which nothing is
/// ever said, so all that can come is its end. A starter that was killed could not say goodbye.
pub fn end_with_parent() {
    // A thread, because a blocking read of standard input would keep an async runtime from ending.
    std::thread::spawn(|| {
        let mut said = [0; 64];
        while matches!(io::Read::read(&mut io::stdin(), &mut said), Ok(n) if n > 0) {}
        warn!("the process that started this node is gone: ending at once");
        end_at_once();
    });
}
