#![no_main]
//! See `fuzz::settings`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::settings(data));
