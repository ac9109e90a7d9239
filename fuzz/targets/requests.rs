#![no_main]
//! See `fuzz::requests`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::requests(data));
