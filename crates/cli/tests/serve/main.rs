//! The real binary: a service on a folder of its own, and the client verbs against it.
#![allow(clippy::unwrap_used)] // In a test a panic is the report.

mod crash;
mod image;
mod local_tier;
mod service;
mod stand;
mod verbs;
