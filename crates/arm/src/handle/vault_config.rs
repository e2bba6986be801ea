//! The configuration objects of a vault.

use coffre_control::model::{Redundancy, SoftDelete, SoftDeleteState, Vault};
use coffre_control::port::Search;
use coffre_control::usecase::{VaultPatch, update_vault};
use serde_json::Value;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::render::vault as render;

fn of_vault(call: &Call<'_>, body: fn(&Vault) -> Value) -> Result<Reply, ArmError> {
    let vault = call.read("show vault", |tx| call.vault(tx))?;
    Ok(Reply::ok(body(&vault)))
}

/// GET ~V/backupstorageconfig/vaultstorageconfig
pub(crate) fn storage(call: &Call<'_>) -> Result<Reply, ArmError> {
    of_vault(call, render::storage_config)
}

/// GET ~V/backupconfig/vaultconfig
pub(crate) fn vault(call: &Call<'_>) -> Result<Reply, ArmError> {
    of_vault(call, render::vault_config)
}

/// GET ~V/backupEncryptionConfigs/backupResourceEncryptionConfig
pub(crate) fn encryption(call: &Call<'_>) -> Result<Reply, ArmError> {
    of_vault(call, render::encryption_config)
}

/// GET ~V/usages and ~V/backupUsageSummaries
pub(crate) fn usages(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (items, deleted, points, stored) = call.read("count usages", |tx| {
        let vault = call.vault(tx)?;
        let vault = Some(vault.id);
        let mut count = |deleted| {
            tx.count_items(&Search { vault, deleted: Some(deleted), ..Search::default() })
        };
        let (kept, gone) = (count(false)?, count(true)?);
        let stored = tx.stored(vault)?;
        Ok((kept, gone, stored.points, stored.bytes))
    })?;
    Ok(Reply::list(vec![
        render::usage("ProtectedItemCount", "Protected items", "Count", items),
        render::usage("SoftDeletedItemCount", "Soft-deleted items", "Count", deleted),
        render::usage("RecoveryPointCount", "Recovery points", "Count", points),
        render::usage("StoredBytes", "Bytes stored", "Bytes", stored),
    ]))
}

/// PATCH or PUT ~V/backupconfig/vaultconfig
pub(crate) fn put_vault(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    let properties = members.object("properties")?;
    let state = match properties.text("softDeleteFeatureState")? {
        None => None,
        // The commands send the verb as well as the state.
        Some(text) => Some(match text.to_ascii_lowercase().as_str() {
            "disable" | "disabled" => SoftDeleteState::Disabled,
            "enable" | "enabled" => SoftDeleteState::Enabled,
            "alwayson" => SoftDeleteState::AlwaysOn,
            _ => {
                let message = format!("'{}' is no value for softDeleteFeatureState.", clip(text));
                return Err(ArmError::bad_body(message).target("properties.softDeleteFeatureState"));
            }
        }),
    };
    let days = properties.integer("softDeleteRetentionPeriodInDays")?;
    let vault = call.write("put vault config", |tx, cx| {
        let vault = call.vault(tx)?;
        let current = vault.soft_delete;
        let days = days.map_or(current.days, |days| u16::try_from(days).unwrap_or(u16::MAX));
        let wanted = SoftDelete { state: state.unwrap_or(current.state), days };
        let patch = VaultPatch { soft_delete: Some(wanted), ..VaultPatch::default() };
        update_vault(tx, cx, vault.id, patch)
    })?;
    Ok(Reply::ok(render::vault_config(&vault)))
}

fn change_storage(call: &Call<'_>) -> Result<Vault, ArmError> {
    let members = call.members()?;
    let properties = members.object("properties")?;
    let redundancy = match properties.text("storageModelType")? {
        None => properties.text("storageType")?,
        found => found,
    };
    let redundancy = redundancy
        .map(|text| {
            Redundancy::from_azure(text).ok_or_else(|| {
                let message = format!("'{}' is no value for storageModelType.", clip(text));
                ArmError::bad_body(message).target("properties.storageModelType")
            })
        })
        .transpose()?;
    let cross_region_restore = properties.boolean("crossRegionRestoreFlag")?;
    call.write("put storage config", |tx, cx| {
        let vault = call.vault(tx)?;
        let patch = VaultPatch { redundancy, cross_region_restore, ..VaultPatch::default() };
        update_vault(tx, cx, vault.id, patch)
    })
}

/// PUT ~V/backupstorageconfig/vaultstorageconfig
pub(crate) fn put_storage(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(render::storage_config(&change_storage(call)?)))
}

/// PATCH ~V/backupstorageconfig/vaultstorageconfig, which answers nothing
pub(crate) fn patch_storage(call: &Call<'_>) -> Result<Reply, ArmError> {
    change_storage(call).map(|_| Reply::no_content())
}
