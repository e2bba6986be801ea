//! Tests of the vault from the outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bucket;
mod collect;
mod damage;
mod faults;
mod huge;
mod keys;
mod killed;
mod round_trip;
mod samples;
mod support;
mod together;
