//! Discovery of VMs, and who protects one.

use coffre_control::usecase::refresh_containers;
use serde_json::{Value, json};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::names::{VM_TYPE, container_name, item_name, parse_resource_id, policy_id, vault_id};

/// POST ~V/backupFabrics/{fabric}/refreshContainers
pub(crate) fn refresh(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (vault, operation) = call.write("refresh containers", |tx, cx| {
        let vault = call.vault(tx)?;
        let scope = vault_id(&vault);
        Ok((scope.clone(), refresh_containers(tx, cx, &scope)?.operation.id))
    })?;
    let path = format!("{vault}/backupFabrics/Azure/operationResults/{operation}");
    Ok(Reply::accepted().location(&call.url(&path)))
}

/// POST ~S/…/locations/{location}/backupStatus
pub(crate) fn backup_status(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    let kind = members.required_text("resourceType")?;
    if !kind.eq_ignore_ascii_case("VM") {
        return Err(ArmError::bad_body("resourceType must be VM.").target("resourceType"));
    }
    let id = members.required_text("resourceId")?;
    let subscription = call.subscription_id()?;
    let wanted = parse_resource_id(id, VM_TYPE)
        .filter(|it| it.subscription.eq_ignore_ascii_case(&subscription.to_string()))
        .ok_or_else(|| {
            ArmError::bad_body("resourceId is no id of a virtual machine in this subscription.")
                .target("resourceId")
        })?;
    let found = call.read("show backup status", |tx| {
        let Some(vm) = tx.vm_named(subscription, &wanted.group, &wanted.name)? else {
            return Ok(None);
        };
        let Some(item) = tx.item_of_vm(vm.id)? else { return Ok(None) };
        Ok(tx.vault(item.vault)?.map(|vault| (vault, item)))
    })?;
    Ok(Reply::ok(match found {
        None => status("NotProtected", "", "", "", "", ""),
        Some((vault, item)) => {
            let policy = item.policy.as_deref().map(|name| policy_id(&vault, name));
            status(
                "Protected",
                &vault_id(&vault),
                &container_name(&item.vm_group, &item.vm_name),
                &item_name(&item.vm_group, &item.vm_name),
                policy.as_deref().unwrap_or_default(),
                "Registered",
            )
        }
    }))
}

fn status(
    protection: &str,
    vault: &str,
    container: &str,
    item: &str,
    policy: &str,
    registration: &str,
) -> Value {
    json!({
        "protectionStatus": protection,
        "vaultId": vault,
        "fabricName": "Azure",
        "containerName": container,
        "protectedItemName": item,
        "policyName": policy,
        "registrationStatus": registration,
        "errorCode": "Success",
        "errorMessage": "",
    })
}

/// POST ~S/…/locations/{location}/backupValidateFeatures: every size of machine is supported.
pub(crate) fn validate_features(_call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(json!({ "supportStatus": "Supported" })))
}
