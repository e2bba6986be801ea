//! Long-running operations, as the clients poll them.
//!
//! An operation is found by its id, which nobody can guess, and shown only below the resource
//! that it belongs to; anywhere else it does not exist.

use coffre_control::id::OperationId;
use coffre_control::model::OperationState;
use coffre_control::port::Tx;
use coffre_control::usecase::{OperationView, get_operation};
use coffre_control::{Cx, ErrorCode, Refusal};
use serde_json::json;

use crate::call::Call;
use crate::handle::item;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{
    VAULT_TYPE, container_id, group_id, item_name, parse_item_names, region_name, vault_id,
};
use crate::render::{put, time};

/// What stands for "no end yet".
const NO_END: &str = "0001-01-01T00:00:00";

/// The operation in the path, when it belongs to `scope` or to something below it.
fn find(
    call: &Call<'_>,
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    scope: &str,
) -> Result<OperationView, Refusal> {
    let text = call.param("operation");
    let unknown = || {
        Refusal::new(
            ErrorCode::OperationNotFound,
            format!("The operation '{}' could not be found.", clip(text)),
        )
    };
    let id: OperationId = text.parse().map_err(|_| unknown())?;
    let view = get_operation(tx, cx, id)?;
    if is_below(&view.operation.scope, scope) { Ok(view) } else { Err(unknown()) }
}

/// Whether `id` is `scope` or a resource below it.
fn is_below(id: &str, scope: &str) -> bool {
    let head = id.get(..scope.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(scope))
        && matches!(id.as_bytes().get(scope.len()), None | Some(b'/'))
}

fn status_reply(view: &OperationView) -> Reply {
    let operation = &view.operation;
    let mut body = json!({
        "id": operation.id,
        "name": operation.id,
        "status": view.state.azure(),
        "startTime": time(operation.created),
        "endTime": view.ended.map_or_else(|| NO_END.to_owned(), time),
    });
    let ended = view.state != OperationState::InProgress;
    // Jobs of machines belong to no vault; no client could show them.
    let job = view.job.as_ref().filter(|job| ended && job.vault.is_some());
    let properties =
        job.map(|job| json!({ "objectType": "OperationStatusJobExtendedInfo", "jobId": job.id }));
    put(&mut body, "properties", properties);
    let error = view
        .error
        .as_ref()
        .map(|error| json!({ "code": error.code.azure(), "message": error.message }));
    put(&mut body, "error", error);
    Reply::ok(body).retry_after()
}

/// Scope of the vault in the path. It is taken from the path, not from the vault's row: an
/// operation stays readable when its vault is gone.
fn vault_scope(call: &Call<'_>) -> Result<String, ArmError> {
    let group = group_id(call.subscription_id()?, call.param("group"));
    Ok(format!("{group}/providers/{}/{}", VAULT_TYPE, call.param("vault")))
}

/// GET ~V/backupOperations/{op} and ~V/operationStatus/{op}
pub(crate) fn of_vault(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = vault_scope(call)?;
    let view = call.look("show operation", |tx, cx| find(call, tx, cx, &scope))?;
    Ok(status_reply(&view))
}

/// GET ~V/backupOperationResults/{op}, ~V/operationResults/{op}, ~V/backupJobs/{job}/operationResults/{op}
/// and ~V/backupFabrics/{fabric}/operationResults/{op}: 202, then 204.
pub(crate) fn result_of_vault(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = vault_scope(call)?;
    let view = call.look("show operation", |tx, cx| find(call, tx, cx, &scope))?;
    match view.state {
        OperationState::InProgress => Ok(Reply::accepted().location(&call.url(call.path))),
        OperationState::Succeeded => Ok(Reply::no_content()),
        OperationState::Failed | OperationState::Canceled => Err(failed(&view)),
    }
}

fn failed(view: &OperationView) -> ArmError {
    match &view.error {
        Some(error) => Refusal::new(error.code, error.message.clone()).into(),
        None => {
            Refusal::new(ErrorCode::UserErrorJobCancelled, "The operation was cancelled.").into()
        }
    }
}

fn find_of_item(call: &Call<'_>, tx: &mut dyn Tx, cx: &Cx<'_>) -> Result<OperationView, Refusal> {
    let vault = call.vault(tx)?;
    let names = parse_item_names(call.param("container"), call.param("item"));
    let scope = match names {
        Some(names) => format!(
            "{}/protectedItems/{}",
            container_id(&vault, &names.group, &names.name),
            item_name(&names.group, &names.name)
        ),
        // Names that are malformed have no operations: a scope that nothing is below.
        None => format!("{}/nothing", vault_id(&vault)),
    };
    find(call, tx, cx, &scope)
}

/// GET ~PI/operationsStatus/{op}
pub(crate) fn of_item(call: &Call<'_>) -> Result<Reply, ArmError> {
    let view = call.look("show operation", |tx, cx| find_of_item(call, tx, cx))?;
    Ok(status_reply(&view))
}

/// GET ~PI/operationResults/{op}: 202 while it runs, then the item, or 204 when that is gone.
pub(crate) fn result_of_item(call: &Call<'_>) -> Result<Reply, ArmError> {
    let view = call.look("show operation", |tx, cx| find_of_item(call, tx, cx))?;
    match view.state {
        OperationState::InProgress => Ok(Reply::accepted().location(&call.url(call.path))),
        OperationState::Failed | OperationState::Canceled => Err(failed(&view)),
        OperationState::Succeeded => match item::body(call, &call.item_names()?) {
            Ok(body) => Ok(Reply::ok(body)),
            Err(error) if error.code() == ErrorCode::ProtectedItemNotFound.azure() => {
                Ok(Reply::no_content())
            }
            Err(error) => Err(error),
        },
    }
}

/// GET ~S/…/locations/{location}/deletedVaults/{deleted}/operations/{op}
pub(crate) fn of_deleted_vault(call: &Call<'_>) -> Result<Reply, ArmError> {
    // From the path: a vault that is back is no deleted one any more.
    let scope = format!(
        "/subscriptions/{}/providers/Microsoft.RecoveryServices/locations/{}/deletedVaults/{}",
        call.subscription_id()?,
        region_name(call.param("location")),
        call.param("deleted")
    );
    let view = call.look("show operation", |tx, cx| find(call, tx, cx, &scope))?;
    Ok(status_reply(&view))
}

/// GET ~S/providers/Microsoft.Compute/locations/{location}/operations/{op}; with `monitor=true`
/// the result: 202, then 200.
pub(crate) fn of_compute(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = format!("/subscriptions/{}", call.subscription_id()?);
    let view = call.look("show operation", |tx, cx| find(call, tx, cx, &scope))?;
    if call.query.get("monitor").is_none() {
        return Ok(status_reply(&view));
    }
    match view.state {
        OperationState::InProgress => {
            Ok(Reply::accepted().location(&format!("{}&monitor=true", call.url(call.path))))
        }
        OperationState::Succeeded => Ok(Reply::ok(json!({}))),
        OperationState::Failed | OperationState::Canceled => Err(failed(&view)),
    }
}

/// 202 for an operation on an item, with both polling addresses.
pub(crate) fn accepted(call: &Call<'_>, item_path: &str, operation: OperationId) -> Reply {
    Reply::accepted()
        .async_operation(&call.url(&format!("{item_path}/operationsStatus/{operation}")))
        .location(&call.url(&format!("{item_path}/operationResults/{operation}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_at_a_slash() {
        assert!(is_below("/a/B", "/A/b") && is_below("/a/b/c", "/a/b"));
        assert!(!is_below("/a/bc", "/a/b") && !is_below("/a", "/a/b") && !is_below("/é", "/a"));
    }
}
