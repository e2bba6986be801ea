//! Resource groups: list, get, put, delete.

use std::collections::BTreeMap;

use super::guard::list_guards;
use super::{Written, find, names};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::SubscriptionId;
use crate::model::ResourceGroup;
use crate::port::Tx;

/// A resource group as asked for.
#[derive(Clone, Debug)]
pub struct PutGroup {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Resource groups of a subscription, by name.
pub fn list_groups(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
) -> Result<Vec<ResourceGroup>, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    Ok(tx.groups(subscription)?)
}

/// One resource group.
pub fn get_group(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    name: &str,
) -> Result<ResourceGroup, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    find::group(tx, subscription, name)
}

/// Makes a resource group, or replaces its tags.
pub fn put_group(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: PutGroup,
) -> Result<(ResourceGroup, Written), Refusal> {
    cx.may(Action::WriteGroup)?;
    find::subscription(tx, input.subscription)?;
    names::check_group_name(&input.name)?;
    super::lock::refuse_group(tx, cx, input.subscription, &input.name, super::lock::Change::Write)?;
    let region = find::region(tx, &input.region)?;
    let target = format!("resource group {}", input.name);
    if let Some(mut group) = tx.group(input.subscription, &input.name)? {
        if group.region != region.name {
            return Err(Refusal::new(
                ErrorCode::InvalidResourceLocation,
                format!(
                    "Resource group '{}' is in region '{}' and cannot be moved to '{}'.",
                    group.name, group.region, region.name
                ),
            )
            .about("location"));
        }
        group.tags = input.tags;
        tx.put_group(&mut group)?;
        cx.record(tx, Action::WriteGroup, target)?;
        return Ok((group, Written::Updated));
    }
    let mut group = ResourceGroup {
        subscription: input.subscription,
        name: input.name,
        region: region.name,
        tags: input.tags,
        created: cx.now,
        etag: 0,
    };
    tx.put_group(&mut group)?;
    cx.record(tx, Action::WriteGroup, target)?;
    Ok((group, Written::Created))
}

/// Deletes an empty resource group; refuses with the list of what is in it.
pub fn delete_group(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    name: &str,
) -> Result<(), Refusal> {
    cx.may(Action::DeleteGroup)?;
    find::subscription(tx, subscription)?;
    let group = find::group(tx, subscription, name)?;
    super::lock::refuse_group(tx, cx, subscription, &group.name, super::lock::Change::Delete)?;
    let inside = |other: &str| other.eq_ignore_ascii_case(&group.name);
    let mut held: Vec<String> = Vec::new();
    let vaults = tx.vaults(subscription)?.into_iter().filter(|it| inside(&it.group));
    held.extend(vaults.map(|it| format!("vault '{}'", it.name)));
    let vms = tx.vms(subscription)?.into_iter().filter(|it| inside(&it.group));
    held.extend(vms.map(|it| format!("virtual machine '{}'", it.name)));
    let accounts = tx.storage_accounts(subscription)?.into_iter().filter(|it| inside(&it.group));
    held.extend(accounts.map(|it| format!("storage account '{}'", it.name)));
    let guards = list_guards(tx, cx, subscription, Some(&group.name))?;
    held.extend(guards.into_iter().map(|it| format!("resource guard '{}'", it.name)));
    if !held.is_empty() {
        return Err(Refusal::new(
            ErrorCode::ResourceGroupDeletionBlocked,
            format!(
                "Resource group '{}' still holds {}. Delete or move what is in it first.",
                group.name,
                held.join(", ")
            ),
        )
        .about(group.name));
    }
    tx.delete_records_below(&format!(
        "/subscriptions/{subscription}/resourceGroups/{}",
        group.name
    ))?;
    tx.delete_group(subscription, &group.name)?;
    cx.record(tx, Action::DeleteGroup, format!("resource group {}", group.name))
}
