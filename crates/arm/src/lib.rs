//! The Azure Resource Manager REST surface.
//!
//! Its one job: turn requests of Azure's clients into use-cases of `coffre-control`, and their
//! outcomes into the exact shapes that those clients read. It decides nothing about backups,
//! and it knows no database, no hypervisor and no block.

pub mod http;
pub mod token;
