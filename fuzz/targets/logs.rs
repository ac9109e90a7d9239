#![cfg_attr(fuzzing, no_main)]
//! See `fuzz::logs`.

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::logs(data));

/// Without `--cfg fuzzing` the parsers are not to be reached.
#[cfg(not(fuzzing))]
fn main() {}
