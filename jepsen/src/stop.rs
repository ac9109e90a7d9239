//! Ctrl-C, and that nothing of a run stays behind, however the harness ends.
//!
//! Network namespaces and node processes end with the harness by themselves (see [`crate::net`] and
//! `server::cluster`). Mounts do too: the harness lives in a mount namespace of its own, whose mounts the kernel
//! takes away with its last process. Control groups that were left are removed by the next harness.

use std::{
    env, io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    thread,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Set for a harness that is in its own mount namespace.
const OWN: &str = "HOLDFAST_JEPSEN_OWN_MOUNTS";

/// What was asked for from outside.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Begin nothing more.
    pub soon: CancellationToken,
    /// End what goes on.
    pub now: CancellationToken,
}

impl Stop {
    /// Ctrl-C ends what goes on; in a `campaign` the first one lets the present run end. SIGTERM ends what
    /// goes on.
    ///
    /// # Errors
    /// The system does not tell of signals.
    pub fn by_signal(campaign: bool) -> io::Result<Stop> {
        let stop = Stop::default();
        let told = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let at_once = tokio::select! {
                        _ = interrupt.recv() => !campaign || told.soon.is_cancelled(),
                        _ = terminate.recv() => true,
                    };
                    told.soon.cancel();
                    if at_once {
                        told.now.cancel();
                    }
                }
            });
        })?;
        Ok(stop)
    }
}

/// Goes on in a mount namespace of its own, where that is to be had: the process is replaced by itself.
/// Otherwise nothing is done, and disks of nodes are not to be had either.
pub fn own_mounts() {
    let Ok(program) = env::current_exe() else { return };
    if env::var_os(OWN).is_some() || !rustix::process::geteuid().is_root() {
        return;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--"]);
        command
    };
    let to_be_had = unshare().arg("true").stdin(Stdio::null()).stderr(Stdio::null()).status();
    if to_be_had.is_ok_and(|status| status.success()) {
        // It comes back only if it failed, and then everything goes on as it was.
        let _ = unshare().arg(program).args(env::args_os().skip(1)).env(OWN, "1").exec();
    }
}
