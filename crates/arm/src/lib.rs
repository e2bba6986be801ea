//! The Azure Resource Manager REST surface.
//!
//! Its one job: turn requests of Azure's clients into use-cases of `coffre-control`, and their
//! outcomes into the exact shapes that those clients read. It decides nothing about backups,
//! and it knows no database, no hypervisor and no block.
//!
//! A request goes through `serve` (ids, sign-in, permission), finds its entry in the one table
//! of `route`, and reaches a handler as a `Call`. What the clients need in HTTP is in `http`,
//! how nouns look is in `render`, how they are named in `names`.

mod assertion;
mod call;
mod deployments;
mod guard;
mod handle;
mod http;
mod inner;
mod names;
mod openapi;
mod policy_body;
mod rate;
mod render;
mod route;
mod serve;
mod sign_in;
mod state;
mod template;
pub mod token;

/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/entries.rs"]
pub mod fuzz_entries;

pub use deployments::Deployments;
pub use openapi::openapi;
pub use route::{Permission, RouteInfo, routes};
pub use serve::router;
pub use state::{ArmState, GuestLog, PageKey};
pub use token::{Claims, TokenFault, Tokens};
