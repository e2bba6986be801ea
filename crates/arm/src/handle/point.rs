//! Recovery points, to look at.

use coffre_control::model::{ProtectedItem, RecoveryPoint, Vault};
use coffre_control::port::{PointSearch, Tx};
use coffre_control::{ErrorCode, Refusal};

use crate::call::Call;
use crate::handle::item;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::VmRef;
use crate::render;

/// GET ~PI/recoveryPoints, newest first
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let (from, to) = (filter.time("startDate")?, filter.time("endDate")?);
    let names = call.item_names()?;
    let window = call.window()?;
    let (vault, item, points) = call.read("list recovery points", |tx| {
        let vault = call.vault(tx)?;
        let item = item::find(tx, &vault, &names)?;
        let (skip, limit) = (window.skip(), window.limit());
        let search = PointSearch { item: Some(item.id), from, to, skip, limit };
        let points = tx.search_points(&search)?;
        Ok((vault, item, points))
    })?;
    call.page_of(&points, |it| render::point::point(&vault, &item, it))
}

/// The point in the path, with what it belongs to.
pub(crate) fn find(
    call: &Call<'_>,
    tx: &mut dyn Tx,
    names: &VmRef,
) -> Result<(Vault, ProtectedItem, RecoveryPoint), Refusal> {
    let vault = call.vault(tx)?;
    let item = item::find(tx, &vault, names)?;
    let name = call.param("point");
    let found = match name.parse() {
        Ok(number) => tx.point_numbered(item.id, number)?,
        Err(_) => None,
    };
    let point = found.ok_or_else(|| {
        Refusal::new(
            ErrorCode::UserErrorRecoveryPointNotFound,
            format!("'{}' has no recovery point '{}'.", item.vm_name, clip(name)),
        )
    })?;
    Ok((vault, item, point))
}

/// GET ~PI/recoveryPoints/{point}
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let (vault, item, point) = call.read("show recovery point", |tx| find(call, tx, &names))?;
    Ok(Reply::ok(render::point::point(&vault, &item, &point)))
}

/// POST ~PI/recoveryPointsRecommendedForMove: there is no archive tier to move to.
pub(crate) fn recommended_for_move(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    call.read("find item", |tx| {
        let vault = call.vault(tx)?;
        item::find(tx, &vault, &names)
    })?;
    Ok(Reply::list(Vec::new()))
}
