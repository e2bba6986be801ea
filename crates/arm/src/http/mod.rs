//! The parts of Resource Manager's HTTP that every resource shares.

pub mod error;
pub mod filter;
pub mod members;
pub mod page;
pub mod path;
pub mod query;
pub mod reply;
