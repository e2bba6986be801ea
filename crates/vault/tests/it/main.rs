//! Tests of the vault from the outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bucket;
mod collect;
mod contract;
mod damage;
mod damage_table;
mod faults;
mod huge;
mod keys;
mod killed;
mod locks;
mod reading;
mod round_trip;
mod samples;
mod specimen;
mod support;
mod together;
