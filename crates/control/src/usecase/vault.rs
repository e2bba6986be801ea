//! Vaults: list, get, put, change.

use std::collections::BTreeMap;

use super::approval::scope_of;
use super::vault_end::{check_second_person, way_out};
use super::{Written, default_policy, find, names, settings};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{SubscriptionId, VaultId};
use crate::model::{
    Identity, Immutability, MonitoringSettings, Redundancy, SoftDelete, SoftDeleteState, Vault,
};
use crate::port::Tx;

/// What may be set when a vault is made and changed later. A field of none stays as it is, or
/// gets its default.
#[derive(Clone, Debug, Default)]
pub struct VaultPatch {
    /// Replaces all tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Copies; only before the first protected item.
    pub redundancy: Option<Redundancy>,
    /// Restore in the paired region.
    pub cross_region_restore: Option<bool>,
    /// Retention of deleted data.
    pub soft_delete: Option<SoftDelete>,
    /// Protection of points against removal.
    pub immutability: Option<Immutability>,
    /// Alerts.
    pub monitoring: Option<MonitoringSettings>,
    /// Reach from outside the private network.
    pub public_network_access: Option<bool>,
    /// Restore into other subscriptions.
    pub cross_subscription_restore: Option<bool>,
    /// Managed identity; `Some(None)` takes it away.
    pub identity: Option<Option<Identity>>,
}

/// A vault as asked for.
#[derive(Clone, Debug)]
pub struct PutVault {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its resource group; must exist.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Everything else.
    pub settings: VaultPatch,
}

/// Vaults of a subscription, or of one of its resource groups, by name.
pub fn list_vaults(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: Option<&str>,
) -> Result<Vec<Vault>, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let mut vaults = tx.vaults(subscription)?;
    if let Some(group) = group {
        let group = find::group(tx, subscription, group)?;
        vaults.retain(|vault| vault.group.eq_ignore_ascii_case(&group.name));
    }
    Ok(vaults)
}

/// One vault by name.
pub fn get_vault(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: &str,
    name: &str,
) -> Result<Vault, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let group = find::group(tx, subscription, group)?;
    tx.vault_named(subscription, name)?
        .filter(|vault| vault.group.eq_ignore_ascii_case(&group.name))
        .ok_or_else(|| {
            Refusal::new(
                ErrorCode::ResourceNotFound,
                format!(
                    "The Resource 'Microsoft.RecoveryServices/vaults/{name}' under resource \
                     group '{}' was not found.",
                    group.name
                ),
            )
        })
}

/// One vault by identity.
pub fn get_vault_by_id(tx: &mut dyn Tx, cx: &Cx<'_>, id: VaultId) -> Result<Vault, Refusal> {
    cx.may(Action::Read)?;
    find::vault(tx, id)
}

/// Whether a new vault could have this name: the refusal says why not.
pub fn check_vault_name_free(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    name: &str,
) -> Result<(), Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    names::check_vault_name(name)?;
    match tx.vault_named(subscription, name)? {
        None => Ok(()),
        Some(other) => Err(name_taken(name, &other)),
    }
}

/// Makes a vault with its `DefaultPolicy` and `EnhancedPolicy`, or changes the one that is there.
pub fn put_vault(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: PutVault,
) -> Result<(Vault, Written), Refusal> {
    cx.may(Action::WriteVault)?;
    find::subscription(tx, input.subscription)?;
    names::check_vault_name(&input.name)?;
    let group = find::group(tx, input.subscription, &input.group)?;
    let region = find::region(tx, &input.region)?;
    if let Some(vault) = tx.vault_named(input.subscription, &input.name)? {
        if !vault.group.eq_ignore_ascii_case(&group.name) {
            return Err(name_taken(&input.name, &vault));
        }
        if vault.region != region.name {
            return Err(Refusal::new(
                ErrorCode::InvalidResourceLocation,
                format!(
                    "Vault '{}' is in region '{}' and cannot be moved to '{}'. Create another \
                     vault there.",
                    vault.name, vault.region, region.name
                ),
            )
            .about("location"));
        }
        super::lock::refuse_vault(tx, cx, &vault, super::lock::Change::Write)?;
        let vault = change(tx, cx, vault, input.settings)?;
        return Ok((vault, Written::Updated));
    }
    let id: VaultId = cx.id();
    let mut vault = Vault {
        id,
        subscription: input.subscription,
        group: group.name,
        name: input.name,
        store_url: format!("{}/{id}", region.store_url.trim_end_matches('/')),
        region: region.name,
        tags: BTreeMap::new(),
        redundancy: Redundancy::Geo,
        cross_region_restore: false,
        redundancy_locked: false,
        soft_delete: SoftDelete::default(),
        immutability: Immutability::Disabled,
        monitoring: MonitoringSettings::default(),
        public_network_access: true,
        cross_subscription_restore: true,
        identity: None,
        guard: None,
        created: cx.now,
        changed: cx.now,
        etag: 0,
    };
    super::lock::refuse_vault(tx, cx, &vault, super::lock::Change::Write)?;
    apply_patch(tx, &mut vault, input.settings)?;
    tx.put_vault(&mut vault)?;
    for mut policy in default_policy::of_new_vault(vault.id) {
        tx.put_policy(&mut policy)?;
    }
    cx.record(tx, Action::WriteVault, target(&vault))?;
    Ok((vault, Written::Created))
}

/// Changes a vault.
pub fn update_vault(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: VaultId,
    patch: VaultPatch,
) -> Result<Vault, Refusal> {
    cx.may(Action::WriteVault)?;
    let vault = find::vault(tx, id)?;
    super::lock::refuse_vault(tx, cx, &vault, super::lock::Change::Write)?;
    change(tx, cx, vault, patch)
}

/// Deletes an empty vault. Refuses with the list of what stands in the way and how to clear it.
/// Deleted items that never had a point are no loss: they go with it. The vault itself is kept, for
/// as long as deleted data of it would be.
pub fn delete_vault(tx: &mut dyn Tx, cx: &Cx<'_>, id: VaultId) -> Result<(), Refusal> {
    cx.may(Action::DeleteVault)?;
    let vault = find::vault(tx, id)?;
    super::lock::refuse_vault(tx, cx, &vault, super::lock::Change::Delete)?;
    let mut items = Vec::new();
    for item in tx.items(vault.id)? {
        let deleted = matches!(item.state, crate::model::ItemState::SoftDeleted { .. });
        if deleted && tx.points(item.id)?.is_empty() {
            tx.delete_item(item.id)?;
            tx.delete_agenda(item.id.uuid())?;
        } else {
            items.push(item);
        }
    }
    if !items.is_empty() {
        let held: Vec<String> = items
            .iter()
            .map(|item| match item.state {
                crate::model::ItemState::SoftDeleted { until, .. } => {
                    format!("'{}' (deleted, kept until {until:.0})", item.vm_name)
                }
                state => format!("'{}' ({})", item.vm_name, state.azure()),
            })
            .collect();
        return Err(Refusal::new(
            ErrorCode::ServiceResourceNotEmptyWithContainerDetails,
            format!(
                "Vault '{}' cannot be deleted as there are existing resources within the vault: \
                 {}. {}",
                vault.name,
                held.join(", "),
                way_out(&vault)
            ),
        )
        .about(vault.name));
    }
    let policies = tx.policies(vault.id)?;
    tx.delete_vault(vault.id)?;
    tx.delete_records_below(&scope_of(vault.id))?;
    tx.delete_agenda(vault.id.uuid())?;
    cx.record(tx, Action::DeleteVault, target(&vault))?;
    super::deleted_vault::keep(tx, cx, vault, policies)
}

fn change(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    mut vault: Vault,
    patch: VaultPatch,
) -> Result<Vault, Refusal> {
    check_second_person(tx, cx, &vault, &patch)?;
    apply_patch(tx, &mut vault, patch)?;
    vault.changed = cx.now;
    tx.put_vault(&mut vault)?;
    cx.record(tx, Action::WriteVault, target(&vault))?;
    Ok(vault)
}

fn apply_patch(tx: &mut dyn Tx, vault: &mut Vault, patch: VaultPatch) -> Result<(), Refusal> {
    if let Some(redundancy) = patch.redundancy {
        set_redundancy(vault, redundancy)?;
    }
    if let Some(wanted) = patch.soft_delete {
        set_soft_delete(tx, vault, wanted)?;
    }
    if let Some(wanted) = patch.immutability {
        if vault.immutability == Immutability::Locked && wanted != Immutability::Locked {
            return Err(Refusal::new(
                ErrorCode::UserErrorImmutabilityLocked,
                format!("Immutability of vault '{}' is locked; it stays on.", vault.name),
            )
            .about("immutabilitySettings"));
        }
        vault.immutability = wanted;
    }
    vault.tags = patch.tags.unwrap_or_else(|| std::mem::take(&mut vault.tags));
    vault.monitoring = patch.monitoring.unwrap_or(vault.monitoring);
    vault.public_network_access =
        patch.public_network_access.unwrap_or(vault.public_network_access);
    vault.cross_subscription_restore =
        patch.cross_subscription_restore.unwrap_or(vault.cross_subscription_restore);
    vault.cross_region_restore = patch.cross_region_restore.unwrap_or(vault.cross_region_restore);
    if let Some(identity) = patch.identity {
        vault.identity = identity;
    }
    Ok(())
}

fn set_redundancy(vault: &mut Vault, wanted: Redundancy) -> Result<(), Refusal> {
    if vault.redundancy_locked && wanted != vault.redundancy {
        return Err(Refusal::new(
            ErrorCode::UserErrorStorageTypeLocked,
            format!(
                "The redundancy of vault '{}' is {} and cannot be changed any more: it is \
                 locked by its first protected item.",
                vault.name,
                vault.redundancy.azure()
            ),
        )
        .about("storageType"));
    }
    vault.redundancy = wanted;
    Ok(())
}

fn set_soft_delete(tx: &mut dyn Tx, vault: &mut Vault, wanted: SoftDelete) -> Result<(), Refusal> {
    if !(14..=180).contains(&wanted.days) && wanted.state != SoftDeleteState::Disabled {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            format!("Deleted data cannot be kept for {} days. Choose 14 to 180 days.", wanted.days),
        )
        .about("softDeleteRetentionPeriodInDays"));
    }
    if vault.soft_delete.state == SoftDeleteState::AlwaysOn
        && wanted.state != SoftDeleteState::AlwaysOn
    {
        return Err(Refusal::new(
            ErrorCode::UserErrorSoftDeleteAlwaysOn,
            format!("Soft delete of vault '{}' is always on.", vault.name),
        )
        .about("softDeleteState"));
    }
    // `az backup vault create` asks for "always on" every time, unasked by its user.
    let binding = settings::flag(tx, settings::SOFT_DELETE_BINDING)?;
    vault.soft_delete = match wanted.state {
        SoftDeleteState::AlwaysOn if !binding => {
            SoftDelete { state: SoftDeleteState::Enabled, days: wanted.days }
        }
        SoftDeleteState::AlwaysOn | SoftDeleteState::Enabled => wanted,
        SoftDeleteState::Disabled => {
            SoftDelete { state: SoftDeleteState::Disabled, days: wanted.days.clamp(14, 180) }
        }
    };
    Ok(())
}

pub(crate) fn name_taken(name: &str, other: &Vault) -> Refusal {
    Refusal::new(
        ErrorCode::VaultNameAlreadyInUse,
        format!(
            "The name '{name}' is taken: vault '{}' in resource group '{}' has it. A vault name \
             is unique in its subscription; choose another.",
            other.name, other.group
        ),
    )
    .about("name")
}

pub(crate) fn target(vault: &Vault) -> String {
    format!("vault {} in group {}", vault.name, vault.group)
}
