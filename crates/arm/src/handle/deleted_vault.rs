//! Deleted vaults: seen, and brought back.

use coffre_control::model::DeletedVault;
use coffre_control::usecase::{get_deleted_vault, list_deleted_vaults, undelete_vault};
use serde_json::json;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{deleted_vault_id, parse_group_id, region_name, vault_id};
use crate::render::{resource, time};

fn body(kept: &DeletedVault) -> serde_json::Value {
    resource(
        deleted_vault_id(&kept.vault, &kept.name()),
        &kept.name(),
        "Microsoft.RecoveryServices/locations/deletedVaults",
        json!({
            "vaultId": vault_id(&kept.vault),
            "vaultDeletionTime": time(kept.deleted),
            "purgeAt": time(kept.until),
        }),
    )
}

/// GET ~S/…/locations/{location}/deletedVaults
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (id, region) = (call.subscription_id()?, region_name(call.param("location")));
    let all =
        call.look("list deleted vaults", |tx, cx| list_deleted_vaults(tx, cx, id, &region))?;
    call.page(&all, body)
}

/// GET ~S/…/locations/{location}/deletedVaults/{deleted}
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (id, region) = (call.subscription_id()?, region_name(call.param("location")));
    let kept = call.look("show deleted vault", |tx, cx| {
        get_deleted_vault(tx, cx, id, &region, call.param("deleted"))
    })?;
    Ok(Reply::ok(body(&kept)))
}

/// POST ~S/…/locations/{location}/deletedVaults/{deleted}/undelete: into the group that the body
/// names, or else into the one that the vault was in
pub(crate) fn undelete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?.object("properties")?;
    let (id, region) = (call.subscription_id()?, region_name(call.param("location")));
    let group = match members.text("recoveryResourceGroupId")? {
        None => None,
        Some(text) => Some(parse_group_id(id, text).ok_or_else(|| {
            let message =
                format!("'{}' is no id of a resource group in this subscription.", clip(text));
            ArmError::bad_body(message).target("properties.recoveryResourceGroupId")
        })?),
    };
    let (scope, operation) = call.write("undelete vault", |tx, cx| {
        let kept = get_deleted_vault(tx, cx, id, &region, call.param("deleted"))?;
        let scope = deleted_vault_id(&kept.vault, &kept.name());
        let group = group.clone().unwrap_or_else(|| kept.vault.group.clone());
        Ok((scope.clone(), undelete_vault(tx, cx, kept, &group, &scope)?.id))
    })?;
    Ok(Reply::accepted().async_operation(&call.url(&format!("{scope}/operations/{operation}"))))
}
