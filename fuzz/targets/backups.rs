#![no_main]
//! See `fuzz::backups`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::backups(data));
