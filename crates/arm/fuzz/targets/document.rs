#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| coffre_arm::fuzz_entries::document(bytes));
