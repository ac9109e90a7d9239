//! The replicated state machine and the little it asks of a disk.
