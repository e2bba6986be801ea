//! Whole journeys: the built `coffre`, real VMs, real commands. Run one at a time (`cargo xtask test` does).
//!
//! Each test has a world of its own: a service in a new folder and a guest that it hosts.
#![expect(
    clippy::print_stdout,
    reason = "what a person would be told is worth reading in the log of a test"
)]

mod az;
mod az_life;
mod az_more;
mod az_sign_in;
mod browser;
mod crash;
mod extension;
mod first_run;
mod incremental;
mod instant;
mod point;
mod portal;
mod postgres;
mod refusals;
mod schedule;
mod sdk;
mod world;
