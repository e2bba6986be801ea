#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| coffre_vault::format::fuzz_entries::changed_map(bytes));
