//! What a node tells the one that supervises it, by systemd's protocol of `sd_notify(3)`.
//!
//! Promises: `READY=1` once its ports are open, `WATCHDOG=1` twice within the time that the supervisor
//! allows and only while the runtime runs and no disk has failed, `STOPPING=1` when it begins to leave.
//! Without `NOTIFY_SOCKET` nothing is said.
//!
//! Not here: whether the node is any use to clients; a locked or fresh node is ready for its operator
//! (`/readyz` is about clients).

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

#[cfg(test)]
mod tests;

/// The one who supervises this process, if there is one.
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As the environment names it.
    pub(crate) fn of_environment() -> Supervisor {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| match connect(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn!(%error, "NOTIFY_SOCKET cannot be reached; the supervisor is told nothing");
                None
            }
        });
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| meant && socket.is_some());
        Supervisor { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// The ports are open.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// The node begins to leave.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// Says that all is well for as long as it is, until `ended`.
    pub(crate) async fn watch(&self, well: impl Fn() -> bool, ended: CancellationToken) {
        let Some(allowed) = self.watchdog else { return };
        info!(
            allowed_ms = allowed.as_millis(),
            "the supervisor ends this process if it falls silent"
        );
        let mut ticks = tokio::time::interval((allowed / 2).max(Duration::from_millis(1)));
        while ended.run_until_cancelled(ticks.tick()).await.is_some() {
            if well() {
                self.say("WATCHDOG=1");
            }
        }
    }

    fn say(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            warn!(%error, state, "the supervisor was not told");
        }
    }
}

/// A path, or a name in the abstract namespace behind `@`.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(name)?,
    }
    // A supervisor that does not read must not hold the node up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}
