#![no_main]
//! See `fuzz::texts`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::texts(data));
