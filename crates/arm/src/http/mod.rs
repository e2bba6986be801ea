//! The parts of Resource Manager's HTTP that every resource shares.

pub(crate) mod error;
pub(crate) mod filter;
pub(crate) mod members;
pub(crate) mod page;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod reply;
