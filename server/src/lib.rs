//! One node from settings to drain, and whole clusters of them.
