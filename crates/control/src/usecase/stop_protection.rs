//! The end of protection: stop and keep the points, stop and delete them, bring them back, and
//! remove for good what nobody brought back.

use jiff::{SignedDuration, Timestamp};

use super::accept::{Accepted, accept};
use super::approval::{deletion_of_data, second_person};
use super::enable_protection::refuse_deleted;
use super::expiry::{ExpiryTime, settle_points};
use super::find;
use super::plan::{Timetables, plan_backup, plan_expiry};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::ItemId;
use crate::job::{self, NewJob};
use crate::model::{
    Immutability, ItemState, JobKind, OperationEnd, ProtectedItem, SoftDeleteState,
};
use crate::port::Tx;

/// Stops protection and keeps the recovery points.
pub fn stop_protection(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: ItemId,
    scope: &str,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    cx.may(Action::StopProtection)?;
    let mut item = find::item(tx, id)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    refuse_deleted(&item)?;
    find::no_running_job(tx, &item)?;
    item.state = ItemState::Stopped;
    item.policy = None;
    stopped(tx, cx, item, scope)
}

/// Keeps an item whose new state is that no backup runs, and accepts the request for it.
fn stopped(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    mut item: ProtectedItem,
    scope: &str,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    tx.put_item(&mut item)?;
    plan_anew(tx, cx, &item)?;
    let accepted = finish(tx, cx, &item, JobKind::DisableBackup, scope)?;
    cx.record(tx, Action::StopProtection, item.vm_name.clone())?;
    Ok((item, accepted))
}

/// Stops protection in an immutable vault; the points go when their policy says so.
pub fn suspend_protection(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: ItemId,
    scope: &str,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    cx.may(Action::StopProtection)?;
    let mut item = find::item(tx, id)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    refuse_deleted(&item)?;
    let vault = find::vault(tx, item.vault)?;
    if vault.immutability == Immutability::Disabled {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            format!(
                "Points of '{}' can be kept as their policy says only in an immutable vault, and \
                 '{}' is none. Stop protection and keep the data, or switch immutability on.",
                item.vm_name, vault.name
            ),
        )
        .about("protectionState"));
    }
    find::no_running_job(tx, &item)?;
    item.state = ItemState::Suspended;
    stopped(tx, cx, item, scope)
}

/// Stops protection and deletes the recovery points: softly when the vault says so, also when
/// there are none yet, as Azure does; else for good, and an item without points is gone at once.
pub fn delete_backup_data(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: ItemId,
    scope: &str,
) -> Result<Accepted, Refusal> {
    cx.may(Action::DeleteBackupData)?;
    let mut item = find::item(tx, id)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Delete)?;
    let vault = find::vault(tx, item.vault)?;
    find::no_running_job(tx, &item)?;
    let points = tx.points(item.id)?;
    if vault.immutability != Immutability::Disabled && !points.is_empty() {
        return Err(Refusal::new(
            ErrorCode::UserErrorDeleteBackupItemOnImmutableItem,
            format!(
                "Vault '{}' is immutable: the {} recovery points of '{}' cannot be deleted \
                 before their time. Stop protection and keep the data.",
                vault.name,
                points.len(),
                item.vm_name
            ),
        ));
    }
    let soft = vault.soft_delete.state != SoftDeleteState::Disabled;
    if soft {
        refuse_deleted(&item)?;
    }
    if !points.is_empty() {
        second_person(tx, cx, &vault, deletion_of_data(&item))?;
    }
    let points = points.into_iter().map(|point| point.id).collect::<Vec<_>>();
    let name = item.vm_name.clone();
    item.policy = None;
    let accepted = if soft {
        let days = SignedDuration::from_hours(24 * i64::from(vault.soft_delete.days));
        let until = cx.now.saturating_add(days).unwrap_or(cx.now);
        item.state = ItemState::SoftDeleted { since: cx.now, until };
        tx.put_item(&mut item)?;
        plan_anew(tx, cx, &item)?;
        finish(tx, cx, &item, JobKind::DeleteBackupData { points: Vec::new() }, scope)?
    } else if points.is_empty() {
        tx.delete_item(item.id)?;
        tx.delete_agenda(item.id.uuid())?;
        finish(tx, cx, &item, JobKind::DeleteBackupData { points }, scope)?
    } else {
        item.state = ItemState::Stopped;
        tx.put_item(&mut item)?;
        plan_anew(tx, cx, &item)?;
        finish(tx, cx, &item, JobKind::DeleteBackupData { points }, scope)?
    };
    cx.record(tx, Action::DeleteBackupData, name)?;
    Ok(accepted)
}

/// Brings deleted backup data back; protection stays stopped.
pub fn undelete_item(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: ItemId,
    scope: &str,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    cx.may(Action::Undelete)?;
    let mut item = find::item(tx, id)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    if !matches!(item.state, ItemState::SoftDeleted { .. }) {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorItemNotInSoftDeletedState,
            format!("The backup data of '{}' was not deleted.", item.vm_name),
        ));
    }
    find::no_running_job(tx, &item)?;
    item.state = ItemState::Stopped;
    tx.put_item(&mut item)?;
    plan_anew(tx, cx, &item)?;
    let accepted = finish(tx, cx, &item, JobKind::Undelete, scope)?;
    cx.record(tx, Action::Undelete, item.vm_name.clone())?;
    Ok((item, accepted))
}

/// Starts the removal of items that were deleted softly and whose time is over by vault time. Says
/// how many.
pub fn purge_deleted_items(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    time: ExpiryTime,
) -> Result<usize, Refusal> {
    cx.may(Action::DeleteBackupData)?;
    let mut started = 0;
    for subscription in tx.subscriptions()? {
        for vault in tx.vaults(subscription.id)? {
            for item in tx.items(vault.id)? {
                let ItemState::SoftDeleted { until, .. } = item.state else { continue };
                if until > time.horizon() || tx.running_job(item.id)?.is_some() {
                    continue;
                }
                let points = tx.points(item.id)?.into_iter().map(|point| point.id).collect();
                let kind = JobKind::DeleteBackupData { points };
                let mut job = job::create(new_job(cx, &item, kind, false), cx.now);
                if job.state.is_ended() {
                    tx.delete_item(item.id)?;
                    tx.delete_agenda(item.id.uuid())?;
                }
                tx.put_job(&mut job)?;
                started += 1;
            }
        }
    }
    Ok(started)
}

/// No backup is due any more, and what keeps the points may be another: their end is written down
/// at once, so that no page tells the old one. Deleted points keep the end of their deletion.
fn plan_anew(tx: &mut dyn Tx, cx: &Cx<'_>, item: &ProtectedItem) -> Result<(), Refusal> {
    if !matches!(item.state, ItemState::SoftDeleted { .. }) {
        let vault = find::vault(tx, item.vault)?;
        settle_points(tx, &vault, item)?;
    }
    plan_backup(tx, item, &mut Timetables::default(), cx.now)?;
    plan_expiry(tx, item, Some(Timestamp::MIN))
}

fn finish(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    item: &ProtectedItem,
    kind: JobKind,
    scope: &str,
) -> Result<Accepted, Refusal> {
    accept(tx, cx, new_job(cx, item, kind, true), OperationEnd::JobEnded, scope)
}

fn new_job(cx: &Cx<'_>, item: &ProtectedItem, kind: JobKind, user_triggered: bool) -> NewJob {
    NewJob {
        id: cx.id(),
        kind,
        vault: Some(item.vault),
        item: Some(item.id),
        vm: None,
        name: item.vm_name.clone(),
        user_triggered,
    }
}
