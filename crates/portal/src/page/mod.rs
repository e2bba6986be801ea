//! The pages, one file each: what it reads, what it shows, what its forms do.

use std::str::FromStr;

pub(crate) mod access;
pub(crate) mod activity;
pub(crate) mod approvals;
pub(crate) mod backup;
pub(crate) mod codes;
pub(crate) mod costs;
pub(crate) mod device;
pub(crate) mod error;
pub(crate) mod guards;
pub(crate) mod guest_log;
pub(crate) mod guides;
pub(crate) mod item;
pub(crate) mod items;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod notifications;
pub(crate) mod overview;
pub(crate) mod policy;
pub(crate) mod policy_edit;
mod policy_parts;
pub(crate) mod power;
pub(crate) mod preferences;
pub(crate) mod prelude;
pub(crate) mod protect;
pub(crate) mod restore;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod sign_in_code;
pub(crate) mod sign_in_outside;
pub(crate) mod stop;
pub(crate) mod vault;
pub(crate) mod vault_new;
pub(crate) mod vault_protect;
pub(crate) mod vaults;
pub(crate) mod vm;
pub(crate) mod vms;
pub(crate) mod welcome;

/// Reads an id out of a path; what is no id names no page.
pub(crate) fn parse_id<T: FromStr>(text: &str) -> Result<T, error::Problem> {
    text.parse().map_err(|_| error::Problem::NoPage)
}
