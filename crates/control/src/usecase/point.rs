//! Recovery points: list and get.

use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{ItemId, PointId};
use crate::model::RecoveryPoint;
use crate::port::Tx;

/// Recovery points of an item, newest first.
pub fn list_points(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    item: ItemId,
) -> Result<Vec<RecoveryPoint>, Refusal> {
    cx.may(Action::Read)?;
    let item = find::item(tx, item)?;
    Ok(tx.points(item.id)?)
}

/// One recovery point by the number that names it.
pub fn get_point(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    item: ItemId,
    number: u64,
) -> Result<RecoveryPoint, Refusal> {
    cx.may(Action::Read)?;
    let item = find::item(tx, item)?;
    tx.point_numbered(item.id, number)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::UserErrorRecoveryPointNotFound,
            format!("'{}' has no recovery point '{number}'.", item.vm_name),
        )
    })
}

/// One recovery point by identity.
pub fn get_point_by_id(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PointId,
) -> Result<RecoveryPoint, Refusal> {
    cx.may(Action::Read)?;
    find::point(tx, id)
}
