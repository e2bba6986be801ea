//! What the routes do: read the request, call a use-case, render the outcome.

pub(crate) mod audit;
pub(crate) mod deleted_vault;
pub(crate) mod deployment;
pub(crate) mod device;
pub(crate) mod discovery;
pub(crate) mod files;
pub(crate) mod generic;
pub(crate) mod group;
pub(crate) mod item;
pub(crate) mod job;
pub(crate) mod life;
pub(crate) mod lock;
pub(crate) mod oauth;
pub(crate) mod operation;
pub(crate) mod point;
pub(crate) mod policy;
pub(crate) mod protection;
pub(crate) mod resource_guard;
pub(crate) mod restore;
pub(crate) mod role;
pub(crate) mod storage;
pub(crate) mod tag;
pub(crate) mod tenancy;
pub(crate) mod vault;
pub(crate) mod vault_config;
pub(crate) mod vm;
