//! Deleted vaults: kept with their policies for as long as deleted data of theirs would be, and
//! brought back as they were. The name of a deleted vault is free.

use jiff::SignedDuration;

use super::expiry::ExpiryTime;
use super::plan::later;
use super::vault::{name_taken, target};
use super::{accept, find};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::SubscriptionId;
use crate::model::{DeletedVault, Operation, Policy, Record, RecordKind, SoftDeleteState, Vault};
use crate::port::{StoreFault, Tx};

fn scope_of(subscription: SubscriptionId) -> String {
    format!("/subscriptions/{subscription}")
}

fn read(row: Record) -> Result<DeletedVault, StoreFault> {
    let key = row.name;
    serde_json::from_value(row.content).map_err(|source| StoreFault::BadRow {
        table: "records",
        key,
        source: Box::new(source),
    })
}

/// Keeps a vault that is being deleted, unless its data would not be kept either.
pub(crate) fn keep(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: Vault,
    policies: Vec<Policy>,
) -> Result<(), Refusal> {
    if vault.soft_delete.state == SoftDeleteState::Disabled {
        return Ok(());
    }
    let days = i64::from(vault.soft_delete.days);
    let until = later(cx.now, SignedDuration::from_hours(24 * days));
    let scope = scope_of(vault.subscription);
    let kept = DeletedVault { vault, policies, deleted: cx.now, until };
    let content = serde_json::to_value(&kept).map_err(|source| StoreFault::BadRow {
        table: "records",
        key: kept.name(),
        source: Box::new(source),
    })?;
    let (kind, name) = (RecordKind::DeletedVault, kept.name());
    // A vault that was deleted, brought back and deleted again.
    tx.delete_record(kind, &scope, &name)?;
    tx.put_record(&mut Record { kind, scope, name, content, etag: 0 })?;
    Ok(())
}

/// The deleted vaults of a region, by name.
pub fn list_deleted_vaults(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    region: &str,
) -> Result<Vec<DeletedVault>, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let mut all = Vec::new();
    for row in tx.records_below(RecordKind::DeletedVault, &scope_of(subscription))? {
        let kept = read(row)?;
        if kept.vault.region.eq_ignore_ascii_case(region) {
            all.push(kept);
        }
    }
    all.sort_by_key(DeletedVault::name);
    Ok(all)
}

/// One deleted vault.
pub fn get_deleted_vault(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    region: &str,
    name: &str,
) -> Result<DeletedVault, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let row = tx.record(RecordKind::DeletedVault, &scope_of(subscription), name)?;
    let kept = row.map(read).transpose()?;
    kept.filter(|it| it.vault.region.eq_ignore_ascii_case(region)).ok_or_else(|| {
        Refusal::new(
            ErrorCode::ResourceNotFound,
            format!(
                "Region '{region}' has no deleted vault '{name}'. A deleted vault is kept for as \
                 long as its soft delete says, and not at all when that is off."
            ),
        )
    })
}

/// Brings a deleted vault back into a group, with its policies. `scope` is the id under which the
/// operation is polled.
pub fn undelete_vault(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    kept: DeletedVault,
    group: &str,
    scope: &str,
) -> Result<Operation, Refusal> {
    cx.may(Action::WriteVault)?;
    let name = kept.name();
    let DeletedVault { mut vault, policies, .. } = kept;
    let group = find::group(tx, vault.subscription, group)?;
    if let Some(other) = tx.vault_named(vault.subscription, &vault.name)? {
        return Err(name_taken(&vault.name, &other));
    }
    let subscription = vault.subscription;
    vault.group = group.name;
    vault.changed = cx.now;
    vault.etag = 0;
    super::lock::refuse_vault(tx, cx, &vault, super::lock::Change::Write)?;
    tx.put_vault(&mut vault)?;
    for mut policy in policies {
        policy.etag = 0;
        tx.put_policy(&mut policy)?;
    }
    tx.delete_record(RecordKind::DeletedVault, &scope_of(subscription), &name)?;
    cx.record(tx, Action::WriteVault, format!("{}, undeleted", target(&vault)))?;
    accept::note_operation(tx, cx, scope)
}

/// Forgets the deleted vaults whose time is over; says how many there were.
pub fn purge_deleted_vaults(tx: &mut dyn Tx, time: ExpiryTime) -> Result<usize, Refusal> {
    let mut gone = 0;
    for row in tx.records_below(RecordKind::DeletedVault, "/subscriptions")? {
        let (scope, name) = (row.scope.clone(), row.name.clone());
        if read(row)?.until <= time.horizon() {
            tx.delete_record(RecordKind::DeletedVault, &scope, &name)?;
            gone += 1;
        }
    }
    Ok(gone)
}
