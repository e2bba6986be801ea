//! Looking into a recovery point: whoever may restore may see its files.

use super::accept::note_operation;
use super::enable_protection::refuse_deleted;
use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::PointId;
use crate::model::{Operation, RecoveryPoint, Vault};
use crate::port::Tx;

/// Says where a point is, for whoever looks into it; the audit knows who. Nothing is changed.
/// `scope` is the resource id that the operation belongs to.
pub fn open_files(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    point: PointId,
    scope: &str,
) -> Result<Operation, Refusal> {
    let (_, point) = see_files(tx, cx, point)?;
    let item = find::item(tx, point.item)?;
    let operation = note_operation(tx, cx, scope)?;
    let target = format!("files of '{}' from point {}", item.vm_name, point.number);
    cx.record(tx, Action::Restore, target)?;
    Ok(operation)
}

/// The point whose files somebody wants to see, and its vault.
pub fn see_files(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    point: PointId,
) -> Result<(Vault, RecoveryPoint), Refusal> {
    cx.may(Action::Restore)?;
    let point = find::point(tx, point)?;
    let item = find::item(tx, point.item)?;
    refuse_deleted(&item)?;
    if !point.is_usable() {
        return Err(Refusal::new(
            ErrorCode::UserErrorRecoveryPointNotFound,
            format!(
                "Recovery point '{}' of '{}' was deleted. Bring it back first, or use another.",
                point.number, item.vm_name
            ),
        ));
    }
    Ok((find::vault(tx, point.vault)?, point))
}
