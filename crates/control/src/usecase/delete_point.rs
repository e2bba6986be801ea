//! Deletes a single recovery point, and takes that back.

use jiff::SignedDuration;

use super::approval::second_person;
use super::enable_protection::refuse_deleted;
use super::plan::plan_expiry;
use super::vault_time::vault_clock;
use super::{find, plan};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::PointId;
use crate::model::{
    Ask, Critical, Deletion, Immutability, ProtectedItem, RecoveryPoint, SoftDeleteState, Vault,
};
use crate::port::Tx;

/// Deletes a point. It can be brought back as long as the vault keeps deleted data; without soft
/// delete it goes with the next look at the item.
pub fn delete_recovery_point(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PointId,
) -> Result<RecoveryPoint, Refusal> {
    cx.may(Action::DeleteBackupData)?;
    let mut point = find::point(tx, id)?;
    let item = find::item(tx, point.item)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Delete)?;
    let vault = find::vault(tx, point.vault)?;
    refuse_deleted(&item)?;
    find::no_running_job(tx, &item)?;
    check_free(&vault, &item, &point)?;
    let ask = Ask {
        vault: vault.id,
        critical: Critical::DeleteData,
        subject: format!("point {}", point.id),
        words: format!("delete recovery point {} of '{}'", point.number, item.vm_name),
    };
    second_person(tx, cx, &vault, ask)?;
    let days = match vault.soft_delete.state {
        SoftDeleteState::Disabled => 0,
        SoftDeleteState::Enabled | SoftDeleteState::AlwaysOn => vault.soft_delete.days,
    };
    // Its time runs by vault time, like every other.
    let since = vault_clock(tx)?.map_or(cx.now, |clock| clock.time.max(cx.now));
    let until = plan::later(since, SignedDuration::from_hours(24 * i64::from(days)));
    point.deletion = Some(Deletion { since, until, asked: true });
    tx.put_point(&mut point)?;
    plan_expiry(tx, &item, Some(jiff::Timestamp::MIN))?;
    cx.record(tx, Action::DeleteBackupData, target(&item, &point))?;
    Ok(point)
}

/// Brings a deleted point back.
pub fn undelete_recovery_point(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PointId,
) -> Result<RecoveryPoint, Refusal> {
    cx.may(Action::Undelete)?;
    let mut point = find::point(tx, id)?;
    let item = find::item(tx, point.item)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    if point.deletion.is_none() || point.removing.is_some() {
        let why = if point.removing.is_some() { "is being removed" } else { "was not deleted" };
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorItemNotInSoftDeletedState,
            format!("Recovery point '{}' of '{}' {why}.", point.number, item.vm_name),
        ));
    }
    let deletion = point.deletion.take();
    if deletion.is_some_and(|deletion| !deletion.asked) {
        // A shorter policy had put it aside: whoever brings it back wants it kept, as a point
        // that was asked for is.
        let kept = super::backup_now::DEFAULT_RETENTION_DAYS;
        point.retain_until = Some(plan::later(cx.now, SignedDuration::from_hours(24 * kept)));
        point.shortened = false;
    }
    tx.put_point(&mut point)?;
    plan_expiry(tx, &item, Some(jiff::Timestamp::MIN))?;
    cx.record(tx, Action::Undelete, target(&item, &point))?;
    Ok(point)
}

fn check_free(vault: &Vault, item: &ProtectedItem, point: &RecoveryPoint) -> Result<(), Refusal> {
    let refuse = |code, why: String| {
        let message = format!("Recovery point '{}' of '{}' {why}", point.number, item.vm_name);
        Err(Refusal::new(code, message).about(point.number.to_string()))
    };
    if vault.immutability != Immutability::Disabled {
        return refuse(
            ErrorCode::UserErrorDeleteBackupItemOnImmutableItem,
            format!("cannot be deleted before its time: vault '{}' is immutable.", vault.name),
        );
    }
    if !point.is_usable() {
        return refuse(ErrorCode::Conflict, "was deleted before.".to_owned());
    }
    if item.last_point.is_some_and(|last| last.id == point.id) {
        return refuse(
            ErrorCode::Conflict,
            "is the newest, which the next backup builds on. Back up again first, or stop \
             protection with deletion of the data."
                .to_owned(),
        );
    }
    Ok(())
}

fn target(item: &ProtectedItem, point: &RecoveryPoint) -> String {
    format!("point {} of {}", point.number, item.vm_name)
}
