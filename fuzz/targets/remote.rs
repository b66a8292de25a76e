#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| offspring::__fuzz::remote(data));
