#![no_main]
//! See `fuzz::snapshots`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::snapshots(data));
