//! Certificates that were renewed on disk are used without a restart.
//!
//! Promises: the files are looked at every few seconds, and at once on SIGHUP; what they hold is used whole
//! or not at all. Whoever writes certificate and key one after the other is seen in between at worst: then
//! the old ones stay in use until the files change again.
//!
//! Not here: getting new certificates, and the files' paths, which stay as configured.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::TlsFiles;
use crate::metrics::ProgramMetrics;
use crate::tls::Certificates;

/// How long a renewed certificate may go unnoticed.
const LOOK: Duration = Duration::from_secs(10);

/// Looks after the certificates until `ended`.
///
/// # Errors
/// The system refuses to deliver signals.
pub(crate) fn attend(
    certificates: Certificates,
    files: TlsFiles,
    metrics: ProgramMetrics,
    ended: CancellationToken,
) -> std::io::Result<()> {
    let mut asked = signal(SignalKind::hangup())?;
    metrics.certificates(certificates.expiry());
    tokio::spawn(async move {
        let mut known = Stamp::of(&files);
        loop {
            let at_once = tokio::select! {
                () = ended.cancelled() => return,
                _ = asked.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let found = Stamp::of(&files);
            if found == known && !at_once {
                continue;
            }
            known = found;
            match certificates.renew(&files) {
                Ok(()) => {
                    metrics.certificates(certificates.expiry());
                    info!(certificate = %files.cert.display(), "certificates were read anew");
                }
                Err(error) => {
                    warn!(%error, "the files of TLS have changed and cannot be used; the old ones stay in use")
                }
            }
        }
    });
    Ok(())
}

/// What tells a file that was written anew, also to the same length within the same second.
#[derive(PartialEq, Eq)]
struct Stamp([Option<(u64, i64, i64, u64)>; 3]);

impl Stamp {
    fn of(files: &TlsFiles) -> Stamp {
        let of = |found: Metadata| (found.ino(), found.mtime(), found.mtime_nsec(), found.len());
        Stamp([&files.ca, &files.cert, &files.key].map(|file| file.metadata().ok().map(of)))
    }
}
