//! What schedules and retention promise, against independent oracles and random lives.
//!
//! Counts come from environment variables (`COFFRE_CASES` multiplies all of them); the defaults are
//! sized for a minute.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers among them")]

mod dice;
mod oracle;
mod policies;
mod retention;
mod vault_time;
mod zones;
