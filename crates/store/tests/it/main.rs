//! The use-cases of `control` on a real database, and the database's own promises.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers among them")]

mod cost;
mod deleted_vaults;
mod expiry;
mod file;
mod frozen;
mod guards;
mod jobs;
mod journey;
mod killed;
mod lists;
mod port;
mod scene;
mod schedule;
mod threads;
mod year;
