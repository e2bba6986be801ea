//! Starts a restore.

use coffre_control::model::Vault;
use coffre_control::port::Tx;
use coffre_control::usecase::{Restore, RestoreWish, restore};
use coffre_control::{ErrorCode, Refusal};

use crate::call::Call;
use crate::handle::protection::{check_kind, check_source};
use crate::handle::{operation, point};
use crate::http::error::ArmError;
use crate::http::members::Members;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{ResourceRef, STORAGE_TYPE, VM_TYPE, item_id, parse_resource_id, region_name};

/// POST ~PI/recoveryPoints/{point}/restore
pub(crate) fn start(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let body = call.members()?;
    let properties = body.object("properties")?;
    check_kind(&properties, &["IaasVMRestoreRequest", "IaasVMRestoreWithRehydrationRequest"])?;
    check_source(call, &properties, &names)?;
    check_point(call, &properties)?;
    let (target, account) = target(call, &properties)?;
    let region = properties.text("region")?.map(region_name).unwrap_or_default();
    let (id, operation) = call.write("restore", |tx, cx| {
        let (vault, item, point) = point::find(call, tx, &names)?;
        check_region(&vault, &region)?;
        if let Some(account) = &account {
            check_account(tx, &vault, account)?;
        }
        let id = item_id(&vault, &item);
        let input = Restore { item: item.id, point: point.id, target };
        let accepted = restore(tx, cx, input, &id)?;
        Ok((id, accepted.operation.id))
    })?;
    Ok(operation::accepted(call, &id, operation))
}

fn check_point(call: &Call<'_>, properties: &Members<'_>) -> Result<(), ArmError> {
    let in_path = call.param("point");
    match properties.text("recoveryPointId")? {
        None | Some("") => Ok(()),
        Some(named) if named == in_path => Ok(()),
        Some(named) => Err(ArmError::bad_body(format!(
            "recoveryPointId '{}' is not '{}', which the address names.",
            clip(named),
            clip(in_path)
        ))
        .target("properties.recoveryPointId")),
    }
}

fn check_region(vault: &Vault, region: &str) -> Result<(), Refusal> {
    if region.is_empty() || region == vault.region {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::InvalidParameter,
        format!(
            "The region of a restore is that of its vault: '{}', not '{}'.",
            vault.region,
            clip(region)
        ),
    )
    .about("region"))
}

/// Where to restore to, and the storage account that the body names.
fn target(
    call: &Call<'_>,
    properties: &Members<'_>,
) -> Result<(RestoreWish, Option<ResourceRef>), ArmError> {
    let luns = properties.numbers("restoreDiskLunList")?;
    let kind = properties.required_text("recoveryType")?;
    match kind.to_ascii_lowercase().as_str() {
        "restoredisks" => {
            let account = account(call, properties)?;
            let name = account.name.clone();
            Ok((RestoreWish::Disks { account: name, luns }, Some(account)))
        }
        "originallocation" => Ok((RestoreWish::InPlace { luns }, None)),
        "alternatelocation" => {
            let member = "targetVirtualMachineId";
            let id = properties.required_text(member)?;
            let vm = in_subscription(call, id, VM_TYPE, member)?;
            Ok((RestoreWish::NewVm { name: vm.name, group: vm.group }, None))
        }
        _ => Err(ArmError::bad_body(format!(
            "'{}' is no recoveryType; use RestoreDisks, OriginalLocation or AlternateLocation.",
            clip(kind)
        ))
        .target("properties.recoveryType")),
    }
}

/// The account stands in one of two places, by how the client signs in to it.
fn account(call: &Call<'_>, properties: &Members<'_>) -> Result<ResourceRef, ArmError> {
    let by_identity = properties.object("identityBasedRestoreDetails")?;
    let id = match by_identity.text("targetStorageAccountId")? {
        Some(id) => id,
        None => properties.required_text("storageAccountId")?,
    };
    in_subscription(call, id, STORAGE_TYPE, "storageAccountId")
}

fn in_subscription(
    call: &Call<'_>,
    id: &str,
    kind: &str,
    member: &str,
) -> Result<ResourceRef, ArmError> {
    let subscription = call.subscription_id()?.to_string();
    let found = parse_resource_id(id, kind)
        .filter(|it| it.subscription.eq_ignore_ascii_case(&subscription));
    found.ok_or_else(|| {
        ArmError::bad_body(format!("'{}' is no id of a {kind} in this subscription.", clip(id)))
            .target(format!("properties.{member}"))
    })
}

fn check_account(tx: &mut dyn Tx, vault: &Vault, account: &ResourceRef) -> Result<(), Refusal> {
    let found = tx.storage_account(vault.subscription, &account.name)?;
    // One that does not exist at all is refused by the use-case, with the list of those that do.
    match found.filter(|it| !it.group.eq_ignore_ascii_case(&account.group)) {
        None => Ok(()),
        Some(other) => Err(Refusal::new(
            ErrorCode::UserErrorTargetStorageAccountNotFound,
            format!(
                "Storage account '{}' is in resource group '{}', not in '{}'.",
                other.name,
                other.group,
                clip(&account.group)
            ),
        )
        .about("storageAccountId")),
    }
}
