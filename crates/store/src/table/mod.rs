//! The tables: one file per noun with its columns and its queries.

pub(crate) mod agenda;
pub(crate) mod audit;
pub(crate) mod item;
pub(crate) mod job;
pub(crate) mod operation;
pub(crate) mod place;
pub(crate) mod point;
pub(crate) mod policy;
pub(crate) mod principal;
pub(crate) mod record;
pub(crate) mod setting;
pub(crate) mod vault;
pub(crate) mod vm;
