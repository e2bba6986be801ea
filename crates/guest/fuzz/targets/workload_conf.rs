#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| coffre_guest::fuzz_entries::workload_conf(bytes));
