//! Changes to protected items: protect, change, stop, delete, bring back, back up.
//!
//! All that can be checked is checked before the answer 202, since the commands do not tell their
//! user about a failure that comes later.

use coffre_control::model::{DiskSelection, ProtectedItem, Vault, Vm};
use coffre_control::port::Tx;
use coffre_control::usecase::{
    Accepted, EnableProtection, backup_now, delete_backup_data, enable_protection, stop_protection,
    suspend_protection, undelete_item,
};
use coffre_control::{Cx, ErrorCode, Refusal};

use crate::call::Call;
use crate::handle::{item, operation, policy};
use crate::http::error::ArmError;
use crate::http::members::Members;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{
    VM_TYPE, VmRef, container_id, item_id, item_name, parse_policy_id, parse_resource_id,
};

/// What a PUT of an item asks for.
enum Wish {
    /// Protect with this policy.
    Protect { policy_id: String },
    /// Keep the policy, change the disks.
    ChangeDisks,
    /// Stop, keep the points.
    Stop,
    /// Stop, let the points go as the policy says.
    Suspend,
    /// Bring deleted data back.
    Undelete,
}

/// A choice of disks, as the use-case takes it.
type DiskWish = Option<Option<DiskSelection>>;

fn wish(properties: &Members<'_>) -> Result<Wish, ArmError> {
    let kind = properties.text("protectedItemType")?.unwrap_or(VM_TYPE);
    if !kind.eq_ignore_ascii_case(VM_TYPE) {
        let message = format!("'{}' is not {VM_TYPE}.", clip(kind));
        return Err(ArmError::bad_body(message).target("properties.protectedItemType"));
    }
    if properties.boolean("isRehydrate")?.unwrap_or(false) {
        return Ok(Wish::Undelete);
    }
    let state = properties.text("protectionState")?.unwrap_or_default().to_ascii_lowercase();
    let policy_id = properties.text("policyId")?.unwrap_or_default();
    match state.as_str() {
        "protectionstopped" if policy_id.is_empty() => Ok(Wish::Stop),
        "backupssuspended" => Ok(Wish::Suspend),
        _ if !policy_id.is_empty() => Ok(Wish::Protect { policy_id: policy_id.to_owned() }),
        _ if properties.has("extendedProperties") => Ok(Wish::ChangeDisks),
        _ => Err(ArmError::bad_body("The member 'properties.policyId' is required.")
            .target("properties.policyId")),
    }
}

/// Absent keeps the choice, an empty object takes all disks again.
fn disks(properties: &Members<'_>) -> Result<DiskWish, ArmError> {
    if !properties.has("extendedProperties") {
        return Ok(None);
    }
    let extended = properties.object("extendedProperties")?;
    if !extended.has("diskExclusionProperties") {
        return Ok(Some(None));
    }
    let exclusion = extended.object("diskExclusionProperties")?;
    let luns = exclusion.numbers("diskLunList")?.unwrap_or_default();
    let include = exclusion.boolean("isInclusionList")?.unwrap_or(false);
    Ok(Some(Some(DiskSelection { luns, include })))
}

/// Refuses unless `sourceResourceId`, when it is given, speaks of the VM that the names in the path
/// speak of.
pub(crate) fn check_source(
    call: &Call<'_>,
    properties: &Members<'_>,
    names: &VmRef,
) -> Result<(), ArmError> {
    let Some(source) = properties.text("sourceResourceId")?.filter(|it| !it.is_empty()) else {
        return Ok(());
    };
    let subscription = call.subscription_id()?.to_string();
    let same = parse_resource_id(source, VM_TYPE).is_some_and(|it| {
        it.subscription.eq_ignore_ascii_case(&subscription)
            && it.group.eq_ignore_ascii_case(&names.group)
            && it.name.eq_ignore_ascii_case(&names.name)
    });
    if same {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "BMSUserErrorInvalidSourceResourceId",
        format!(
            "sourceResourceId '{}' is not the virtual machine '{}' of resource group '{}' that the address names.",
            clip(source),
            names.name,
            names.group
        ),
    )
    .target("properties.sourceResourceId"))
}

fn find_vm(tx: &mut dyn Tx, vault: &Vault, names: &VmRef) -> Result<Vm, Refusal> {
    // An item knows its VM also when that was renamed since.
    let of_item = match tx.item_named(vault.id, &names.group, &names.name)? {
        Some(item) => tx.vm(item.vm)?,
        None => None,
    };
    let found = match of_item {
        Some(vm) => Some(vm),
        None => tx.vm_named(vault.subscription, &names.group, &names.name)?,
    };
    found.ok_or_else(|| {
        Refusal::new(
            ErrorCode::UserErrorVmNotFoundV2,
            format!(
                "There is no virtual machine '{}' in resource group '{}'.",
                names.name, names.group
            ),
        )
        .about("sourceResourceId")
    })
}

/// PUT ~PI
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let body = call.members()?;
    let properties = body.object("properties")?;
    check_source(call, &properties, &names)?;
    let (wish, disks) = (wish(&properties)?, disks(&properties)?);
    let (id, operation) = call.write("put item", |tx, cx| {
        let vault = call.vault(tx)?;
        let (item, accepted) = match wish {
            Wish::Protect { policy_id } => protect(tx, cx, &vault, &names, &policy_id, disks)?,
            Wish::ChangeDisks => change_disks(tx, cx, &vault, &names, disks)?,
            Wish::Stop => {
                let item = item::find(tx, &vault, &names)?;
                stop_protection(tx, cx, item.id, &item_id(&vault, &item))?
            }
            Wish::Suspend => {
                let item = item::find(tx, &vault, &names)?;
                suspend_protection(tx, cx, item.id, &item_id(&vault, &item))?
            }
            Wish::Undelete => {
                let item = item::find(tx, &vault, &names)?;
                undelete_item(tx, cx, item.id, &item_id(&vault, &item))?
            }
        };
        Ok((item_id(&vault, &item), accepted.operation.id))
    })?;
    Ok(operation::accepted(call, &id, operation))
}

fn protect(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    names: &VmRef,
    policy_id: &str,
    disk_selection: DiskWish,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    let vm = find_vm(tx, vault, names)?;
    let name =
        parse_policy_id(policy_id, vault).ok_or_else(|| policy::unknown(vault, policy_id))?;
    let scope = scope(tx, vault, &vm)?;
    let input = EnableProtection { vault: vault.id, vm: vm.id, policy: name, disk_selection };
    enable_protection(tx, cx, input, &scope)
}

fn change_disks(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    names: &VmRef,
    disk_selection: DiskWish,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    let item = item::find(tx, vault, names)?;
    let Some(policy) = item.policy.clone() else {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorProtectionStopped,
            format!("Protection of '{}' is stopped; name a policy to resume it.", item.vm_name),
        ));
    };
    let scope = item_id(vault, &item);
    let input = EnableProtection { vault: vault.id, vm: item.vm, policy, disk_selection };
    enable_protection(tx, cx, input, &scope)
}

/// The id that the VM's item has, or will have.
fn scope(tx: &mut dyn Tx, vault: &Vault, vm: &Vm) -> Result<String, Refusal> {
    if let Some(item) = tx.item_of_vm(vm.id)?.filter(|item| item.vault == vault.id) {
        return Ok(item_id(vault, &item));
    }
    let container = container_id(vault, &vm.group, &vm.name);
    Ok(format!("{container}/protectedItems/{}", item_name(&vm.group, &vm.name)))
}

/// DELETE ~PI: 202, or 204 when there is no such item
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let started = call.write("delete item", |tx, cx| {
        let vault = call.vault(tx)?;
        let Some(item) = tx.item_named(vault.id, &names.group, &names.name)? else {
            return Ok(None);
        };
        let id = item_id(&vault, &item);
        let accepted = delete_backup_data(tx, cx, item.id, &id)?;
        Ok(Some((id, accepted.operation.id)))
    })?;
    Ok(match started {
        Some((id, operation)) => operation::accepted(call, &id, operation),
        None => Reply::no_content(),
    })
}

/// POST ~PI/backup
pub(crate) fn backup(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let body = call.members()?;
    let properties = body.object("properties")?;
    check_kind(&properties, &["IaasVMBackupRequest"])?;
    let until = properties.time("recoveryPointExpiryTimeInUTC")?;
    let (id, operation) = call.write("backup now", |tx, cx| {
        let vault = call.vault(tx)?;
        let item = item::find(tx, &vault, &names)?;
        let id = item_id(&vault, &item);
        let accepted = backup_now(tx, cx, item.id, until, &id)?;
        Ok((id, accepted.operation.id))
    })?;
    Ok(operation::accepted(call, &id, operation))
}

/// Refuses a body whose `objectType` is not one of `kinds`.
pub(crate) fn check_kind(properties: &Members<'_>, kinds: &[&str]) -> Result<(), ArmError> {
    let kind = properties.required_text("objectType")?;
    if kinds.iter().any(|it| it.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    let message = format!("'{}' is no objectType for this request; use {}.", clip(kind), kinds[0]);
    Err(ArmError::bad_body(message).target("properties.objectType"))
}
