//! The client: commits, sync, devices, recovery, local copy.
