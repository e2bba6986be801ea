//! `coffre vault create|list|show` of the service.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};
use ureq::http::Method;

use super::api::{Api, part};
use super::vm::{group_of, id, same};
use crate::say::{self, Column, Format};

/// What a vault of the service is made with.
#[derive(Debug, Clone)]
pub(crate) struct ArmVaultCreate {
    /// Resource group; made when it is not there.
    pub(crate) group: String,
    /// Name.
    pub(crate) name: String,
    /// Region.
    pub(crate) location: String,
}

const VAULT_COLUMNS: &[Column] = &[
    ("Name", "/name"),
    ("Group", "/group"),
    ("Region", "/location"),
    ("Redundancy", "/properties/redundancySettings/standardTierStorageRedundancy"),
    ("Soft delete", "/properties/securitySettings/softDeleteSettings/softDeleteState"),
];
/// Makes a vault, and its resource group when that is not there.
pub(crate) fn create(
    api: &Api,
    format: Format,
    wanted: &ArmVaultCreate,
) -> anyhow::Result<ExitCode> {
    let group = api.group_path(&wanted.group);
    let groups = api.list(&format!("{}/resourcegroups", api.subscription_path()))?;
    if !groups.iter().any(|row| same(&row["name"], &wanted.group)) {
        api.change(&Method::PUT, &group, Some(&json!({ "location": wanted.location })))?;
    }
    let path =
        format!("{group}/providers/Microsoft.RecoveryServices/vaults/{}", part(&wanted.name));
    let body = json!({
        "location": wanted.location,
        "sku": { "name": "Standard" },
        "properties": { "publicNetworkAccess": "Enabled" },
    });
    api.change(&Method::PUT, &path, Some(&body))?;
    let vault = api.get(&path)?;
    say::one(format, &with_group(vault), VAULT_COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}

/// Lists the vaults of the subscription.
pub(crate) fn list(api: &Api, format: Format) -> anyhow::Result<ExitCode> {
    let rows: Vec<Value> = all(api)?.into_iter().map(with_group).collect();
    say::list(format, &rows, VAULT_COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows a vault.
pub(crate) fn show(api: &Api, format: Format, name: &str) -> anyhow::Result<ExitCode> {
    let vault = find(api, name)?;
    say::one(format, &with_group(vault), VAULT_COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}

/// The vault with this name; names are unique in a subscription.
pub(super) fn find(api: &Api, name: &str) -> anyhow::Result<Value> {
    match all(api)?.into_iter().find(|row| same(&row["name"], name)) {
        Some(vault) => Ok(vault),
        None => bail!("there is no vault named {name}; see `coffre vault list`"),
    }
}

fn all(api: &Api) -> anyhow::Result<Vec<Value>> {
    let path = format!("{}/providers/Microsoft.RecoveryServices/vaults", api.subscription_path());
    api.list(&path)
}

fn with_group(mut vault: Value) -> Value {
    vault["group"] = group_of(id(&vault)).into();
    vault
}
