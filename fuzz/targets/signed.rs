#![no_main]
//! See `fuzz::signed`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::signed(data));
