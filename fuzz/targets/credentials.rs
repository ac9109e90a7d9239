#![no_main]
//! See `fuzz::credentials`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::credentials(data));
