//! Files that the process may have open: connections are some, and the database must never lack one
//! because strangers have taken them all.

use raft::listener::Limits;
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};

/// Files that are kept for the database, the log and other nodes.
const KEPT: usize = 512;

/// Asks for as many files as the system allows, and bounds connections by what there is.
pub(super) fn within(limits: Limits) -> Limits {
    let before = getrlimit(Resource::Nofile);
    let mut raised = before;
    raised.current = before.maximum;
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised,
        Err(error) => {
            warn!(%error, "the limit of open files stays as it is");
            before
        }
    };
    let Some(files) = now.current.and_then(|files| usize::try_from(files).ok()) else {
        return limits;
    };
    let connections = limits.connections.min(room(files));
    if connections < limits.connections {
        info!(
            files,
            asked = limits.connections,
            connections,
            "fewer connections than limits.connections: the process may not open more files"
        );
    }
    Limits { connections, ..limits }
}

/// Connections among so many files: all but those that are kept, and a quarter where there are few.
fn room(files: usize) -> usize {
    files.saturating_sub(KEPT).max(files / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_has_its_files_whatever_strangers_do() {
        assert_eq!([0, 256, 600, 1_024, 1 << 20].map(room), [1, 64, 150, 512, (1 << 20) - KEPT]);
    }
}
