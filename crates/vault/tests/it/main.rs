//! Tests of the vault from the outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bucket;
mod damage;
mod faults;
mod keys;
mod round_trip;
mod samples;
mod support;
